//! Asking servers.

mod connect;
mod error;
mod link;
mod options;
mod outgoing;
mod pool;
mod prepare;
mod redirect;
mod response_body;
mod retry;

pub use error::{ClientError, Step};
pub use options::{ClientEvent, ClientOptions};
pub use outgoing::Outgoing;
pub use response_body::ResponseBody;

use std::error::Error;
use std::rc::Rc;

use ::http::request::Parts;
use ::http::{Request, Response, Uri};
use http_body::Body as HttpBody;
use miou_rs::timeout;
use netstack::{Resolver, Stack};

use connect::Origin;
use pool::Pool;
use prepare::prepare;
use retry::Retry;

/// Asks servers by HTTP/1.1, and by HTTP/2 where a server of `https` speaks that. Its clones are the same client.
///
/// Connections are kept for what is asked next. One of HTTP/2 is shared; requests beyond those that its server takes at a
/// time wait. A request that the server has surely not looked at (the connection had ended, it was
/// refused, or a GOAWAY has left it out: RFC 9113 section 8.7) is sent once more, and so is one that may be repeated (RFC 9110
/// section 9.2.2) when a connection that was kept ends without an answer to it. What follows an answer of 101, or to CONNECT,
/// is nobody's: of tunnels and upgrades there are none.
///
/// ```no_run
/// use hyper::Request;
/// use mkernel::http::{Client, ClientOptions};
///
/// # async fn example(stack: mkernel::net::Stack, resolver: mkernel::net::Resolver) -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new(&stack, resolver, ClientOptions::default());
/// let mut response = client.get("http://example.org/").await?;
/// println!("{}", response.status());
/// while let Some(piece) = response.body_mut().next().await {
///     println!("{} octets", piece?.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    stack: Stack,
    resolver: Rc<Resolver>,
    options: ClientOptions,
    pool: Rc<Pool>,
}

impl Client {
    /// A client over `stack` that finds names by `resolver`.
    pub fn new(
        stack: &Stack,
        resolver: impl Into<Rc<Resolver>>,
        #[cfg_attr(not(feature = "tls"), expect(unused_mut))] mut options: ClientOptions,
    ) -> Self {
        #[cfg(feature = "tls")]
        {
            let tls = options.tls.take();
            options.tls = tls.map(|tls| tls.or_protocols(&[b"h2", b"http/1.1"]));
        }
        Self(Rc::new(Inner {
            stack: stack.clone(),
            resolver: resolver.into(),
            options,
            pool: Rc::default(),
        }))
    }

    /// Asks for what is at `url`.
    ///
    /// # Errors
    ///
    /// As [`Client::request`], and if `url` is none.
    pub async fn get(&self, url: &str) -> Result<Response<ResponseBody>, ClientError> {
        let uri: Uri = url.parse().map_err(|_| ClientError::Url(url.to_owned()))?;
        let mut request = Request::new(String::new());
        *request.uri_mut() = uri;
        self.request(request).await
    }

    /// Sends a request, whose URI says scheme and host, and waits for the head of the answer. Redirects are
    /// followed; `Host`, and `User-Agent` if there is none, are added.
    ///
    /// The content is sent again where a redirect asks for that (307 and 308), or the request is sent once more, so it must be
    /// [`Clone`].
    ///
    /// # Errors
    ///
    /// What went wrong, step by step: see [`ClientError`]. A status is none, whatever it says.
    pub async fn request<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, ClientError>
    where
        B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + Clone + 'static,
    {
        let options = &self.0.options;
        let (mut parts, content) = request.into_parts();
        let mut content = Some(content);
        let mut asked = Vec::new();
        // Bounded by the redirects that are followed.
        loop {
            let response = self.ask(&parts, &content).await?;
            let Some(target) = redirect::target(&parts.uri, &response)? else {
                return Ok(response);
            };
            if options.redirects == 0 {
                return Ok(response);
            }
            if redirect::is_insecure(&parts.uri, &target) && !options.insecure_redirects {
                return Err(ClientError::InsecureRedirect(target.to_string()));
            }
            asked.push((parts.method.clone(), parts.uri.clone()));
            if redirect::follow(&mut parts, target, response.status()) {
                content = None;
            }
            if asked.contains(&(parts.method.clone(), parts.uri.clone())) {
                return Err(ClientError::RedirectLoop(parts.uri.to_string()));
            }
            if asked.len() > options.redirects {
                return Err(ClientError::Redirects(parts.uri.to_string()));
            }
            options.tell(&ClientEvent::Redirected { target: &parts.uri });
        }
    }

    /// Sends one request and waits for the head of its answer.
    async fn ask<B>(
        &self,
        parts: &Parts,
        content: &Option<B>,
    ) -> Result<Response<ResponseBody>, ClientError>
    where
        B: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + Clone + 'static,
    {
        let Inner { options, .. } = &*self.0;
        let origin = Origin::of(&parts.uri)?;
        let mut retry = Retry::new(&parts.method);
        loop {
            let (mut link, reused) = self.0.link(&origin).await?;
            let body = Outgoing::new(content.clone());
            let request = prepare(parts, body, &origin, &link)?;
            options.tell(&ClientEvent::Sent {
                reused,
                request: &request,
            });
            match timeout(options.answer_time, link.send(request)).await {
                Ok(Ok(response)) => {
                    let client = Rc::downgrade(&self.0);
                    let idle = options.idle_time;
                    let body = |incoming| ResponseBody::new(incoming, link, client, origin, idle);
                    return Ok(response.map(body));
                }
                Ok(Err(error)) => {
                    if !retry::is_of_stream(error.error()) {
                        link.give_up();
                    }
                    if !retry.may_repeat(&error, reused) {
                        return Err(ClientError::Http(error.into_error()));
                    }
                }
                Err(_) => {
                    link.give_up();
                    return Err(ClientError::TimedOut(origin.authority(), Step::Head));
                }
            }
        }
    }
}
