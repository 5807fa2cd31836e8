//! Calls that do not wait, for layers that keep who waits themselves, such as descriptors.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::TcpStream;
use super::call::Direction;
use super::connection::Connection;
use crate::proto::tcp::{ConnectionId, Error, Options, State, Tcp};
use crate::sockets::address::scoped;
use crate::sockets::stack::Stack;

impl TcpStream {
    /// As [`TcpStream::connect_with`], but returns while the connection is being made;
    /// [`TcpStream::poll_connected`] tells when it is there.
    ///
    /// # Errors
    ///
    /// Those of [`TcpStream::connect_with`] that are known at once.
    pub fn begin_connect(
        stack: &Stack,
        local: impl Into<SocketAddr>,
        peer: impl Into<SocketAddr>,
        options: &Options,
    ) -> io::Result<Self> {
        let (local, peer) = (scoped(local)?, scoped(peer)?);
        let id = stack.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let id = driver.proto.connect(now, local, peer, options);
            driver.after_call();
            io::Result::Ok(id?)
        })?;
        Ok(Self::new(stack.driver.clone(), id))
    }

    /// Ready when the connection is established, or with what has ended it.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::connect`].
    pub fn poll_connected(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection
            .poll_ready(context, Direction::Write, connected)
    }

    /// Ready when [`TcpStream::read`] would not wait. Whether it is or not, the task is woken at the next
    /// event: which tasks are kept is as with [`TcpListener::poll_accept`](crate::TcpListener::poll_accept).
    ///
    /// # Errors
    ///
    /// What ended the connection.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let readable = |tcp: &mut Tcp, id| tcp.peek(id, &mut []).map_ok(|_| ());
        self.connection
            .poll_ready(context, Direction::Read, readable)
    }

    /// Ready when [`TcpStream::write`] would not wait. Only if it would, the task is woken at the next event: not for
    /// each acknowledgement of a peer that keeps up.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::write`].
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection
            .poll_ready(context, Direction::Write, Tcp::poll_writable)
    }

    /// As [`TcpStream::peek`], for implementations of futures.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::read`].
    pub fn poll_peek(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let peek = |tcp: &mut Tcp, id| tcp.peek(id, buffer);
        self.connection.poll_ready(context, Direction::Read, peek)
    }
}

impl Connection {
    /// Asks without changing anything, and has the task woken at the next event: of what can be read in any case, as
    /// more of it is one, and of what can be written if that is not ready.
    fn poll_ready<T>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        ask: impl FnOnce(&mut Tcp, ConnectionId) -> Poll<Result<T, Error>>,
    ) -> Poll<io::Result<T>> {
        self.driver.with(|driver| {
            driver.check()?;
            let answer = ask(driver.tcp(), self.id);
            if answer.is_pending() || matches!(direction, Direction::Read) {
                driver.wait_task(direction.queue(self), context.waker());
            }
            answer.map_err(io::Error::from)
        })
    }
}

/// Whether the handshake is over.
pub(super) fn connected(tcp: &mut Tcp, id: ConnectionId) -> Poll<Result<(), Error>> {
    let status = tcp.status(id)?;
    match (status.state, status.error) {
        (_, Some(error)) => Poll::Ready(Err(error)),
        (State::SynSent | State::SynReceived, None) => Poll::Pending,
        (_, None) => Poll::Ready(Ok(())),
    }
}
