//! UDP (RFC 768): the header, and sockets with bounded queues.

mod sending;

use bytes::Bytes;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use etherparse::UdpHeaderSlice;
use slab::Slab;
use std::collections::{HashMap, VecDeque};

use super::checksum::Sum;
use super::ip::{Endpoint, v4};
use super::ports;

/// Octets of a UDP header.
pub const HEADER_LEN: usize = 8;
/// The longest payload of a datagram, in octets.
pub const MAX_PAYLOAD: usize = 65_535 - v4::HEADER_LEN - HEADER_LEN;
/// Octets that a datagram takes beside its payload, at most: its place in a queue, which may be half
/// empty, and what counts the holders of the payload.
const DATAGRAM: usize = 2 * size_of::<Queued>() + 48;

/// Names a socket of one [`Udp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(usize);

impl SocketId {
    /// A small number that no other open socket has.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a socket may hold for its reader, and from where it may come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Datagrams.
    pub datagrams: usize,
    /// Octets of the memory that holds them: a payload that takes half of the buffer that it came
    /// in, or more, stays there; others are copied.
    pub octets: usize,
    /// A socket on `::` receives over IPv6 alone, and not over IPv4 too (IPV6_V6ONLY).
    pub only_v6: bool,
}

impl QueueLimits {
    setters! {
        datagrams: usize,
        octets: usize,
        only_v6: bool,
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            datagrams: 256,
            octets: 512 << 10,
            only_v6: false,
        }
    }
}

/// A datagram that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// Which address of ours it was sent to.
    pub destination: SocketAddr,
    /// What it carries.
    pub payload: Bytes,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It waits in this socket's queue.
    Queued(SocketId),
    /// The queue of the socket was full.
    QueueFull,
    /// No socket wants it.
    NoPort,
    /// Its length or its checksum is wrong.
    Malformed {
        /// Whether it was the checksum.
        checksum: bool,
    },
}

/// Why a socket could not be bound or connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindError {
    /// Another socket has the port.
    AddrInUse,
    /// Every port of the ephemeral range is taken.
    NoPortLeft,
    /// The address is not ours.
    AddrNotAvailable,
}

/// A datagram in a queue, and the octets of memory that hold it.
#[derive(Debug)]
struct Queued {
    datagram: Datagram,
    held: usize,
}

/// What all sockets together may hold, and what a frame holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Octets that all queues are to hold. Beyond them only those grow that hold less than their
    /// share: an equal part for each socket that holds something.
    pub(crate) octets: usize,
    /// Octets that are left at all.
    pub(crate) left: usize,
    /// Octets of the buffer that the payload lies in.
    pub(crate) pinned: usize,
}

#[derive(Debug)]
struct Socket {
    local: Endpoint,
    /// Bound to :: and not to receive over IPv4.
    only_v6: bool,
    peer: Option<Endpoint>,
    queue: VecDeque<Queued>,
    /// Octets of memory that hold the queue.
    held: usize,
    limits: QueueLimits,
    /// An ICMP error about a datagram that was sent to `peer`.
    refused: bool,
    /// It is among the sockets with events.
    announced: bool,
    /// The multicast groups whose datagrams it wants.
    groups: Vec<IpAddr>,
    multicast_ttl: u8,
    /// Where what is sent comes from, if that is chosen.
    source: Option<IpAddr>,
}

/// All UDP sockets.
#[derive(Debug)]
pub struct Udp {
    sockets: Slab<Socket>,
    ports: HashMap<u16, Vec<SocketId>>,
    /// Sockets with events, each once.
    events: VecDeque<SocketId>,
    /// Octets of memory that hold all queues, and sockets that hold some of them.
    held: usize,
    holders: usize,
    /// First and last port that a socket bound to port 0 may get.
    ephemeral_ports: (u16, u16),
}

impl Default for Udp {
    fn default() -> Self {
        Self::new(ports::EPHEMERAL)
    }
}

impl Udp {
    /// No sockets; those bound to port 0 get one of `ephemeral_ports`, of which the first and the last
    /// are given.
    #[must_use]
    pub fn new(ephemeral_ports: (u16, u16)) -> Self {
        Self {
            sockets: Slab::new(),
            ports: HashMap::new(),
            events: VecDeque::new(),
            held: 0,
            holders: 0,
            ephemeral_ports,
        }
    }

    /// Opens a socket on `local`; address 0.0.0.0 stands for all of ours of IPv4, :: for all of both
    /// families, port 0 for a free port, chosen with the help of `random` (RFC 6056 §3.3.1).
    ///
    /// # Errors
    ///
    /// [`BindError`].
    pub fn bind(
        &mut self,
        local: impl Into<SocketAddr>,
        limits: QueueLimits,
        random: u32,
    ) -> Result<SocketId, BindError> {
        let local = Endpoint::from(local.into());
        let port = match local.port() {
            0 => self.free_port(random).ok_or(BindError::NoPortLeft)?,
            port => port,
        };
        let local = Endpoint::new(local.ip(), port);
        let only_v6 = limits.only_v6;
        let clashes = |id: &SocketId| {
            self.sockets.get(id.0).is_some_and(|other| {
                covers(local.ip(), only_v6, other.local.ip())
                    || covers(other.local.ip(), other.only_v6, local.ip())
            })
        };
        if self
            .ports
            .get(&port)
            .is_some_and(|ids| ids.iter().any(clashes))
        {
            return Err(BindError::AddrInUse);
        }
        let (queue, peer, refused) = (VecDeque::new(), None, false);
        let id = self.sockets.insert(Socket {
            local,
            only_v6,
            peer,
            queue,
            held: 0,
            limits,
            refused,
            announced: false,
            groups: Vec::new(),
            multicast_ttl: 1,
            source: None,
        });
        self.ports.entry(port).or_default().push(SocketId(id));
        Ok(SocketId(id))
    }

    fn free_port(&self, random: u32) -> Option<u16> {
        ports::from(random, self.ephemeral_ports).find(|port| !self.ports.contains_key(port))
    }

    /// Closes a socket; what waited in it is dropped. Returns the multicast groups that it was in.
    pub fn close(&mut self, id: SocketId) -> Vec<IpAddr> {
        let Some(socket) = self.sockets.try_remove(id.0) else {
            return Vec::new();
        };
        self.held -= socket.held;
        self.holders -= usize::from(socket.held > 0);
        if socket.announced {
            self.events.retain(|other| *other != id);
        }
        let port = socket.local.port();
        if let Some(ids) = self.ports.get_mut(&port) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.ports.remove(&port);
            }
        }
        socket.groups
    }

    /// The multicast groups whose datagrams a socket takes; `None` if there is no such socket.
    pub(crate) fn groups(&mut self, id: SocketId) -> Option<&mut Vec<IpAddr>> {
        Some(&mut self.sockets.get_mut(id.0)?.groups)
    }

    /// Has [`Udp::poll_event`] name the socket.
    pub(crate) fn announce(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id.0)
            && !core::mem::replace(&mut socket.announced, true)
        {
            self.events.push_back(id);
        }
    }

    /// A socket to which something has happened since it was named last.
    pub(crate) fn poll_event(&mut self) -> Option<SocketId> {
        while let Some(id) = self.events.pop_front() {
            if let Some(socket) = self.sockets.get_mut(id.0) {
                socket.announced = false;
                return Some(id);
            }
        }
        None
    }

    /// Octets of memory that hold the events.
    pub(crate) fn events_held(&self) -> usize {
        self.events.capacity() * size_of::<SocketId>()
    }

    /// Ties the socket to one peer: only its datagrams are received from then on, and ICMP errors
    /// about it are reported.
    pub fn connect(&mut self, id: SocketId, peer: impl Into<SocketAddr>) {
        let peer = Endpoint::from(peer.into());
        if let Some(socket) = self.sockets.get_mut(id.0) {
            // A refusal was of the former peer.
            socket.refused &= socket.peer == Some(peer);
            socket.peer = Some(peer);
            let before = socket.held;
            socket
                .queue
                .retain(|queued| Endpoint::from(queued.datagram.source) == peer);
            socket.held = socket.queue.iter().map(|queued| queued.held).sum();
            self.held -= before - socket.held;
            self.holders -= usize::from(before > 0 && socket.held == 0);
        }
    }

    /// The address and port that the socket is bound to.
    #[must_use]
    pub fn local(&self, id: SocketId) -> Option<SocketAddr> {
        self.sockets.get(id.0).map(|socket| socket.local.into())
    }

    /// The peer given to [`Udp::connect`].
    #[must_use]
    pub fn peer(&self, id: SocketId) -> Option<SocketAddr> {
        self.sockets.get(id.0)?.peer.map(SocketAddr::from)
    }

    /// The oldest datagram that waits in the socket.
    pub fn receive(&mut self, id: SocketId) -> Option<Datagram> {
        let socket = self.sockets.get_mut(id.0)?;
        let queued = socket.queue.pop_front()?;
        socket.held -= queued.held;
        self.held -= queued.held;
        if socket.held == 0 {
            self.holders -= 1;
            // What a burst needed is not kept for the next.
            socket.queue = VecDeque::new();
        }
        Some(queued.datagram)
    }

    /// The oldest datagram that waits in the socket, left there.
    #[must_use]
    pub fn peek(&self, id: SocketId) -> Option<&Datagram> {
        Some(&self.sockets.get(id.0)?.queue.front()?.datagram)
    }

    /// What [`Udp::take_refused`] would tell.
    #[must_use]
    pub fn is_refused(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some_and(|socket| socket.refused)
    }

    /// Whether an ICMP error said that nobody listens at the peer; asking forgets it.
    pub fn take_refused(&mut self, id: SocketId) -> bool {
        self.sockets
            .get_mut(id.0)
            .is_some_and(|socket| core::mem::take(&mut socket.refused))
    }

    /// Octets of memory that hold what waits in all sockets.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes the payload of an IP datagram between two addresses, whose checksum is not looked at if the device has said
    /// that it need not be. Where there is no room for it, it is dropped: what waits already stays.
    pub(crate) fn handle(
        &mut self,
        addresses: (IpAddr, IpAddr),
        segment: &Bytes,
        checksummed: bool,
        room: &Room,
    ) -> Delivery {
        let (source, destination, length) = match check(addresses, segment, checksummed) {
            Ok(checked) => checked,
            Err(checksum) => return Delivery::Malformed { checksum },
        };
        let Some(id) = self.find(Some(source), destination) else {
            return Delivery::NoPort;
        };
        let Some(socket) = self.sockets.get_mut(id.0) else {
            return Delivery::NoPort;
        };
        let payload_len = length - HEADER_LEN;
        let copied = 2 * payload_len < room.pinned;
        let held = DATAGRAM + if copied { payload_len } else { room.pinned };
        let holders = self.holders + usize::from(socket.held == 0);
        let (all, one) = (self.held + held, socket.held + held);
        let full = socket.queue.len() >= socket.limits.datagrams
            || one > socket.limits.octets
            || held > room.left
            || (all > room.octets && one > room.octets / holders);
        if full {
            return Delivery::QueueFull;
        }
        let payload = match copied {
            true => Bytes::copy_from_slice(&segment[HEADER_LEN..length]),
            false => segment.slice(HEADER_LEN..length),
        };
        (self.held, socket.held, self.holders) = (all, one, holders);
        let datagram = Datagram {
            source: source.into(),
            destination: destination.into(),
            payload,
        };
        socket.queue.push_back(Queued { datagram, held });
        Delivery::Queued(id)
    }

    /// The socket for a datagram: a connected one before an unconnected, one bound to the address before one bound to
    /// all, one of its family before one of both. Without a `source`, one that can have sent from there, to whomever.
    pub(crate) fn find(&self, source: Option<Endpoint>, destination: Endpoint) -> Option<SocketId> {
        let candidates = self.ports.get(&destination.port())?.iter();
        let fitting = candidates.filter_map(|id| {
            let socket = self.sockets.get(id.0)?;
            let (address, to) = (socket.local.ip(), destination.ip());
            let fits = (covers(address, socket.only_v6, to)
                || (source.is_none() && socket.source == Some(to)))
                && (!to.is_multicast() || socket.groups.contains(&to))
                && socket.peer.zip(source).is_none_or(|(peer, it)| peer == it);
            let bound = !address.is_unspecified();
            let rank = (socket.peer.is_some(), bound, address.is_ipv4());
            fits.then_some((rank, *id))
        });
        fitting.max().map(|(_, id)| id)
    }

    /// Takes an ICMP error about a datagram that went from `local` to `peer`; returns the connected
    /// socket that sent it, if it is to be told.
    pub(crate) fn handle_unreachable(
        &mut self,
        local: Endpoint,
        peer: Endpoint,
    ) -> Option<SocketId> {
        let id = self.find(Some(peer), local)?;
        let socket = self.sockets.get_mut(id.0)?;
        if socket.peer != Some(peer) {
            return None;
        }
        socket.refused = true;
        Some(id)
    }
}

/// Whether a socket that is bound to an address receives what is sent to `destination`.
fn covers(bound: IpAddr, only_v6: bool, destination: IpAddr) -> bool {
    if bound == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return !(only_v6 && destination.is_ipv4());
    }
    bound == destination || (bound.is_unspecified() && destination.is_ipv4())
}

/// Verifies length and checksum of a datagram; gives source, destination and length, with the header.
/// The checksum is not looked at if the device has said that it need not be.
///
/// # Errors
///
/// If the datagram is malformed: whether its checksum is.
pub(crate) fn check(
    (source, destination): (IpAddr, IpAddr),
    segment: &[u8],
    checksummed: bool,
) -> Result<(Endpoint, Endpoint, usize), bool> {
    let udp = UdpHeaderSlice::from_slice(segment).map_err(|_| false)?;
    let length = usize::from(udp.length());
    let datagram = segment.get(..length).filter(|_| length >= HEADER_LEN);
    let datagram = datagram.ok_or(false)?;
    // RFC 8200 §8.1: over IPv6 there is always a checksum.
    let summed = udp.checksum() != 0 || destination.is_ipv6();
    if summed && !checksummed {
        let sum = Sum::pseudo_header(source, destination, v4::protocol::UDP, udp.length());
        if sum.add_slice(datagram).finish() != 0 {
            return Err(true);
        }
    }
    let source = Endpoint::new(source, udp.source_port());
    let destination = Endpoint::new(destination, udp.destination_port());
    Ok((source, destination, length))
}

/// Writes the header, with its checksum, in front of the payload: `datagram` is the room for the
/// header followed by room for `payload`, which is copied there.
///
/// # Panics
///
/// If `datagram` is not as long as both together, or longer than 65,535 octets.
pub fn write(
    source: impl Into<SocketAddr>,
    destination: impl Into<SocketAddr>,
    payload: &[u8],
    datagram: &mut [u8],
) {
    let (source, destination) = (source.into(), destination.into());
    let length = u16::try_from(datagram.len()).expect("a UDP datagram is at most 65535 octets");
    let (header, body) = datagram.split_at_mut(HEADER_LEN);
    header[0..2].copy_from_slice(&source.port().to_be_bytes());
    header[2..4].copy_from_slice(&destination.port().to_be_bytes());
    header[4..6].copy_from_slice(&length.to_be_bytes());
    header[6..8].fill(0);
    let (from, to) = (source.ip(), destination.ip());
    let sum = Sum::pseudo_header(from, to, v4::protocol::UDP, length).add_slice(header);
    let sum = match sum.add_copy(payload, body).finish() {
        // Zero would mean that there is no checksum (RFC 768).
        0 => 0xffff,
        sum => sum,
    };
    header[6..8].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests;
