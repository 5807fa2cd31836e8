//! Connections to servers.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use miou_rs::hyper::Executor;
use miou_rs::{Instant, Promise};

use super::outgoing::Outgoing;

/// A connection that is in use for a request.
#[derive(Debug)]
pub(super) enum Link {
    /// It is for this request alone.
    Http1(Http1),
    /// Others may use it too.
    Http2(Rc<Http2>),
}

/// A connection of HTTP/1.1.
pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<Outgoing>,
    /// When it was last used.
    pub(super) since: Instant,
    /// Which ends with it.
    pub(super) _task: Promise<()>,
}

/// A connection of HTTP/2. It is the pool's and that of each request until it is answered.
pub(super) struct Http2 {
    pub(super) sender: http2::SendRequest<Outgoing>,
    /// When a request last began or ended.
    pub(super) since: Cell<Instant>,
    /// Whether nothing more is to be asked here.
    pub(super) given_up: Cell<bool>,
    pub(super) _task: Promise<()>,
    /// The tasks of its requests, which go on after a GOAWAY.
    pub(super) _executor: Executor,
}

impl Link {
    /// Sends a request. Beyond those that the server takes at a time it waits.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        match self {
            Self::Http1(link) => link.sender.try_send_request(request).await,
            Self::Http2(link) => link.sender.clone().try_send_request(request).await,
        }
    }

    /// Has nothing more asked here: the connection ends, or something did not come in time.
    pub(super) fn give_up(self) {
        if let Self::Http2(link) = self {
            link.given_up.set(true);
        }
    }
}

impl Http2 {
    /// Whether a request may be sent, by who keeps a connection that is not in use for `time`. Called for that of the pool.
    pub(super) fn is_good(self: &Rc<Self>, now: Instant, time: Duration) -> bool {
        let in_use = Rc::strong_count(self) > 1;
        let fresh = in_use || now - self.since.get() < time;
        fresh && !self.given_up.get() && !self.sender.is_closed()
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2")
            .field("since", &self.since)
            .field("given_up", &self.given_up)
            .finish_non_exhaustive()
    }
}
