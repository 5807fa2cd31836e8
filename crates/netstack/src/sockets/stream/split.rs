//! The two halves of a stream.

use bytes::Bytes;
use std::io;
use std::marker::PhantomData;
use std::rc::Rc;

use super::{Connection, TcpStream};

/// The half of a [`TcpStream`] that reads.
pub struct ReadHalf<'a> {
    pub(super) connection: Rc<Connection>,
    borrowed: PhantomData<&'a mut TcpStream>,
}

/// The half of a [`TcpStream`] that writes.
///
/// An owned half ends the stream when it is dropped; a borrowed one does not.
pub struct WriteHalf<'a> {
    pub(super) connection: Rc<Connection>,
    owned: bool,
    borrowed: PhantomData<&'a mut TcpStream>,
}

pub(super) fn borrowed(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    halves(&stream.connection, false)
}

pub(super) fn owned(stream: TcpStream) -> (ReadHalf<'static>, WriteHalf<'static>) {
    halves(&stream.connection, true)
}

fn halves<'a>(connection: &Rc<Connection>, owned: bool) -> (ReadHalf<'a>, WriteHalf<'a>) {
    let read = ReadHalf {
        connection: connection.clone(),
        borrowed: PhantomData,
    };
    let write = WriteHalf {
        connection: connection.clone(),
        owned,
        borrowed: PhantomData,
    };
    (read, write)
}

impl ReadHalf<'_> {
    /// As [`TcpStream::read`].
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.read(buffer).await
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

impl WriteHalf<'_> {
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

impl Drop for WriteHalf<'_> {
    fn drop(&mut self) {
        if self.owned {
            // A connection that has ended has no stream to end.
            let _ = self.connection.shutdown();
        }
    }
}
