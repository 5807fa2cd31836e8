//! The traits of `hyper`.

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::TcpStream;
use super::call::Direction;
use super::io_traits::close;
use crate::proto::Instant;
use crate::proto::tcp::{ConnectionId, Error, Tcp};

/// Copies what was received straight into the reader's buffer, as much as there is and fits.
fn read(
    tcp: &mut Tcp,
    now: Instant,
    id: ConnectionId,
    cursor: &mut ReadBufCursor<'_>,
) -> Poll<Result<(), Error>> {
    let room = cursor.remaining();
    while cursor.remaining() > 0 {
        match tcp.receive_slice(now, id, cursor.remaining()) {
            Poll::Ready(Ok(slice)) if !slice.is_empty() => cursor.put_slice(&slice),
            // An end or an error comes again at the next call; first what came before it is read.
            _ if cursor.remaining() < room => break,
            other => return other.map_ok(|_: Bytes| ()),
        }
    }
    Poll::Ready(Ok(()))
}

/// Queues as much of `parts` as there is room for.
fn write(tcp: &mut Tcp, id: ConnectionId, parts: &[IoSlice<'_>]) -> Poll<Result<usize, Error>> {
    let mut written = 0;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        match tcp.send(id, part) {
            Poll::Ready(Ok(octets)) => {
                written += octets;
                if octets < part.len() {
                    break;
                }
            }
            // It comes again at the next call.
            _ if written > 0 => break,
            other => return other,
        }
    }
    Poll::Ready(Ok(written))
}

macro_rules! hyper_traits {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                mut cursor: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let read = |tcp: &mut Tcp, now, id| read(tcp, now, id, &mut cursor);
                self.connection.poll_call(context, Direction::Read, read)
            }
        }

        impl Write for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                let write = |tcp: &mut Tcp, _, id| tcp.send(id, data);
                self.connection.poll_call(context, Direction::Write, write)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                parts: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let write = |tcp: &mut Tcp, _, id| write(tcp, id, parts);
                self.connection.poll_call(context, Direction::Write, write)
            }

            /// What was written is on its way: there is nothing to flush.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(close(&self.connection))
            }
        }
    )*};
}

hyper_traits!(TcpStream, &TcpStream);
