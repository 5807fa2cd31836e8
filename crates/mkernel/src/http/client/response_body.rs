//! The content of answers.

use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use miou_rs::{Sleep, sleep};

use super::Inner;
use super::connect::Origin;
use super::error::{ClientError, Step};
use super::link::Link;

/// The content of an answer, as it comes. When all of it was read, the connection is kept for the next request; when
/// this is dropped before, a connection of HTTP/1.1 is closed, and of one of HTTP/2 the stream is reset.
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
            let mut host = String::new();
            if let Some((link, origin)) = this.link.take() {
                host = origin.authority();
                link.give_up();
            }
            return Poll::Ready(Some(Err(ClientError::TimedOut(host, Step::Content))));
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
