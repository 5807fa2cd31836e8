//! UDP sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use crate::driver::waiting::Waiting;
use crate::driver::{Driver, DriverRef, Queue};
use crate::proto::interface::MulticastError;
use crate::proto::udp::{BindError, Datagram, QueueLimits, SocketId};
use crate::proto::{self, Instant};
use crate::sockets::address::scoped;
use crate::sockets::error::{invalid, send_error};
use crate::sockets::stack::Stack;

/// A UDP socket, with a bounded queue of datagrams received.
#[derive(Debug)]
pub struct UdpSocket {
    driver: DriverRef,
    id: SocketId,
    local: SocketAddr,
}

impl UdpSocket {
    /// Opens a socket on `address`; 0.0.0.0 stands for all addresses of the stack of IPv4, :: for all of
    /// both families ([`QueueLimits::only_v6`] has it leave IPv4 out), port 0 for a free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `AddrNotAvailable` when the address is not ours or no port is free,
    /// `InvalidInput` for a scope that is not the stack's.
    pub fn bind(stack: &Stack, address: impl Into<SocketAddr>) -> io::Result<Self> {
        Self::bind_limited(stack, address.into(), None)
    }

    /// As [`UdpSocket::bind`], with limits of its own for what waits to be received, in place of
    /// [`Config::udp`](crate::Config::udp).
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::bind`].
    pub fn bind_with(
        stack: &Stack,
        address: impl Into<SocketAddr>,
        limits: QueueLimits,
    ) -> io::Result<Self> {
        Self::bind_limited(stack, address.into(), Some(limits))
    }

    fn bind_limited(
        stack: &Stack,
        address: SocketAddr,
        limits: Option<QueueLimits>,
    ) -> io::Result<Self> {
        let address = scoped(address)?;
        let bound = stack.driver.with(|driver| {
            let id = match limits {
                Some(limits) => driver.proto.udp_bind_with(address, limits)?,
                None => driver.proto.udp_bind(address)?,
            };
            driver.open_socket(id);
            Ok((id, driver.proto.udp().local(id).unwrap_or(address)))
        });
        let (id, local) = bound.map_err(|error| match error {
            BindError::AddrInUse => io::ErrorKind::AddrInUse,
            BindError::NoPortLeft | BindError::AddrNotAvailable => io::ErrorKind::AddrNotAvailable,
        })?;
        Ok(Self {
            driver: stack.driver.clone(),
            id,
            local,
        })
    }

    /// The address and port of the socket.
    ///
    /// # Errors
    ///
    /// None; a `Result` as in the standard library.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    /// The peer of [`UdpSocket::connect`].
    ///
    /// # Errors
    ///
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        let peer = self.driver.with(|driver| driver.proto.udp().peer(self.id));
        Ok(peer.ok_or(io::ErrorKind::NotConnected)?)
    }

    /// Ties the socket to one peer: [`UdpSocket::send`] sends to it, and only what comes from it is
    /// received.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a scope that is not the stack's.
    pub fn connect(&self, peer: impl Into<SocketAddr>) -> io::Result<()> {
        let peer = scoped(peer)?;
        self.driver
            .with(|driver| driver.proto.udp().connect(self.id, peer));
        Ok(())
    }

    /// Receives from now on what is sent to the multicast group at the port of this socket, which has to be bound to
    /// 0.0.0.0. The routers of the link are told (IGMPv3). What this stack sends to the group does not come back to it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an address that is not that of an IPv4 group, `AddrInUse` if the socket is in the group
    /// already, `QuotaExceeded` if it is in 20 groups or all sockets together are in 64.
    pub fn join_multicast(&self, group: impl Into<IpAddr>) -> io::Result<()> {
        self.change_group(group.into(), proto::Interface::join_multicast)
    }

    /// Receives no longer what is sent to the group. Dropping the socket does the same.
    ///
    /// # Errors
    ///
    /// `AddrNotAvailable` if the socket is not in the group.
    pub fn leave_multicast(&self, group: impl Into<IpAddr>) -> io::Result<()> {
        self.change_group(group.into(), proto::Interface::leave_multicast)
    }

    /// Lets datagrams that are sent to multicast groups pass so many links from now on, at least 1, which it is unless
    /// said so (RFC 1112 §6.1, RFC 3493 §5.2).
    pub fn set_multicast_ttl(&self, ttl: u8) {
        self.driver.with(|driver| {
            if let Some(hops) = driver.proto.udp().multicast_ttl(self.id) {
                *hops = ttl;
            }
        });
    }

    /// Sends from this address from now on, or again from the one that the socket is bound to, or that leads to the
    /// destination. It has to be ours when something is sent.
    pub fn set_source(&self, source: Option<IpAddr>) {
        self.driver.with(|driver| {
            if let Some(chosen) = driver.proto.udp().source(self.id) {
                *chosen = source.map(|it| it.to_canonical());
            }
        });
    }

    fn change_group(
        &self,
        group: IpAddr,
        change: fn(&mut proto::Interface, Instant, SocketId, IpAddr) -> Result<(), MulticastError>,
    ) -> io::Result<()> {
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let changed = change(&mut driver.proto, now, self.id, group);
            driver.after_call();
            changed.map_err(|error| match error {
                MulticastError::NoGroup(_) => {
                    invalid(format!("{group}: expected an IPv4 multicast group"))
                }
                MulticastError::Joined => io::ErrorKind::AddrInUse.into(),
                MulticastError::NotJoined => io::ErrorKind::AddrNotAvailable.into(),
                MulticastError::Full => io::ErrorKind::QuotaExceeded.into(),
            })
        })
    }

    /// Sends a datagram to `peer` at once, and returns its length. It is in fragments if it exceeds the path's MTU.
    ///
    /// # Errors
    ///
    /// `NetworkUnreachable` if no route leads there, `AddrNotAvailable` if the socket's address is
    /// no longer ours, `InvalidInput` if it exceeds 65,507 octets, over IPv6 65,527.
    pub fn send_to(&self, payload: &[u8], peer: impl Into<SocketAddr>) -> io::Result<usize> {
        let peer = scoped(peer)?;
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let (proto, out) = driver.parts();
            let sent = proto.udp_send(now, self.id, peer, payload, out);
            driver.after_call();
            sent.map_err(send_error)?;
            Ok(payload.len())
        })
    }

    /// Sends datagrams of `segment_size` octets each to `peer`, the last with what is left of `payload`, as
    /// [`UdpSocket::send_to`] sends one after the other: in fewer frames if the device can cut them apart, and at less
    /// cost, for those that fit the path's MTU. Returns the length of `payload`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a size of 0, and those of [`UdpSocket::send_to`], of the first datagram that was not sent.
    pub fn send_segments_to(
        &self,
        payload: &[u8],
        segment_size: usize,
        peer: impl Into<SocketAddr>,
    ) -> io::Result<usize> {
        let peer = scoped(peer)?;
        if segment_size == 0 {
            return Err(invalid("segment size 0: expected at least 1 octet".into()));
        }
        self.driver.with(|driver| {
            driver.check()?;
            let now = driver.now();
            let (proto, out) = driver.parts();
            let sent = proto.udp_send_segments(now, self.id, peer, payload, segment_size, out);
            driver.after_call();
            sent.map_err(send_error)?;
            Ok(payload.len())
        })
    }

    /// Sends a datagram to the peer of [`UdpSocket::connect`].
    ///
    /// # Errors
    ///
    /// `NotConnected`, and those of [`UdpSocket::send_to`].
    pub fn send(&self, payload: &[u8]) -> io::Result<usize> {
        self.send_to(payload, self.peer_addr()?)
    }

    /// Waits for a datagram and returns it without a copy, with its sender and the address of ours
    /// that it was sent to.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` when nobody listens at the connected peer.
    pub async fn recv_datagram(&self) -> io::Result<Datagram> {
        let receive = |driver: &mut Driver| self.take(driver);
        Waiting::new(&self.driver, Queue::Datagram(self.id), receive).await
    }

    /// Waits for a datagram and copies it into `buffer`; what does not fit is lost. Returns the
    /// number of octets copied and the sender.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_datagram`].
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Datagram {
            payload, source, ..
        } = self.recv_datagram().await?;
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Ok((len, source))
    }

    /// As [`UdpSocket::recv_from`], from the peer of [`UdpSocket::connect`].
    ///
    /// # Errors
    ///
    /// `NotConnected`, and as [`UdpSocket::recv_datagram`].
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.peer_addr()?;
        Ok(self.recv_from(buffer).await?.0)
    }

    /// As [`UdpSocket::recv_datagram`], for implementations of futures: the task is woken by the next
    /// datagram. The last 16 tasks that found none are kept. When there are more the others are woken,
    /// and kept too if they ask again.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_datagram`].
    pub fn poll_recv_datagram(&self, context: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        self.driver.with(|driver| {
            let datagram = self.take(driver);
            if datagram.is_pending() {
                driver.wait_task(Queue::Datagram(self.id), context.waker());
            }
            datagram
        })
    }

    /// The datagram that [`UdpSocket::recv_datagram`] would return, left in the socket, if one waits. Whether one
    /// does or not, the task is woken at the next event.
    ///
    /// # Errors
    ///
    /// As [`UdpSocket::recv_datagram`], which will then return the error too.
    pub fn poll_peek_datagram(&self, context: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        self.driver.with(|driver| {
            driver.check()?;
            driver.wait_task(Queue::Datagram(self.id), context.waker());
            let udp = driver.proto.udp();
            if udp.is_refused(self.id) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
            }
            match udp.peek(self.id) {
                Some(datagram) => Poll::Ready(Ok(datagram.clone())),
                None => Poll::Pending,
            }
        })
    }

    fn take(&self, driver: &mut Driver) -> Poll<io::Result<Datagram>> {
        driver.check()?;
        if driver.proto.udp().take_refused(self.id) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
        }
        match driver.proto.udp().receive(self.id) {
            Some(datagram) => Poll::Ready(Ok(datagram)),
            None => Poll::Pending,
        }
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.driver.with(|driver| {
            driver.close_socket(self.id);
            let now = driver.now();
            driver.proto.udp_close(now, self.id);
            driver.after_call();
        });
    }
}
