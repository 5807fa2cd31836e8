//! Streams that are tied together, as a proxy does.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::TcpStream;

/// Writes to each of two streams what the other receives, until both have ended: an end is passed on,
/// while the other direction goes on. Returns the octets that went from `a` to `b`, and from `b` to `a`.
///
/// The octets are handed over as they lie in the frames that brought them.
///
/// # Errors
///
/// The first error of either stream. What was on its way in the other direction is lost then if the
/// caller drops the streams.
pub async fn copy_bidirectional(a: &TcpStream, b: &TcpStream) -> io::Result<(u64, u64)> {
    let (mut there, mut back) = (pin!(copy(a, b)), pin!(copy(b, a)));
    let mut copied = (None, None);
    poll_fn(|context| {
        if copied.0.is_none()
            && let Poll::Ready(result) = there.as_mut().poll(context)
        {
            copied.0 = Some(result?);
        }
        if copied.1.is_none()
            && let Poll::Ready(result) = back.as_mut().poll(context)
        {
            copied.1 = Some(result?);
        }
        match copied {
            (Some(there), Some(back)) => Poll::Ready(Ok((there, back))),
            _ => Poll::Pending,
        }
    })
    .await
}

async fn copy(from: &TcpStream, to: &TcpStream) -> io::Result<u64> {
    let mut copied = 0;
    while let Some(chunk) = from.read_chunk(usize::MAX).await? {
        copied += chunk.len() as u64;
        to.write_chunk(chunk).await?;
    }
    to.shutdown()?;
    Ok(copied)
}
