//! TCP connections.

mod call;
mod io_traits;
mod split;

pub use split::{ReadHalf, WriteHalf};

use bytes::Bytes;
use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU64;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::driver::{DriverRef, Limit};
use crate::proto::Instant;
use crate::proto::tcp::{ConnectionId, Error, KeepAlive, Linger, Options, State, Status, Tcp};
use crate::sockets::address::v4;
use crate::sockets::stack::Stack;
use call::Call;

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
pub struct TcpStream {
    connection: Rc<Connection>,
}

/// What the halves of a stream share.
pub(crate) struct Connection {
    driver: DriverRef,
    id: ConnectionId,
    read: Side,
    write: Side,
}

// With the counts of an `Rc` and an allocator's header it fills whole units of 32.
const _: () = assert!(size_of::<Connection>() <= 64);

/// Time-outs of one direction.
#[derive(Default)]
struct Side {
    timeout: TimeOut,
    /// The end of a wait by the traits of `futures-io`.
    task_limit: Cell<Limit>,
}

/// A time-out that may change, in nanoseconds; half the size of a [`Duration`].
#[derive(Default)]
struct TimeOut(Cell<Option<NonZeroU64>>);

impl TimeOut {
    #[inline]
    fn get(&self) -> Option<Duration> {
        self.0.get().map(|it| Duration::from_nanos(it.get()))
    }

    /// At least a nanosecond, and 584 years at most.
    fn set(&self, timeout: Option<Duration>) {
        self.0.set(timeout.map(|timeout| {
            let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN)
        }));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.end_limit(self.read.task_limit.get_mut());
            driver.end_limit(self.write.task_limit.get_mut());
            driver.close_connection(self.id);
            driver.tcp().release(now, self.id);
            driver.after_call();
        });
    }
}

impl Connection {
    async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Call::read(self, |tcp, now, id| tcp.receive(now, id, buffer)).await
    }

    async fn read_chunk(&self, max: usize) -> io::Result<Option<Bytes>> {
        let chunk = Call::read(self, |tcp, now, id| tcp.receive_bytes(now, id, max)).await?;
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Call::read(self, |tcp, _, id| tcp.peek(id, buffer)).await
    }

    async fn write(&self, data: &[u8]) -> io::Result<usize> {
        Call::write(self, |tcp, now, id| tcp.send(now, id, data)).await
    }

    async fn write_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let written = self.write(data).await?;
            data = &data[written..];
        }
        Ok(())
    }

    async fn write_chunk(&self, mut chunk: Bytes) -> io::Result<()> {
        while !chunk.is_empty() {
            Call::write(self, |tcp, now, id| tcp.send_bytes(now, id, &mut chunk)).await?;
        }
        Ok(())
    }

    async fn flushed(&self) -> io::Result<()> {
        Call::write(self, |tcp, _, id| tcp.poll_flushed(id)).await
    }

    fn shutdown(&self) -> io::Result<()> {
        self.call(|tcp, now, id| tcp.shutdown(now, id))
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&mut Tcp, Instant, ConnectionId) -> Result<T, Error>,
    ) -> io::Result<T> {
        self.driver.with(|driver| {
            let now = driver.now();
            let result = call(driver.tcp(), now, self.id);
            driver.after_call();
            Ok(result?)
        })
    }
}

impl TcpStream {
    pub(crate) fn new(driver: DriverRef, id: ConnectionId) -> Self {
        driver.with(|driver| driver.open_connection(id));
        let connection = Connection {
            driver,
            id,
            read: Side::default(),
            write: Side::default(),
        };
        Self {
            connection: Rc::new(connection),
        }
    }

    /// Connects to `peer`.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `NetworkUnreachable`, `HostUnreachable`, `InvalidInput` for
    /// an address that cannot be connected to, `OutOfMemory` when the stack's limits are reached.
    pub async fn connect(stack: &Stack, peer: impl Into<SocketAddr>) -> io::Result<Self> {
        let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        Self::connect_with(stack, local, peer, &Options::default()).await
    }

    /// As [`TcpStream::connect`], from a given address and port (0.0.0.0 and 0 leave them open)
    /// with given settings.
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
        let (local, peer) = (v4(local.into())?, v4(peer.into())?);
        let id = stack.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let id = driver.proto.connect(now, local, peer, options);
            driver.after_call();
            io::Result::Ok(id?)
        })?;
        let stream = Self::new(stack.driver.clone(), id);
        Call::write(&stream.connection, |tcp, _, id| {
            let status = tcp.status(id)?;
            match (status.state, status.error) {
                (_, Some(error)) => Poll::Ready(Err(error)),
                (State::SynSent | State::SynReceived, None) => Poll::Pending,
                (_, None) => Poll::Ready(Ok(())),
            }
        })
        .await?;
        Ok(stream)
    }

    /// Our end of the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.status()?.local.into())
    }

    /// The peer's end of the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.status()?.remote.into())
    }

    /// The state of the connection: RFC 9293's STATUS call.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn status(&self) -> io::Result<Status> {
        self.connection
            .driver
            .with(|driver| Ok(driver.tcp().status(self.connection.id)?))
    }

    /// Reads what is there into `buffer`; 0 octets at the end of the stream.
    ///
    /// # Errors
    ///
    /// `ConnectionReset`, `TimedOut`, or what else ended the connection.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.read(buffer).await
    }

    /// Takes the next piece of at most `max` octets of the stream as it lies in the frame that
    /// brought it, without a copy; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub async fn read_chunk(&self, max: usize) -> io::Result<Option<Bytes>> {
        self.connection.read_chunk(max).await
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

    /// Writes all of `chunk` by keeping it, not a copy, until it is acknowledged.
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

    /// Whether small segments leave at once, without waiting for those in flight to be
    /// acknowledged (Nagle's algorithm). Off at first.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.connection
            .call(|tcp, now, id| tcp.set_nodelay(now, id, on))
    }

    /// Probes the peer when nothing was heard of it for a while; `None`, as at first, never.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_keep_alive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        self.connection
            .call(|tcp, now, id| tcp.set_keep_alive(now, id, keep_alive))
    }

    /// How long what was written may go unacknowledged before the connection fails with `TimedOut`.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.connection
            .call(|tcp, now, id| tcp.set_user_timeout(now, id, timeout))
    }

    /// What dropping the stream does with what was not acknowledged yet: `None` has it delivered in
    /// the background, a duration bounds that, and zero resets the connection.
    ///
    /// # Errors
    ///
    /// None while the stream exists.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        let linger = linger.map_or(Linger::Background, Linger::Timeout);
        self.connection
            .call(|tcp, _, id| tcp.set_linger(id, linger))
    }

    /// How long a read may wait before it fails with `TimedOut`; the connection stays.
    ///
    /// The time begins anew with each read; one that is dropped takes its own along. Through the
    /// traits of `futures-io`, which do not show when a read is dropped, it begins anew with each
    /// poll.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.connection.read.timeout.set(timeout);
    }

    /// How long a write may wait before it fails with `TimedOut`, and so [`TcpStream::flushed`]; the
    /// connection stays. The time begins as that of [`TcpStream::set_read_timeout`].
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.connection.write.timeout.set(timeout);
    }

    /// Two borrowed halves, one to read and one to write.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::borrowed(self)
    }

    /// Two owned halves, for two tasks. When the writing half is dropped the stream that we write
    /// ends; when both are, the connection is closed.
    #[must_use]
    pub fn into_split(self) -> (ReadHalf<'static>, WriteHalf<'static>) {
        split::owned(self)
    }
}
