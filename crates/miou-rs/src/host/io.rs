//! Non-blocking I/O.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::ptr;
use std::rc::Rc;

use futures_lite::io::{AsyncRead, AsyncWrite};

use super::poller::{Direction, Inner};

/// A descriptor in non-blocking mode whose readiness the scheduler watches.
///
/// `T` is expected to keep the same descriptor open until it is dropped; else
/// those who wait may not be woken.
///
/// For `T` that can be read or written by shared reference, such as
/// [`TcpStream`], `Async<T>` and `&Async<T>` are `AsyncRead` and `AsyncWrite` of
/// the `futures` family of crates.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use miou_rs::host::Async;
///
/// miou_rs::run(async {
///     let (one, other) = UnixStream::pair()?;
///     let (one, other) = (Async::new(one)?, Async::new(other)?);
///     let reader = miou_rs::spawn(async move {
///         let mut buffer = [0; 16];
///         let length = other.read_with(|mut other| other.read(&mut buffer)).await?;
///         std::io::Result::Ok(buffer[..length].to_vec())
///     });
///     one.write_with(|mut one| one.write(b"Hello")).await?;
///     assert_eq!(reader.await.unwrap()?, b"Hello");
///     std::io::Result::Ok(())
/// })
/// .unwrap();
/// ```
pub struct Async<T: AsFd> {
    inner: T,
    source: Rc<Inner>,
    key: usize,
}

impl<T: AsFd> Async<T> {
    /// Puts `inner` into non-blocking mode and watches it.
    ///
    /// # Errors
    ///
    /// When no scheduler with the [`Host`](super::Host) event source is on this
    /// thread, and when the kernel refuses; regular files cannot be watched.
    pub fn new(inner: T) -> io::Result<Self> {
        let source = Inner::current().ok_or_else(|| {
            io::Error::other("no `miou_rs::host::Host` is on this thread to watch the descriptor")
        })?;
        rustix::io::ioctl_fionbio(&inner, true)?;
        let key = source.add(inner.as_fd())?;
        Ok(Self { inner, source, key })
    }

    /// What was given to [`Async::new`].
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// What was given to [`Async::new`], no longer watched, and still in
    /// non-blocking mode.
    pub fn into_inner(self) -> T {
        self.source.remove(self.key, self.inner.as_fd());
        let this = ManuallyDrop::new(self);
        // SAFETY: both fields with a destructor are moved out once, as `this`
        // is not dropped.
        unsafe {
            drop(ptr::read(&raw const this.source));
            ptr::read(&raw const this.inner)
        }
    }

    /// Calls `operation`, which reads, until it does not say that it would
    /// block; waits between the calls.
    ///
    /// # Errors
    ///
    /// Those of `operation`.
    pub async fn read_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.wait_with(Direction::Read, operation).await
    }

    /// Calls `operation`, which writes, until it does not say that it would
    /// block; waits between the calls.
    ///
    /// # Errors
    ///
    /// Those of `operation`.
    pub async fn write_with<R>(&self, operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.wait_with(Direction::Write, operation).await
    }

    async fn wait_with<R>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let place = Place {
            source: &self.source,
            key: self.key,
            direction,
            ticket: self.source.ticket(),
        };
        let ticket = Some(place.ticket);
        poll_fn(|context| self.poll_with(direction, ticket, context, &mut operation)).await
    }

    fn poll_with<R>(
        &self,
        direction: Direction,
        ticket: Option<u64>,
        context: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            match operation(&self.inner) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                result => return Poll::Ready(result),
            }
        }
        self.source
            .register(self.key, direction, ticket, context.waker());
        Poll::Pending
    }
}

/// A future among those that wait for a descriptor; it leaves nothing behind.
struct Place<'a> {
    source: &'a Inner,
    key: usize,
    direction: Direction,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.source.leave(self.key, self.direction, self.ticket);
    }
}

impl<T: AsFd> Drop for Async<T> {
    fn drop(&mut self) {
        self.source.remove(self.key, self.inner.as_fd());
    }
}

impl<T: AsFd + core::fmt::Debug> core::fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Async").field(&self.inner).finish()
    }
}

impl Async<TcpListener> {
    /// A listener on `address`.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`] and [`Async::new`].
    pub fn bind(address: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::new(TcpListener::bind(address.into())?)
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::accept`] and [`Async::new`].
    pub async fn accept(&self) -> io::Result<(Async<TcpStream>, SocketAddr)> {
        let (stream, peer) = self.read_with(TcpListener::accept).await?;
        Ok((Async::new(stream)?, peer))
    }
}

/// Connects to `address` over TCP.
///
/// # Errors
///
/// Those of `connect(2)` and [`Async::new`].
pub async fn connect(address: impl Into<SocketAddr>) -> io::Result<Async<TcpStream>> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};

    let address = address.into();
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    let stream = Async::new(TcpStream::from(socket))?;
    match rustix::net::connect(&stream.inner, &address) {
        Ok(()) => return Ok(stream),
        Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    // connect(2): writable when it has succeeded or failed, and then SO_ERROR
    // says which.
    stream
        .write_with(|stream| {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            stream.peer_addr().map(drop).map_err(|error| {
                if error.kind() == io::ErrorKind::NotConnected {
                    io::ErrorKind::WouldBlock.into()
                } else {
                    error
                }
            })
        })
        .await?;
    Ok(stream)
}

impl<T: AsFd> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Read, None, context, |mut inner| {
            inner.read(buffer)
        })
    }
}

impl<T: AsFd> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Write, None, context, |mut inner| {
            inner.write(buffer)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Direction::Write, None, context, |mut inner| inner.flush())
    }

    /// Flushes. To tell the peer, call `shutdown` of what is inside.
    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl<T: AsFd> AsyncRead for Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(context, buffer)
    }
}

impl<T: AsFd> AsyncWrite for Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(context)
    }
}
