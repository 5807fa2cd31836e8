//! What is sent of a file, of which no more than a piece is in memory.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use mkernel::fs::File;

/// Most octets that are read between two turns of the other tasks.
const PIECE: u64 = 64 << 10;

/// Octets of a file, or a text.
pub(crate) enum Content {
    Text(Option<Bytes>),
    File(Part),
}

pub(crate) struct Part {
    file: File,
    left: u64,
    /// Whether others have had their turn since the last piece.
    has_yielded: bool,
}

impl Content {
    pub(crate) fn text(text: String) -> Self {
        Self::Text((!text.is_empty()).then(|| text.into()))
    }

    /// Those octets of a file.
    pub(crate) fn file(mut file: File, octets: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(octets.start))?;
        Ok(Self::File(Part {
            file,
            left: octets.end - octets.start,
            has_yielded: true,
        }))
    }
}

impl Part {
    fn read(&mut self) -> io::Result<Bytes> {
        let mut piece = vec![0; self.left.min(PIECE) as usize];
        let read = self.file.read(&mut piece)?;
        if read == 0 {
            let error = format!("a file ends {} octets early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
        }
        piece.truncate(read);
        self.left -= read as u64;
        Ok(piece.into())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::File(part) if part.left == 0 => Poll::Ready(None),
            Self::File(part) if !part.has_yielded => {
                part.has_yielded = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::File(part) => {
                part.has_yielded = false;
                let piece = part.read().map(Frame::data);
                if let Err(error) = &piece {
                    mkernel::log::error!("{error}");
                }
                Poll::Ready(Some(piece))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::File(part) => part.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Text(text) => text.as_ref().map_or(0, Bytes::len) as u64,
            Self::File(part) => part.left,
        })
    }
}
