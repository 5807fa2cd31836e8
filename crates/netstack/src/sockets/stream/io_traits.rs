//! The traits of `futures-io`.

use futures_io::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::call::Direction;
use super::connection::Connection;
use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, TcpStream, WriteHalf};
use crate::proto::tcp::Tcp;

/// Both traits are implemented by calls that need no more than a shared reference.
macro_rules! async_read {
    ($($type:ty),*) => {$(
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let read = |tcp: &mut Tcp, now, id| tcp.receive(now, id, buffer);
                self.connection.poll_call(context, Direction::Read, read)
            }
        }
    )*};
}

macro_rules! async_write {
    ($($type:ty),*) => {$(
        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                let write = |tcp: &mut Tcp, _, id| tcp.send(id, data);
                self.connection.poll_call(context, Direction::Write, write)
            }

            /// What was written is on its way: there is nothing to flush.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(close(&self.connection))
            }
        }
    )*};
}

async_read!(TcpStream, &TcpStream, ReadHalf<'_>, OwnedReadHalf);
async_write!(TcpStream, &TcpStream, WriteHalf<'_>, OwnedWriteHalf);

/// Closing what is closed already is no error.
pub(super) fn close(connection: &Connection) -> io::Result<()> {
    match connection.shutdown() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}
