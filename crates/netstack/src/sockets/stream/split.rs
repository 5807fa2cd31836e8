//! The two halves of a stream.

use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use super::TcpStream;
use super::connection::Connection;

/// The half of a [`TcpStream`] that reads, as [`TcpStream::split`] lends it.
#[derive(Debug)]
pub struct ReadHalf<'a> {
    pub(super) connection: &'a Connection,
}

/// The half of a [`TcpStream`] that writes, as [`TcpStream::split`] lends it.
#[derive(Debug)]
pub struct WriteHalf<'a> {
    pub(super) connection: &'a Connection,
}

/// The half of a [`TcpStream`] that reads, for a task of its own: see [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf {
    pub(super) connection: Rc<Connection>,
}

/// The half of a [`TcpStream`] that writes, for a task of its own: see [`TcpStream::into_split`].
///
/// Dropped, it ends the stream that we write.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    pub(super) connection: Rc<Connection>,
}

pub(super) fn borrowed(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    let connection = &*stream.connection;
    (ReadHalf { connection }, WriteHalf { connection })
}

pub(super) fn owned(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let connection = stream.connection;
    let read = OwnedReadHalf {
        connection: connection.clone(),
    };
    (read, OwnedWriteHalf { connection })
}

macro_rules! addresses {
    () => {
        /// As [`TcpStream::local_addr`].
        ///
        /// # Errors
        ///
        /// As [`TcpStream::local_addr`].
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(self.connection.status()?.local.into())
        }

        /// As [`TcpStream::peer_addr`].
        ///
        /// # Errors
        ///
        /// As [`TcpStream::peer_addr`].
        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            Ok(self.connection.status()?.remote.into())
        }
    };
}

macro_rules! read_half {
    ($($type:ty),*) => {$(
        impl $type {
            addresses!();

            /// As [`TcpStream::read`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::read`].
            pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.connection.read(buffer).await
            }

            /// As [`TcpStream::read_exact`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::read_exact`].
            pub async fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
                self.connection.read_exact(buffer).await
            }

            /// As [`TcpStream::read_chunk`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::read`].
            pub async fn read_chunk(&mut self, max: usize) -> io::Result<Option<Bytes>> {
                self.connection.read_chunk(max).await
            }

            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::read`].
            pub async fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.connection.peek(buffer).await
            }
        }
    )*};
}

macro_rules! write_half {
    ($($type:ty),*) => {$(
        impl $type {
            addresses!();

            /// As [`TcpStream::write`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::write`].
            pub async fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                self.connection.write(data).await
            }

            /// As [`TcpStream::write_all`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::write`].
            pub async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
                self.connection.write_all(data).await
            }

            /// As [`TcpStream::write_chunk`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::write`].
            pub async fn write_chunk(&mut self, chunk: Bytes) -> io::Result<()> {
                self.connection.write_chunk(chunk).await
            }

            /// As [`TcpStream::flushed`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::write`].
            pub async fn flushed(&mut self) -> io::Result<()> {
                self.connection.flushed().await
            }

            /// As [`TcpStream::shutdown`].
            ///
            /// # Errors
            ///
            /// As [`TcpStream::shutdown`].
            pub fn shutdown(&mut self) -> io::Result<()> {
                self.connection.shutdown()
            }
        }
    )*};
}

read_half!(ReadHalf<'_>, OwnedReadHalf);
write_half!(WriteHalf<'_>, OwnedWriteHalf);

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        // A connection that has ended has no stream to end.
        let _ = self.connection.shutdown();
    }
}
