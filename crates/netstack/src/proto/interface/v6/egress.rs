//! The way out of IPv6: next hop, station, headers, flow label, fragments.

use core::hash::Hasher;
use core::net::{IpAddr, Ipv6Addr};
use siphasher::sip::SipHasher13;

use super::V6;
use super::addresses::is_link_local;
use crate::proto::Instant;
use crate::proto::icmp::v6::write_checksum;
use crate::proto::interface::egress::{Egress, IP, Link};
use crate::proto::interface::{Interface, SendError, Transmit};
use crate::proto::ip::v4::protocol::{TCP, UDP};
use crate::proto::ip::v6::{
    FRAGMENT_LEN, Fragments, HEADER_LEN, Header, Route, protocol, solicited_node, write_flow_label,
};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::link::nd::{self, CachePoll};

/// What neighbour discovery is sent with, and received (RFC 4861 §3.1): it has not passed a router.
pub(super) const UNROUTED: u8 = 255;

/// A packet to be sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::proto::interface) struct Outgoing {
    pub(in crate::proto::interface) source: Ipv6Addr,
    pub(in crate::proto::interface) destination: Ipv6Addr,
    pub(in crate::proto::interface) next_header: u8,
    /// Octets of the payload.
    pub(in crate::proto::interface) len: usize,
    pub(in crate::proto::interface) traffic_class: u8,
    /// `None` for what routers ask for.
    pub(in crate::proto::interface) hop_limit: Option<u8>,
}

impl Outgoing {
    /// A packet with the usual hop limit.
    pub(in crate::proto::interface) fn new(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        next_header: u8,
        len: usize,
    ) -> Self {
        Self {
            source,
            destination,
            next_header,
            len,
            traffic_class: 0,
            hop_limit: None,
        }
    }
}

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    Local,
    Station(Ipv6Addr),
    Multicast,
}

impl V6 {
    /// The next hop towards `destination` (RFC 4861 §5.2); `None` if no route leads there.
    pub(super) fn hop(&self, now: Instant, destination: Ipv6Addr) -> Option<Hop> {
        if self.is_local(destination) {
            return Some(Hop::Local);
        }
        if destination.is_multicast() {
            return Some(Hop::Multicast);
        }
        if destination.is_unspecified() || destination.to_ipv4_mapped().is_some() {
            return None;
        }
        if is_link_local(destination) || self.is_on_link(now, destination) {
            return Some(Hop::Station(destination));
        }
        if let Some(better) = self.routers.redirected(destination) {
            return Some(Hop::Station(better));
        }
        self.route(now, destination, false).map(Hop::Station)
    }

    /// A route that we were given goes before what a router says is on the link, unless that is a longer prefix.
    fn is_on_link(&self, now: Instant, destination: Ipv6Addr) -> bool {
        let given = || self.given(destination).map(|it| it.destination.prefix());
        self.addresses.iter().any(|it| it.is_on_link(destination))
            || self
                .routers
                .on_link(now, destination)
                .is_some_and(|prefix| Some(prefix) > given())
    }

    /// The route to `destination` that we were given.
    fn given(&self, destination: Ipv6Addr) -> Option<&Route> {
        let mut given = self.routes.iter();
        given.find(|route| route.destination.contains(destination))
    }

    /// The router towards `destination`, or itself: by the longest prefix, and of equals by what we were
    /// given, which goes before routers that have failed, too. With `all` none has.
    fn route(&self, now: Instant, destination: Ipv6Addr, all: bool) -> Option<Ipv6Addr> {
        let hash = |router| self.hash((destination, router), 0);
        let (routers, neighbours) = (&self.routers, &self.neighbours);
        let learned = routers.route(now, destination, neighbours, all, hash);
        match (self.given(destination), learned) {
            (Some(given), Some(way)) if way.works && way.prefix > given.destination.prefix() => {
                Some(way.router)
            }
            (Some(given), _) => Some(match given.gateway.is_unspecified() {
                true => destination,
                false => given.gateway,
            }),
            (None, learned) => learned.map(|way| way.router),
        }
    }

    /// Whether something goes by a neighbour that is not for itself.
    fn leads_by(&self, neighbour: Ipv6Addr) -> bool {
        let mut given = self.routes.iter();
        given.any(|it| it.gateway == neighbour) || self.routers.lead_by(neighbour)
    }

    /// Asks the router that a packet would go by, had it not failed.
    #[cold]
    fn retry(&mut self, now: Instant, destination: Ipv6Addr) {
        let wanted = self.route(now, destination, true);
        self.routers.retry(now, wanted, &mut self.neighbours);
    }

    /// Whether a packet to `destination` may carry `source`: an address of ours, and none on the link that
    /// never leaves a host.
    pub(in crate::proto::interface) fn may_send(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> bool {
        self.is_local(source) && (!source.is_loopback() || self.is_local(destination))
    }

    /// A label that all packets of a flow have, and that tells nothing (RFC 6437 §3).
    pub(super) fn flow_label(
        &self,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        next: u8,
        ports: [u8; 4],
    ) -> u32 {
        let ports = u64::from(u32::from_ne_bytes(ports));
        let hash = self.hash((source, destination), ports << 8 | u64::from(next));
        // Zero would be none.
        (hash as u32 & 0xf_ffff).max(1)
    }

    /// What nobody can foretell, and is the same for the same.
    fn hash(&self, (first, second): (Ipv6Addr, Ipv6Addr), third: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        for bits in [first.to_bits(), second.to_bits()] {
            // As two words: the hasher takes longer numbers octet by octet.
            hasher.write_u64((bits >> 64) as u64);
            hasher.write_u64(bits as u64);
        }
        hasher.write_u64(third);
        hasher.finish()
    }
}

/// The group address that stands for an IPv6 multicast group (RFC 2464 §7).
pub(super) fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

impl Egress {
    /// The address from which a packet goes to `destination`: `wanted`, if it may be that, or, where that
    /// is ::, the best one of ours.
    pub(super) fn source_v6(
        &self,
        now: Instant,
        wanted: Ipv6Addr,
        destination: Ipv6Addr,
    ) -> Result<Ipv6Addr, SendError> {
        let v6 = self.v6.as_deref().ok_or(SendError::NoRoute)?;
        let router = match v6.hop(now, destination).ok_or(SendError::NoRoute)? {
            Hop::Station(hop) if hop != destination => Some(hop),
            _ => None,
        };
        let nearest = v6.source_for(now, destination, router);
        let nearest = nearest.ok_or(SendError::NoRoute)?;
        match wanted {
            Ipv6Addr::UNSPECIFIED => Ok(nearest),
            _ if v6.may_send(wanted, destination) => Ok(wanted),
            _ => Err(SendError::AddrNotAvailable(wanted.into())),
        }
    }

    pub(super) fn link_v6(&mut self, now: Instant, destination: Ipv6Addr) -> Option<Link> {
        let v6 = self.v6.as_deref_mut()?;
        Some(match v6.hop(now, destination)? {
            Hop::Local => Link::Loopback,
            Hop::Multicast => Link::Station(multicast_mac(destination)),
            Hop::Station(hop) => {
                if v6.routers.retry_at <= now {
                    v6.retry(now, destination);
                }
                match v6.neighbours.lookup(now, hop) {
                    Some(station) => Link::Station(station),
                    None => Link::Unresolved(hop.into()),
                }
            }
        })
    }

    /// Has a frame wait for the address of its next hop.
    pub(super) fn await_neighbour_v6(
        &mut self,
        now: Instant,
        hop: Ipv6Addr,
        frame: Vec<u8>,
        out: &mut dyn Transmit,
    ) {
        if let Some(v6) = self.v6.as_deref_mut() {
            let dropped = v6.neighbours.enqueue(now, hop, frame) as u64;
            v6.nd.dropped += dropped;
            v6.ip.out_discards += dropped;
        }
        self.solicit(now, out, |_, _, _| false);
    }

    /// Sends the solicitations that are due. `confirms` says whether TCP has made progress by way of a
    /// neighbour in doubt. Frames to neighbours that did not answer are added to `undeliverable`.
    pub(super) fn solicit(
        &mut self,
        now: Instant,
        out: &mut dyn Transmit,
        mut confirms: impl FnMut(&V6, Instant, Ipv6Addr) -> bool,
    ) {
        while let Some(v6) = self.v6.as_deref_mut()
            && let Some(action) = v6.neighbours.poll(now)
        {
            self.flow = None;
            match action {
                CachePoll::Doubt(target) => {
                    if confirms(v6, now, target) {
                        v6.neighbours.confirm(now, target);
                        v6.routers.is_there(target);
                    }
                }
                CachePoll::Solicit { target, station } => {
                    let Some(source) = v6.source_for(now, target, None) else {
                        continue;
                    };
                    let message = nd::solicitation(target, Ok(self.mac));
                    let link = station.map(Link::Station);
                    let to = match link {
                        Some(_) => target,
                        None => solicited_node(target),
                    };
                    self.send_unrouted(now, (source, to), message, link, out);
                }
                CachePoll::Unreachable { target, frames } => {
                    v6.nd.failed += u64::from(!frames.is_empty());
                    v6.nd.dropped += frames.len() as u64;
                    v6.is_unreachable(now, target);
                    self.undeliverable.extend(frames);
                }
            }
        }
    }

    /// Sends a message of neighbour discovery, without its checksum: by `link`, or to where its
    /// destination is.
    pub(super) fn send_unrouted(
        &mut self,
        now: Instant,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        mut message: Vec<u8>,
        link: Option<Link>,
        out: &mut dyn Transmit,
    ) {
        let Some(link) = link.or_else(|| self.link_v6(now, destination)) else {
            return;
        };
        write_checksum(source, destination, &mut message);
        let mut header = Header::new(source, destination, protocol::ICMP, message.len());
        header.hop_limit = UNROUTED;
        if let Some(v6) = self.v6.as_deref_mut() {
            v6.ip.out_requests += 1;
            v6.icmp.out_msgs += 1;
            v6.nd.count_sent(message[0]);
        }
        self.begin_v6(link, &header).copy_from_slice(&message);
        self.finish(now, link, header.total_len(), out);
    }

    /// Sends a packet, in fragments if it exceeds the path's MTU. `write` fills the room for its payload.
    pub(super) fn send_v6(
        &mut self,
        now: Instant,
        packet: &Outgoing,
        write: &mut dyn FnMut(&mut [u8]),
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let link = self.link_v6(now, packet.destination);
        let mtu = self.path_mtu(now, packet.destination.into());
        let v6 = self.v6.as_deref_mut().ok_or(SendError::NoRoute)?;
        v6.ip.out_requests += 1;
        let Some(link) = link else {
            v6.ip.out_no_routes += 1;
            return Err(SendError::NoRoute);
        };
        if packet.len > usize::from(u16::MAX) {
            v6.ip.frag_fails += 1;
            return Err(SendError::TooLarge(u16::MAX.into()));
        }
        let Outgoing {
            source,
            destination,
            next_header,
            len,
            ..
        } = *packet;
        let mut header = Header::new(source, destination, next_header, len);
        header.traffic_class = packet.traffic_class;
        header.hop_limit = packet.hop_limit.unwrap_or(v6.routers.hop_limit);
        if header.total_len() <= mtu {
            write(self.begin_v6(link, &header));
            self.label(&header);
            self.finish(now, link, header.total_len(), out);
            return Ok(());
        }
        let mut payload = vec![0; len];
        write(&mut payload);
        let ports = ports(next_header, &payload);
        header.flow_label = v6.flow_label((source, destination), next_header, ports);
        // RFC 7739 §5.3: nobody can foretell it.
        let identification = v6.random.next_u32();
        let Some(fragments) = Fragments::new(next_header, identification, len, mtu) else {
            v6.ip.frag_fails += 1;
            return Err(SendError::TooLarge(mtu - HEADER_LEN));
        };
        v6.ip.frag_oks += 1;
        header.next_header = protocol::FRAGMENT;
        for (fragment, range) in fragments {
            header.payload_len = FRAGMENT_LEN + range.len();
            let room = self.begin_v6(link, &header);
            room[..FRAGMENT_LEN].copy_from_slice(&fragment.to_bytes());
            room[FRAGMENT_LEN..].copy_from_slice(&payload[range]);
            self.finish(now, link, header.total_len(), out);
            if let Some(v6) = self.v6.as_deref_mut() {
                v6.ip.frag_creates += 1;
            }
        }
        Ok(())
    }

    /// Writes the flow label of the packet that was begun last, when its payload is written.
    fn label(&mut self, header: &Header) {
        let Some(v6) = self.v6.as_deref() else {
            return;
        };
        let packet = &mut self.buffer[self.frame + IP..][..header.total_len()];
        let ports = ports(header.next_header, &packet[HEADER_LEN..]);
        let ends = (header.source, header.destination);
        write_flow_label(packet, v6.flow_label(ends, header.next_header, ports));
    }
}

/// The ports at the start of a payload; zero where it has none.
fn ports(next_header: u8, payload: &[u8]) -> [u8; 4] {
    match (next_header, payload.first_chunk()) {
        (TCP | UDP, Some(ports)) => *ports,
        _ => [0; 4],
    }
}

impl Interface {
    /// Sends a message of neighbour discovery, without its checksum.
    pub(super) fn send_discovery(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: Vec<u8>,
        out: &mut dyn Transmit,
    ) {
        let ends = (source, destination);
        self.egress.send_unrouted(now, ends, message, None, out);
    }

    pub(super) fn poll_neighbours_v6(&mut self, now: Instant, out: &mut dyn Transmit) {
        let Self { egress, tcp, .. } = self;
        let at = egress.v6.as_ref().and_then(|v6| v6.neighbours.poll_at());
        if at.is_none_or(|at| now < at) {
            return;
        }
        egress.solicit(now, out, |v6, now, target| {
            // RFC 4861 §7.3.1: what was acknowledged or came since the neighbour was last sent to.
            let since = super::DOUBTED;
            let goes_by_it = |remote| v6.hop(now, remote) == Some(Hop::Station(target));
            // Of each remote address that is asked only where there are few such neighbours.
            let (direct, leads) = (goes_by_it(target), v6.leads_by(target));
            tcp.has_progressed(now, since, |remote| match remote {
                IpAddr::V6(remote) if remote == target => direct,
                IpAddr::V6(remote) => leads && goes_by_it(remote),
                IpAddr::V4(_) => false,
            })
        });
    }
}
