//! The content of requests and of answers.

use std::error::Error;
use std::fmt;
use std::io::IoSlice;
use std::mem::replace;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use ::http::StatusCode;
use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use miou_rs::{Instant, Sleep, sleep};
use pin_project_lite::pin_project;

use super::content::Content;
use super::peer::{Peer, Turns};
use super::places::{Kept, PAUSE, Peers};

/// A piece of content that is shorter is copied: half of what `hyper` reads into at least.
const SMALL: usize = 4 << 10;
/// What a service that keeps pieces spends on each, and how many are not counted so.
const OCTETS_OF_A_PIECE: u64 = 64;
const PIECES: u64 = 1 << 10;
/// The header of a frame of HTTP/2 (RFC 9113 section 4.1).
const FRAME: u64 = 9;

/// The content of a request, as it comes from the client: at most
/// [`body_octets`](super::Options::body_octets) of it.
///
/// When it is longer, is malformed, or does not come, reading it fails, and whatever the service then answers
/// gives way to an answer with the status for that.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    left: u64,
    pieces_left: u64,
    content: Content,
    turns: Arc<Turns>,
    phase: Phase,
    http2: bool,
    /// How many octets had come over HTTP/2 before what there may be of it.
    since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The service may take some.
    Held,
    /// It waits for some.
    Waits,
    Over,
}

/// Why the content of a request could not be read.
#[derive(Debug)]
pub struct BodyError(Reason);

#[derive(Debug)]
enum Reason {
    TooLong,
    Malformed,
    Late,
    Ended(hyper::Error),
}

impl Body {
    pub(super) fn new(incoming: Incoming, most: u64, peer: &Peer) -> (Self, Content) {
        let (content, phase) = if incoming.is_end_stream() {
            (Content::default(), Phase::Over)
        } else {
            peer.turns.held.fetch_add(1, Ordering::Relaxed);
            (Content::new(), Phase::Held)
        };
        let http2 = peer.http2.get();
        if http2 {
            peer.contents.enter(&content);
        }
        let body = Self {
            incoming,
            left: most,
            pieces_left: (most / OCTETS_OF_A_PIECE).saturating_add(PIECES),
            content: content.clone(),
            turns: peer.turns.clone(),
            phase,
            http2,
            since: peer.turns.come.load(Ordering::Relaxed),
        };
        body.note();
        (body, content)
    }

    /// Tells from when what is held of it is.
    fn note(&self) {
        let held = self.phase == Phase::Held;
        self.content.hold(held.then_some(self.since));
    }

    fn enter(&mut self, phase: Phase) {
        let before = replace(&mut self.phase, phase);
        self.note();
        if before == phase || before == Phase::Over {
            return;
        }
        let held = &self.turns.held;
        if before == Phase::Held {
            held.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.content.wait(&self.turns, false);
        }
        match phase {
            Phase::Held => _ = held.fetch_add(1, Ordering::Relaxed),
            Phase::Waits => self.content.wait(&self.turns, true),
            Phase::Over => {}
        }
    }

    fn fail(&mut self, reason: Reason) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match reason {
            Reason::TooLong => self.content.set(StatusCode::PAYLOAD_TOO_LARGE),
            Reason::Malformed => self.content.set(StatusCode::BAD_REQUEST),
            Reason::Late => self.content.set(StatusCode::REQUEST_TIMEOUT),
            Reason::Ended(_) => {}
        }
        Poll::Ready(Some(Err(BodyError(reason))))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.incoming).poll_frame(context);
        let come = this.turns.come.load(Ordering::Relaxed);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let octets = FRAME + frame.data_ref().map_or(0, Bytes::len) as u64;
                this.since = come.min(this.since + octets);
            }
            _ => this.since = come,
        }
        this.enter(match polled {
            Poll::Pending => Phase::Waits,
            Poll::Ready(Some(Ok(_))) if !this.incoming.is_end_stream() => Phase::Held,
            Poll::Ready(_) => Phase::Over,
        });
        if polled.is_pending() && this.http2 && this.content.is_late(context) {
            this.enter(Phase::Over);
            return this.fail(Reason::Late);
        }
        match ready!(polled) {
            None => Poll::Ready(None),
            Some(Ok(frame)) => {
                let octets = frame.data_ref().map_or(0, Bytes::len) as u64;
                match (
                    this.left.checked_sub(octets),
                    this.pieces_left.checked_sub(1),
                ) {
                    (Some(left), Some(pieces)) => (this.left, this.pieces_left) = (left, pieces),
                    _ => return this.fail(Reason::TooLong),
                }
                Poll::Ready(Some(Ok(frame.map_data(by_itself))))
            }
            Some(Err(error)) if is_malformed(&error) => this.fail(Reason::Malformed),
            Some(Err(error)) => this.fail(Reason::Ended(error)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Who keeps a piece would keep what it was read into, and have `hyper` allocate that anew.
pub(super) fn by_itself(piece: Bytes) -> Bytes {
    match piece.len() {
        0..SMALL => Bytes::copy_from_slice(&piece),
        _ => piece,
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.enter(Phase::Over);
    }
}

/// Whether the chunks, or their extensions or trailers, are no good: what `hyper` says then.
fn is_malformed(error: &hyper::Error) -> bool {
    let source = error
        .source()
        .and_then(|it| it.downcast_ref::<std::io::Error>());
    source.is_some_and(|it| {
        use std::io::ErrorKind::{InvalidData, InvalidInput};
        matches!(it.kind(), InvalidData | InvalidInput)
    })
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Reason::TooLong => "the request's content is longer than this server takes",
            Reason::Malformed => "the request's content is not as RFC 9112 section 7 has it",
            Reason::Late => "the request's content did not come in time",
            Reason::Ended(_) => "the request's content ended too early",
        })
    }
}

impl Error for BodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::Ended(error) => Some(error),
            Reason::TooLong | Reason::Malformed | Reason::Late => None,
        }
    }
}

pin_project! {
    /// The content of an answer: the service's, or none.
    #[derive(Debug)]
    pub struct Reply<B> {
        #[pin]
        body: Option<B>,
        turn: Turn,
    }
}

/// Whose turn a request is, from when it came: dropped, it is answered, or given up.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) peer: Rc<Peer>,
    peers: Rc<Peers>,
    content: Content,
    kept: Option<Rc<Kept>>,
    answered: bool,
    /// Whether the service has the next piece of the answer to write.
    service: bool,
    pause: Option<Box<Sleep>>,
}

impl Turn {
    /// Of a request that was counted as begun.
    pub(super) fn new(
        peer: Rc<Peer>,
        peers: Rc<Peers>,
        content: Content,
        kept: Option<Rc<Kept>>,
    ) -> Self {
        Self {
            peer,
            peers,
            content,
            kept,
            answered: false,
            service: false,
            pause: None,
        }
    }

    /// The status that the request's content has earned, if any.
    pub(super) fn fault(&self) -> Option<StatusCode> {
        self.content.status()
    }

    /// The answer begins.
    pub(super) fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.peer.answered.set(self.peer.answered.get() + 1);
            self.content.answer(&self.peer.turns);
        }
    }

    /// Waits before each piece of an answer as long as memory is nearly spent, in which who was told to make room does it.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // Of HTTP/1 there is no more than a piece for what was read, when it was looked at.
        let mut looks = self.kept.is_some();
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(context));
                looks = true;
            }
            let is_scarce = match looks {
                true => self.peers.look(),
                false => self.peers.is_scarce(),
            };
            if !is_scarce {
                self.pause = None;
                return Poll::Ready(());
            }
            match &mut self.pause {
                Some(pause) => pause.reset(Instant::now() + PAUSE),
                None => self.pause = Some(Box::new(sleep(PAUSE))),
            }
        }
    }

    /// It is not the service's turn any more: if it was, the client's time begins.
    fn pass(&mut self) {
        if self.service {
            self.set(false);
            self.peer.active.set(Instant::now());
        }
    }

    fn set(&mut self, service: bool) {
        if self.service != service {
            self.service = service;
            let writing = &self.peer.writing;
            writing.set(match service {
                true => writing.get() + 1,
                false => writing.get() - 1,
            });
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.answer();
        self.set(false);
        self.content.finish(&self.peer.turns);
        self.peer.done.set(self.peer.done.get() + 1);
    }
}

impl<B> Reply<B> {
    pub(super) fn new(body: Option<B>, turn: Turn) -> Self {
        Self { body, turn }
    }
}

impl<B: HttpBody> HttpBody for Reply<B> {
    type Data = Piece<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, B::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            return Poll::Ready(None);
        };
        // What is left takes no memory, but keeps some.
        let is_over = body.size_hint().exact() == Some(0);
        let has_room = is_over || this.turn.poll_room(context).is_ready();
        let may_keep = |kept: &Rc<Kept>| kept.poll_room(context).is_ready();
        if !has_room || !this.turn.kept.as_ref().is_none_or(may_keep) {
            // It is not the service that is waited for: who waits here may have to make room.
            this.turn.pass();
            return Poll::Pending;
        }
        let frame = body.poll_frame(context);
        if frame.is_pending() {
            this.turn.set(true);
            this.turn.peer.note_pass();
        } else {
            this.turn.pass();
        }
        let kept = &this.turn.kept;
        frame.map_ok(|frame| {
            frame.map_data(|data| {
                let kept = kept.clone();
                if let Some(kept) = &kept {
                    kept.keep();
                }
                Piece { data, kept }
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(none, B::size_hint)
    }
}

/// Octets of an answer: as long as they are kept to be sent, it counts.
#[derive(Debug)]
pub struct Piece<D> {
    data: D,
    kept: Option<Rc<Kept>>,
}

impl<D> Drop for Piece<D> {
    fn drop(&mut self) {
        if let Some(kept) = &self.kept {
            kept.release();
        }
    }
}

impl<D: Buf> Buf for Piece<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, parts: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(parts)
    }

    fn advance(&mut self, octets: usize) {
        self.data.advance(octets);
    }

    fn copy_to_bytes(&mut self, octets: usize) -> Bytes {
        self.data.copy_to_bytes(octets)
    }
}
