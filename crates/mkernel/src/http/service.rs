//! Services, and what stands before them.

use std::convert::Infallible;
use std::error::Error;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use ::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use ::http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use log::debug;
use miou_rs::Instant;
use pin_project_lite::pin_project;

use super::body::{Body, Reply, Turn};
use super::content::Content;
use super::cookies;
use super::options::Options;
use super::peer::{Order, Peer};
use super::places::Peers;
use super::remote::RemoteAddr;
use super::target;

/// A service of `hyper` or of `tower` that answers requests whose content is [`Body`]: every type that
/// implements [`hyper::service::Service`], or [`tower_service::Service`] and [`Clone`]. An `axum::Router` is one.
///
/// `Kind` tells which of the two, and is inferred.
pub trait Service<Kind>: sealed::Sealed<Kind> + 'static {
    /// The content of its answers.
    type Reply: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + 'static;
    /// What it fails with; the client is answered 500.
    type Error;
    /// The answer to come.
    type Answer: Future<Output = Result<Response<Self::Reply>, Self::Error>> + 'static;

    /// Answers a request.
    fn answer(&self, request: Request<Body>) -> Self::Answer;
}

/// Marks services of `hyper`: see [`Service`].
#[derive(Debug)]
pub struct Hyper(Infallible);

/// Marks services of `tower`: see [`Service`].
#[derive(Debug)]
pub struct Tower(Infallible);

mod sealed {
    pub trait Sealed<Kind> {}
}

impl<S> sealed::Sealed<Hyper> for S where S: hyper::service::Service<Request<Body>> {}

impl<S, B> Service<Hyper> for S
where
    S: hyper::service::Service<Request<Body>, Response = Response<B>> + 'static,
    S::Future: 'static,
    B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    type Reply = B;
    type Error = S::Error;
    type Answer = S::Future;

    fn answer(&self, request: Request<Body>) -> Self::Answer {
        self.call(request)
    }
}

impl<S> sealed::Sealed<Tower> for S where S: tower_service::Service<Request<Body>> {}

impl<S, B> Service<Tower> for S
where
    S: tower_service::Service<Request<Body>, Response = Response<B>> + Clone + 'static,
    S::Future: 'static,
    B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    type Reply = B;
    type Error = S::Error;
    type Answer = Oneshot<S>;

    fn answer(&self, request: Request<Body>) -> Oneshot<S> {
        Oneshot {
            asked: Some((self.clone(), request)),
            answer: None,
        }
    }
}

pin_project! {
    /// The answer of a service of `tower`, which is waited for until it is ready.
    #[derive(Debug)]
    pub struct Oneshot<S: tower_service::Service<Request<Body>>> {
        asked: Option<(S, Request<Body>)>,
        #[pin]
        answer: Option<S::Future>,
    }
}

impl<S: tower_service::Service<Request<Body>>> Future for Oneshot<S> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((service, _)) = this.asked {
            ready!(service.poll_ready(context))?;
        }
        if let Some((mut service, request)) = this.asked.take() {
            this.answer.set(Some(service.call(request)));
        }
        match this.answer.as_pin_mut() {
            Some(answer) => answer.poll(context),
            None => Poll::Pending,
        }
    }
}

/// What stands before the service on a connection: it refuses what the service shall not see.
pub(super) struct Guard<S, Kind> {
    pub(super) service: Rc<S>,
    pub(super) options: Rc<Options>,
    pub(super) peer: Rc<Peer>,
    pub(super) peers: Rc<Peers>,
    pub(super) kind: PhantomData<fn(Kind)>,
}

impl<S, Kind> Guard<S, Kind> {
    /// Says who asks.
    fn introduce(&self, extensions: &mut Extensions) {
        if self.options.remote_addr {
            extensions.insert(RemoteAddr(self.peer.address));
        }
        #[cfg(feature = "tls")]
        if let Some(certificates) = self.peer.certificates.get() {
            extensions.insert(certificates.clone());
        }
    }

    /// Why a request is refused.
    fn refusal(&self, request: &Request<Incoming>, number: u64) -> Option<StatusCode> {
        let headers = request.headers();
        if request.version() <= Version::HTTP_11 {
            let refusal = self.peer.scan.borrow().refusal(number);
            if let Some(status) = refusal.or_else(|| refusal_of_codings(headers)) {
                return Some(status);
            }
        }
        if !target::is_valid(request) {
            return Some(StatusCode::BAD_REQUEST);
        }
        if headers.len() > self.options.header_count {
            return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let too_long = length.is_some_and(|length| length > self.options.body_octets);
        too_long.then_some(StatusCode::PAYLOAD_TOO_LARGE)
    }
}

/// RFC 9112 section 6.1: `chunked` is the one transfer coding that is known here, and is applied once.
fn refusal_of_codings(headers: &HeaderMap) -> Option<StatusCode> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next()?;
    let chunked = coding
        .as_bytes()
        .trim_ascii()
        .eq_ignore_ascii_case(b"chunked");
    let known = chunked && codings.next().is_none();
    (!known).then_some(StatusCode::NOT_IMPLEMENTED)
}

/// What a client has asked its connection to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    None,
    Tunnel,
    Protocol,
}

impl Upgrade {
    fn of<B>(request: &Request<B>) -> Self {
        if request.method() == Method::CONNECT {
            Self::Tunnel
        } else if request.version() == Version::HTTP_11 && request.headers().contains_key(UPGRADE) {
            Self::Protocol
        } else {
            Self::None
        }
    }

    /// Whether an answer may have this status: the last one is not informational, but for a protocol that the client
    /// has named (RFC 9110 section 7.8), of which HTTP/2 has none (RFC 9113 section 8.6).
    fn allows(self, status: StatusCode) -> bool {
        !status.is_informational() || self == Self::Protocol && self.is_by(status)
    }

    /// Whether the connection is upgraded by an answer with this status.
    fn is_by(self, status: StatusCode) -> bool {
        match self {
            Self::None => false,
            Self::Tunnel => status.is_success(),
            Self::Protocol => status == StatusCode::SWITCHING_PROTOCOLS,
        }
    }
}

impl<S: Service<Kind>, Kind> hyper::service::Service<Request<Incoming>> for Guard<S, Kind> {
    type Response = Response<Reply<S::Reply>>;
    type Error = Infallible;
    type Future = Answer<S::Answer>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let peer = &self.peer;
        let number = peer.begun.get() + 1;
        peer.begun.set(number);
        peer.turns.unanswered.fetch_add(1, Ordering::Relaxed);
        let http1 = request.version() <= Version::HTTP_11;
        let last = number >= self.options.requests;
        if last && !http1 {
            peer.tell(Order::Finish);
        }
        let upgrade = Upgrade::of(&request);
        let mut refusal = self.refusal(&request, number);
        let mut kept = None;
        if refusal.is_none() && !http1 {
            kept = self.peers.admit(peer);
            if kept.is_none() {
                refusal = Some(StatusCode::SERVICE_UNAVAILABLE);
            }
        }
        let is_head = request.method() == Method::HEAD;
        let (answer, content) = match refusal {
            Some(_) => (None, Content::default()),
            None => {
                target::settle_host(&mut request);
                let (mut parts, incoming) = request.into_parts();
                self.introduce(&mut parts.extensions);
                match parts.version {
                    Version::HTTP_2 => cookies::join(&mut parts.headers),
                    Version::HTTP_11 => {}
                    // RFC 9110 section 7.8 has it ignored.
                    _ => drop(parts.headers.remove(UPGRADE)),
                }
                let (body, content) = Body::new(incoming, self.options.body_octets, peer);
                let request = Request::from_parts(parts, body);
                (Some(self.service.answer(request)), content)
            }
        };
        Answer {
            answer,
            refusal,
            waited: false,
            http1,
            close: http1 && (last || refusal.is_some() || peer.order() != Order::Serve),
            upgrade,
            is_head,
            turn: Some(Turn::new(peer.clone(), self.peers.clone(), content, kept)),
        }
    }
}

pin_project! {
    /// What a client is answered.
    #[derive(Debug)]
    pub(super) struct Answer<A> {
        #[pin]
        answer: Option<A>,
        refusal: Option<StatusCode>,
        // Whether the service took time.
        waited: bool,
        http1: bool,
        close: bool,
        upgrade: Upgrade,
        is_head: bool,
        // Until there is an answer.
        turn: Option<Turn>,
    }
}

impl<A, B, E> Future for Answer<A>
where
    A: Future<Output = Result<Response<B>, E>>,
    B: HttpBody,
{
    type Output = Result<Response<Reply<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = this.answer.as_pin_mut().map(|it| it.poll(context));
        if let Some(Poll::Pending) = polled
            && let Some(turn) = this.turn
        {
            *this.waited = true;
            turn.peer.note_pass();
        }
        let answered = match polled {
            Some(polled) => Some(ready!(polled)),
            None => None,
        };
        let Some(mut turn) = this.turn.take() else {
            return Poll::Pending;
        };
        let fault = turn.fault();
        let status = fault.or(*this.refusal);
        let mut response = match (status, answered) {
            (None, Some(Ok(response))) if this.upgrade.allows(response.status()) => {
                response.map(Some)
            }
            (status, _) => {
                let mut response = Response::new(None);
                *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let client = turn.peer.address;
                debug!("{client}: a request is answered {}", response.status());
                response
            }
        };
        let upgrades = *this.http1 && this.upgrade.is_by(response.status());
        if !upgrades && (*this.close || *this.http1 && fault.is_some()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        if !*this.http1 {
            leave_out_content(&mut response, *this.is_head);
        }
        turn.answer();
        if *this.waited {
            // The client kept nobody waiting for as long as that.
            turn.peer.active.set(Instant::now());
        }
        if upgrades {
            turn.peer.scan.borrow_mut().stop();
            turn.peer.upgrading.set(true);
        }
        Poll::Ready(Ok(response.map(|body| Reply::new(body, turn))))
    }
}

/// RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5: these have no content, which over HTTP/1 `hyper` sees to.
fn leave_out_content<B: HttpBody>(response: &mut Response<Option<B>>, is_head: bool) {
    let none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    let has_none = none.contains(&response.status());
    if !is_head && !has_none {
        return;
    }
    let body = response.body_mut().take();
    let length = body.and_then(|body| body.size_hint().exact());
    if let Some(length @ 1..) = length
        && !has_none
    {
        let headers = response.headers_mut();
        headers.entry(CONTENT_LENGTH).or_insert(length.into());
    }
}
