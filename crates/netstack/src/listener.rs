//! Listening for TCP connections.

use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::task::{Context, Poll};

use crate::proto::tcp::{ConnectionId, ListenerId, Options};
use crate::shared::{Inner, Queue, Shared};
use crate::stack::{Stack, invalid};
use crate::stream::TcpStream;
use crate::waiting::Waiting;

/// Connections that may wait to be accepted, unless said otherwise.
const BACKLOG: usize = 1024;

/// A TCP socket that accepts connections.
pub struct TcpListener {
    shared: Shared,
    id: ListenerId,
    local: SocketAddrV4,
}

impl TcpListener {
    /// Listens on `address`; 0.0.0.0 stands for all addresses of the stack, port 0 for a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if somebody listens there already, `AddrNotAvailable` if the address is not ours,
    /// `InvalidInput` for an IPv6 address.
    pub fn bind(stack: &Stack, address: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::bind_with(stack, address, BACKLOG, Options::default())
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
        options: Options,
    ) -> io::Result<Self> {
        let address = v4(address.into())?;
        let (id, local) = stack.shared.with(|inner| {
            let id = inner.proto.listen(address, backlog, options)?;
            inner.open_listener(id);
            inner.tcp().listener_address(id).map(|local| (id, local))
        })?;
        Ok(Self {
            shared: stack.shared.clone(),
            id,
            local,
        })
    }

    /// The address and port listened on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local.into()
    }

    /// Waits for a connection; returns it with the address of its peer.
    ///
    /// # Errors
    ///
    /// Only when the stack has ended.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |inner: &mut Inner| self.take(inner);
        let accepted = Waiting::new(&self.shared, Queue::Accept(self.id), accept).await?;
        self.stream(accepted)
    }

    /// As [`TcpListener::accept`], for implementations of futures: the task is woken by the next
    /// connection. The last 16 tasks that
    /// found none are kept. When there are more the others are woken, and kept too if they ask again.
    ///
    /// # Errors
    ///
    /// Only when the stack has ended.
    pub fn poll_accept(
        &self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.shared.with(|inner| {
            let accepted = self.take(inner);
            if accepted.is_pending() {
                inner.wait_task(Queue::Accept(self.id), context.waker());
            }
            accepted
        });
        accepted.map(|accepted| self.stream(accepted?))
    }

    fn take(&self, inner: &mut Inner) -> Poll<io::Result<ConnectionId>> {
        inner.check()?;
        match inner.tcp().accept(self.id)? {
            Some(id) => Poll::Ready(Ok(id)),
            None => Poll::Pending,
        }
    }

    fn stream(&self, id: ConnectionId) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = TcpStream::new(self.shared.clone(), id);
        let peer = stream.peer_addr()?;
        Ok((stream, peer))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.shared.with(|inner| {
            let now = inner.now();
            inner.close_listener(self.id);
            inner.tcp().close_listener(now, self.id);
            inner.after_call();
        });
    }
}

/// The IPv4 address that the stack can speak.
pub(crate) fn v4(address: SocketAddr) -> io::Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(invalid(format!("{address}: expected an IPv4 address"))),
    }
}
