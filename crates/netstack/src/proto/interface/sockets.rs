//! The sockets' way to the stack: UDP as a whole; TCP's calls that need an address of ours.

use core::net::{IpAddr, SocketAddr};

use super::v6::Outgoing;
use super::{Interface, SendError, Transmit};
use crate::proto::Instant;
use crate::proto::ip::Endpoint;
use crate::proto::ip::v4::{Header, protocol};
use crate::proto::tcp::{ConnectionId, Error, ListenerId, Options, Tcp};
use crate::proto::udp::{self, BindError, QueueLimits, SocketId, Udp};

impl Interface {
    /// The TCP engine, for the calls of its users. After calls that may have something to send,
    /// [`Interface::poll`] is due ([`Interface::wants_poll`]).
    #[inline]
    pub fn tcp(&mut self) -> &mut Tcp {
        &mut self.tcp
    }

    /// Opens a connection from the address of ours that is nearest to `remote`.
    ///
    /// # Errors
    ///
    /// [`Error::NetworkUnreachable`] if no route leads to `remote`, [`Error::AddrNotAvailable`] if
    /// `local` is not ours, and those of [`Tcp::connect`].
    pub fn connect(
        &mut self,
        now: Instant,
        local: impl Into<SocketAddr>,
        remote: impl Into<SocketAddr>,
        options: &Options,
    ) -> Result<ConnectionId, Error> {
        let (local, remote) = (Endpoint::from(local.into()), Endpoint::from(remote.into()));
        let source = match self.egress.source(now, local.ip(), remote.ip()) {
            Ok(source) => source,
            Err(SendError::AddrNotAvailable(_)) => return Err(Error::AddrNotAvailable),
            Err(_) => return Err(Error::NetworkUnreachable),
        };
        let local = Endpoint::new(source, local.port());
        self.tcp.connect(now, local, remote, options)
    }

    /// Listens on an address of ours, or on all of them, those of later included: on those of IPv4 when
    /// `local` is 0.0.0.0, on those of both families when it is ::, unless
    /// [`Options::only_v6`] says otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::AddrNotAvailable`] if `local` is not ours, and those of [`Tcp::listen`].
    pub fn listen(
        &mut self,
        local: impl Into<SocketAddr>,
        backlog: usize,
        options: Options,
    ) -> Result<ListenerId, Error> {
        let local = Endpoint::from(local.into());
        if !self.is_bindable(local.ip()) {
            return Err(Error::AddrNotAvailable);
        }
        self.tcp.listen(local, backlog, options)
    }

    fn is_bindable(&self, address: IpAddr) -> bool {
        address.is_unspecified() || self.egress.is_local(address)
    }

    /// Opens a UDP socket; address 0.0.0.0 stands for all of ours of IPv4, :: for all of both families, port 0
    /// for a free one.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn udp_bind(&mut self, local: impl Into<SocketAddr>) -> Result<SocketId, BindError> {
        self.udp_bind_with(local, self.udp_limits)
    }

    /// As [`Interface::udp_bind`], with limits for this socket.
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn udp_bind_with(
        &mut self,
        local: impl Into<SocketAddr>,
        limits: QueueLimits,
    ) -> Result<SocketId, BindError> {
        let local = Endpoint::from(local.into());
        if !self.is_bindable(local.ip()) {
            return Err(BindError::AddrNotAvailable);
        }
        let random = self.random.next_u32();
        self.udp.bind(local, limits, random)
    }

    /// Closes a UDP socket, and leaves the multicast groups that it was in.
    pub fn udp_close(&mut self, now: Instant, id: SocketId) {
        for group in self.udp.close(id) {
            self.leave_group(now, group);
        }
    }

    /// The UDP sockets.
    #[inline]
    pub fn udp(&mut self) -> &mut Udp {
        &mut self.udp
    }

    /// Sends a datagram from a socket, in fragments if it exceeds the path's MTU.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: SocketId,
        destination: impl Into<SocketAddr>,
        payload: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let destination = Endpoint::from(destination.into());
        let sent = self.udp_try_send(now, id, destination, payload, out);
        match sent {
            Ok(()) => self.udp_counters.out_datagrams += 1,
            Err(_) => self.udp_counters.sndbuf_errors += 1,
        }
        self.settle_waiting();
        sent
    }

    fn udp_try_send(
        &mut self,
        now: Instant,
        id: SocketId,
        destination: Endpoint,
        payload: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let (source, hops) = self.udp_source(now, id, destination)?;
        let len = udp::HEADER_LEN + payload.len();
        let (address, to) = match (source.ip(), destination.ip()) {
            (IpAddr::V4(address), IpAddr::V4(to)) => (address, to),
            (IpAddr::V6(address), IpAddr::V6(to)) => {
                let calls = self.egress.calls_v6().ok_or(SendError::NoRoute)?;
                if len > usize::from(u16::MAX) {
                    return Err(SendError::TooLarge(usize::from(u16::MAX) - udp::HEADER_LEN));
                }
                let mut packet = Outgoing::new(address, to, protocol::UDP, len);
                packet.hop_limit = hops;
                let mut write = |room: &mut [u8]| udp::write(source, destination, payload, room);
                return (calls.send)(&mut self.egress, now, &packet, &mut write, out);
            }
            _ => return Err(SendError::NoRoute),
        };
        if payload.len() > udp::MAX_PAYLOAD {
            return Err(SendError::TooLarge(udp::MAX_PAYLOAD));
        }
        let mut header = Header::new(address, to, protocol::UDP, len);
        header.ttl = hops.unwrap_or(header.ttl);
        if header.total_len <= self.egress.path_mtu(now, to.into()) {
            let write = |room: &mut [u8]| udp::write(source, destination, payload, room);
            return self.egress.send(now, &header, write, out);
        }
        header.dont_fragment = false;
        let mut datagram = vec![0; len];
        udp::write(source, destination, payload, &mut datagram);
        self.egress.send_datagram(now, header, &datagram, out)
    }

    /// From where a socket's datagrams go to a destination, and how many links they may pass, if that is to be other
    /// than usual.
    pub(super) fn udp_source(
        &mut self,
        now: Instant,
        id: SocketId,
        destination: Endpoint,
    ) -> Result<(Endpoint, Option<u8>), SendError> {
        let local = self.udp.local(id).ok_or(SendError::NoRoute)?;
        // RFC 1112 §6.1, RFC 3493 §5.2: not beyond the link, unless said so.
        let hops = self
            .udp
            .multicast_ttl(id)
            .filter(|_| destination.ip().is_multicast())
            .map(|hops| (*hops).max(1));
        let chosen = self.udp.source(id).and_then(|source| *source);
        let chosen = chosen.filter(|it| !it.is_unspecified());
        let bound = chosen.unwrap_or(local.ip());
        let address = self.egress.source(now, bound, destination.ip())?;
        Ok((Endpoint::new(address, local.port()), hops))
    }
}
