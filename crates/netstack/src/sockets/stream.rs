//! TCP connections.

#[cfg(feature = "dns")]
mod by_name;
mod call;
mod connection;
mod copy;
#[cfg(feature = "hyper")]
mod hyper_traits;
mod io_traits;
mod readiness;
mod settings;
mod split;

pub use copy::copy_bidirectional;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};

use bytes::Bytes;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::driver::DriverRef;
use crate::proto::tcp::{ConnectionId, Options, Status, Tcp};
use crate::sockets::stack::Stack;
use call::{Call, Direction};
use connection::Connection;
use readiness::connected;

/// A TCP connection.
///
/// What is written leaves when the tasks that are ready have had their turn; what was received can
/// be read into a buffer, or taken as [`Bytes`] without a copy.
///
/// Dropping it closes the connection: what was written is still delivered in the background, as
/// [`TcpStream::set_linger`] says. Reading and writing may be done by two tasks: see
/// [`TcpStream::split`] and [`TcpStream::into_split`]. Of several that wait for the same, each is
/// served in its turn.
///
/// Dropping a future that waits loses nothing that was received. A `write_all` or `write_chunk` that
/// is dropped may have queued a part of its data, which is sent.
///
/// It has the traits `AsyncRead` and `AsyncWrite` of `futures-io`, so that the combinators of
/// `futures-lite` and `futures-util` (`read_until`, `lines`, `copy`, …) work on it. With the feature
/// `hyper` it also has `Read` and `Write` of `hyper::rt`, so that HTTP can be spoken over it.
#[derive(Debug)]
pub struct TcpStream {
    connection: Rc<Connection>,
}

impl TcpStream {
    pub(crate) fn new(driver: DriverRef, id: ConnectionId) -> Self {
        Self {
            connection: Rc::new(Connection::new(driver, id)),
        }
    }

    /// Connects to `peer`. By a name, or to one of several addresses: [`TcpStream::connect_host`] and
    /// [`TcpStream::connect_any`].
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `NetworkUnreachable`, `HostUnreachable`, `InvalidInput` for
    /// an address that cannot be connected to, `OutOfMemory` when the stack's limits are reached.
    pub async fn connect(stack: &Stack, peer: impl Into<SocketAddr>) -> io::Result<Self> {
        let local = (Ipv6Addr::UNSPECIFIED, 0);
        Self::connect_with(stack, local, peer, &Options::default()).await
    }

    /// As [`TcpStream::connect`], from a given address and port (:: and 0 leave them open, 0.0.0.0 the
    /// address of IPv4) with given settings.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect`], and `AddrInUse`.
    pub async fn connect_with(
        stack: &Stack,
        local: impl Into<SocketAddr>,
        peer: impl Into<SocketAddr>,
        options: &Options,
    ) -> io::Result<Self> {
        let stream = Self::begin_connect(stack, local, peer, options)?;
        Call::write(&stream.connection, |tcp, _, id| connected(tcp, id)).await?;
        Ok(stream)
    }

    /// Our end of the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.connection.status()?.local)
    }

    /// The peer's end of the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.connection.status()?.remote)
    }

    /// The state of the connection: RFC 9293's STATUS call.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn status(&self) -> io::Result<Status> {
        self.connection.status()
    }

    /// Reads what is there into `buffer`; 0 octets at the end of the stream.
    ///
    /// # Errors
    ///
    /// `ConnectionReset`, `TimedOut`, or what else ended the connection.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.read(buffer).await
    }

    /// Reads until `buffer` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream ends before, and as [`TcpStream::read`]; what was read by then is in
    /// `buffer`.
    pub async fn read_exact(&self, buffer: &mut [u8]) -> io::Result<()> {
        self.connection.read_exact(buffer).await
    }

    /// Takes the next piece of at most `max` octets of the stream as it lies in the frame that
    /// brought it, without a copy; `None` at the end of the stream.
    ///
    /// It keeps at most twice its length of memory from being freed, or the smallest buffer of a frame
    /// (2 KiB): what is a smaller part of its frame is a copy.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub async fn read_chunk(&self, max: usize) -> io::Result<Option<Bytes>> {
        self.connection.read_chunk(max).await
    }

    /// As [`TcpStream::read_chunk`], for implementations of futures: the task is woken when there is more to
    /// read. Which tasks are kept is as with [`TcpListener::poll_accept`](crate::TcpListener::poll_accept).
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub fn poll_read_chunk(
        &self,
        context: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<Option<Bytes>>> {
        let read = |tcp: &mut Tcp, now, id| tcp.receive_bytes(now, id, max);
        let chunk = self.connection.poll_call(context, Direction::Read, read);
        chunk.map_ok(|chunk| (max == 0 || !chunk.is_empty()).then_some(chunk))
    }

    /// Copies into `buffer` what [`TcpStream::read`] would, and leaves it in the stream.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.peek(buffer).await
    }

    /// Writes as much of `data` as the send buffer has room for, and returns how much.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` after [`TcpStream::shutdown`], `ConnectionReset`, `TimedOut`, or what else
    /// ended the connection.
    pub async fn write(&self, data: &[u8]) -> io::Result<usize> {
        self.connection.write(data).await
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::write`].
    pub async fn write_all(&self, data: &[u8]) -> io::Result<()> {
        self.connection.write_all(data).await
    }

    /// Writes all of `chunk` by keeping it, not a copy, until it is acknowledged. It is charged as a chunk
    /// of [`TcpStream::read_chunk`] is that keeps as much as it may: up to 66 KiB at twice its length. What
    /// a shorter slice of something large keeps from being freed is not known.
    ///
    /// An owner of its octets ([`Bytes::from_owner`]) is dropped while the stack is at work, and must not
    /// call it.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::write`].
    pub async fn write_chunk(&self, chunk: Bytes) -> io::Result<()> {
        self.connection.write_chunk(chunk).await
    }

    /// Waits until the peer has acknowledged all that was written, and the end of the stream if
    /// [`TcpStream::shutdown`] was called.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::write`].
    pub async fn flushed(&self) -> io::Result<()> {
        self.connection.flushed().await
    }

    /// Ends the stream that we write; reading goes on (RFC 9293 §3.6, half-close).
    ///
    /// # Errors
    ///
    /// `NotConnected`, or what ended the connection.
    pub fn shutdown(&self) -> io::Result<()> {
        self.connection.shutdown()
    }

    /// Resets the connection at once.
    pub fn abort(self) {
        let _ = self.connection.call(|tcp, now, id| {
            tcp.abort(now, id);
            Ok(())
        });
    }

    /// Two borrowed halves, one to read and one to write.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::borrowed(self)
    }

    /// Two owned halves, for two tasks. When the writing half is dropped the stream that we write
    /// ends; when both are, the connection is closed.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::owned(self)
    }
}
