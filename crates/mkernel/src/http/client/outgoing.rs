//! The content of requests, of whatever type.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

type BoxError = Box<dyn Error + Send + Sync>;

/// The content of a request that is sent.
pub struct Outgoing(Option<Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>>);

impl Outgoing {
    pub(super) fn new<B>(body: Option<B>) -> Self
    where
        B: Body<Error: Into<BoxError>> + 'static,
    {
        let body = body.filter(|body| !body.is_end_stream());
        Self(body.map(|body| Box::pin(AsBytes { body }) as _))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Some(body) => body.as_mut().poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.0.as_ref().map_or_else(none, |body| body.size_hint())
    }
}

pin_project! {
    struct AsBytes<B> {
        #[pin]
        body: B,
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for AsBytes<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = self.project().body.poll_frame(context);
        frame.map(|frame| {
            let as_bytes = |mut data: B::Data| data.copy_to_bytes(data.remaining());
            Some(
                frame?
                    .map(|frame| frame.map_data(as_bytes))
                    .map_err(Into::into),
            )
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
