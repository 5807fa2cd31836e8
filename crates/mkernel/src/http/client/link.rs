//! Connections in use, and those that are kept.

use std::fmt;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use miou_rs::{Instant, Promise, Sleep, sleep};

use super::Inner;
use super::connect::Origin;
use super::error::ClientError;
use super::outgoing::Outgoing;

/// A connection to a server.
pub(super) struct Link {
    pub(super) sender: SendRequest<Outgoing>,
    /// When it was last used.
    pub(super) since: Instant,
    /// Which ends with it.
    pub(super) _task: Promise<()>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// A connection to `origin` that was kept and can be used.
    pub(super) async fn take_kept(&self, origin: &Origin) -> Option<Link> {
        // Bounded by those that are kept.
        loop {
            let mut link = self.kept.borrow_mut().get_mut(origin)?.pop()?;
            let age = Instant::now() - link.since;
            // Until it has taken note of the end of the last answer it is not ready.
            if age < self.options.kept_time && link.sender.ready().await.is_ok() {
                return Some(link);
            }
        }
    }

    fn keep(&self, origin: Origin, mut link: Link) {
        let now = Instant::now();
        let mut kept = self.kept.borrow_mut();
        let time = self.options.kept_time;
        for links in kept.values_mut() {
            links.retain(|link| now - link.since < time && !link.sender.is_closed());
        }
        kept.retain(|_, links| !links.is_empty());
        link.since = now;
        let links = kept.entry(origin).or_default();
        if links.len() < self.options.kept && !link.sender.is_closed() {
            links.push(link);
        }
    }
}

/// The content of an answer, as it comes. When all of it was read, the connection is kept for the next request; when
/// this is dropped before, the connection is closed.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    link: Option<(Link, Origin)>,
    client: Weak<Inner>,
    idle: Duration,
    alarm: Option<Sleep>,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        link: Link,
        client: Weak<Inner>,
        origin: Origin,
        idle: Duration,
    ) -> Self {
        let mut body = Self {
            incoming,
            link: Some((link, origin)),
            client,
            idle,
            alarm: None,
        };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    /// The next piece of the content; `None` when all was read. Trailers are passed over.
    pub async fn next(&mut self) -> Option<Result<Bytes, ClientError>> {
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut *self).poll_frame(context));
            match frame.await?.map(Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// All that is left of the content, if that is no more than `most` octets.
    ///
    /// # Errors
    ///
    /// What reading failed with; `None` in place of the octets if there are more.
    pub async fn read_all(mut self, most: usize) -> Result<Option<Vec<u8>>, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if piece.len() > most - all.len() {
                return Ok(None);
            }
            all.extend_from_slice(&piece);
        }
        Ok(Some(all))
    }

    /// Gives the connection back.
    fn finish(&mut self) {
        if let (Some((link, origin)), Some(client)) = (self.link.take(), self.client.upgrade()) {
            client.keep(origin, link);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(context) else {
            let idle = this.idle;
            let alarm = this.alarm.get_or_insert_with(|| sleep(idle));
            ready!(Pin::new(alarm).poll(context));
            this.link = None;
            return Poll::Ready(Some(Err(ClientError::TimedOut("the rest of the answer"))));
        };
        this.alarm = None;
        match frame {
            Some(Ok(frame)) => {
                if this.incoming.is_end_stream() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.link = None;
                Poll::Ready(Some(Err(ClientError::Http(error))))
            }
            None => {
                this.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
