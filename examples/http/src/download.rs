//! Content of any size, of which no more than a piece is in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Octet `n` is `n` modulo this.
const PERIOD: usize = 251;
const PIECE: usize = 64 * PERIOD;

/// For all downloads, as they have it many times.
static OCTETS: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..PIECE).map(|octet| (octet % PERIOD) as u8).collect());

/// So many octets; octet `n`, from 0, is `n` modulo 251.
pub(crate) struct Download {
    piece: Bytes,
    left: u64,
}

impl Download {
    pub(crate) fn new(octets: u64) -> Self {
        Self {
            piece: Bytes::from_static(&OCTETS),
            left: octets,
        }
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let octets = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        self.left -= octets as u64;
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..octets)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
