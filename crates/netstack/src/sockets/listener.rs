//! Listening for TCP connections.

use futures_core::Stream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::driver::waiting::{Place, Waiting};
use crate::driver::{Driver, DriverRef, Queue};
use crate::proto::tcp::{ConnectionId, ListenerId, Options};
use crate::sockets::address::scoped;
use crate::sockets::stack::Stack;
use crate::sockets::stream::TcpStream;

/// Connections that may wait to be accepted, unless said otherwise.
const BACKLOG: usize = 1024;

/// A TCP socket that accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    driver: DriverRef,
    id: ListenerId,
    local: SocketAddr,
}

impl TcpListener {
    /// Listens on `address`; 0.0.0.0 stands for all addresses of the stack, port 0 for a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if somebody listens there already, `AddrNotAvailable` if the address is not ours,
    /// `InvalidInput` for a scope that is not the stack's.
    pub fn bind(stack: &Stack, address: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::bind_with(stack, address, BACKLOG, &Options::default())
    }

    /// As [`TcpListener::bind`], with a bound for the connections that are half-open and for those
    /// that wait to be accepted, and with the settings that every accepted connection gets.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::bind`].
    pub fn bind_with(
        stack: &Stack,
        address: impl Into<SocketAddr>,
        backlog: usize,
        options: &Options,
    ) -> io::Result<Self> {
        let address = scoped(address)?;
        let (id, local) = stack.driver.with(|driver| {
            let id = driver.proto.listen(address, backlog, options.clone())?;
            driver.open_listener(id);
            driver.tcp().listener_address(id).map(|local| (id, local))
        })?;
        Ok(Self {
            driver: stack.driver.clone(),
            id,
            local,
        })
    }

    /// The address and port listened on.
    ///
    /// # Errors
    ///
    /// None; a `Result` as in the standard library.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// Waits for a connection; returns it with the address of its peer.
    ///
    /// # Errors
    ///
    /// Only when the stack has ended.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |driver: &mut Driver| self.take(driver);
        let accepted = Waiting::new(&self.driver, Queue::Accept(self.id), accept).await?;
        self.stream(accepted)
    }

    /// As [`TcpListener::accept`], for implementations of futures: the task is woken by the next
    /// connection. The last 16 tasks that found none are kept. When there are more the others are
    /// woken, and kept too if they ask again.
    ///
    /// # Errors
    ///
    /// Only when the stack has ended.
    pub fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.driver.with(|driver| {
            let accepted = self.take(driver);
            if accepted.is_pending() {
                driver.wait_task(Queue::Accept(self.id), context.waker());
            }
            accepted
        });
        accepted.map(|accepted| self.stream(accepted?))
    }

    /// Ready when [`TcpListener::accept`] would not wait. Whether it is or not, the task is woken at the next
    /// event.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`].
    pub fn poll_acceptable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.driver.with(|driver| {
            driver.check()?;
            driver.wait_task(Queue::Accept(self.id), context.waker());
            match driver.tcp().is_acceptable(self.id)? {
                true => Poll::Ready(Ok(())),
                false => Poll::Pending,
            }
        })
    }

    /// The connections of [`TcpListener::accept`] as a [`Stream`]; who the peer is
    /// [`TcpStream::peer_addr`] tells.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming {
            listener: self,
            place: Place::new(&self.driver, Queue::Accept(self.id)),
            ended: false,
        }
    }

    fn take(&self, driver: &mut Driver) -> Poll<io::Result<ConnectionId>> {
        driver.check()?;
        match driver.tcp().accept(self.id)? {
            Some(id) => Poll::Ready(Ok(id)),
            None => Poll::Pending,
        }
    }

    fn stream(&self, id: ConnectionId) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = TcpStream::new(self.driver.clone(), id);
        let peer = stream.peer_addr()?;
        Ok((stream, peer))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.close_listener(self.id);
            driver.tcp().close_listener(now, self.id);
            driver.after_call();
        });
    }
}

/// The connections of a [`TcpListener`]; it ends after an error, which only the end of the stack is.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    place: Place<'a>,
    ended: bool,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let listener = this.listener;
        let accepted = this.place.poll(context, |driver| listener.take(driver));
        accepted.map(|accepted| {
            this.ended = accepted.is_err();
            Some(accepted.map(|id| TcpStream::new(listener.driver.clone(), id)))
        })
    }
}
