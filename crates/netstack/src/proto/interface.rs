//! The stack: frames in, frames out, a deadline.
//!
//! The caller, which owns the device and the clock,
//!
//! 1. gives each frame that arrived to [`Interface::handle_frame`];
//! 2. takes what its tasks wait for from [`Interface::poll_event`], and lets them make their calls;
//! 3. calls [`Interface::poll`], which runs the timers that are due and sends what there is to send;
//! 4. calls again no later than [`Interface::poll_at`].
//!
//! No call does unbounded work: `handle_frame` looks at one frame, and makes at most one answer to
//! it ([`Interface::handle_run`] at up to 128 datagrams, as if each were a frame); `poll` sends at most as many segments as its budget says, loops back at most
//! [`LOOPBACK_BUDGET`] packets, and looks at each neighbour, address and reassembly once.

mod addresses;
mod control_messages;
#[cfg(feature = "dhcp")]
mod dhcp;
mod egress;
mod ingress;
mod multicast;
mod runs;
mod services;
mod sockets;
mod transmit;
mod v6;

#[cfg(test)]
mod tests;

pub use egress::SendError;
pub use multicast::MulticastError;
pub use transmit::{HEADROOM, Joined, Run, Transmit};
pub use v6::Ipv6;

use bytes::Bytes;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::VecDeque;

use super::Instant;
use super::account::Kind;
use super::counters::{Arp, Icmp, Ip, Nd, Udp as UdpCounters};
#[cfg(feature = "dhcp")]
use super::dhcp::Lease;
#[cfg(feature = "dhcp")]
use super::dhcpv6;
use super::icmp::Requests;
use super::ip::{Reassembly, ReassemblyLimits};
use super::link::arp::Claim;
use super::link::ethernet::MacAddr;
use super::random::Random;
use super::tcp::{self, Tcp};
use super::udp::{self, Udp};
use egress::Egress;

/// Packets that [`Interface::poll`] takes from the loopback in one call.
pub const LOOPBACK_BUDGET: usize = 64;

/// Echo replies, leases and address events kept for [`Interface::poll_event`]; older ones are dropped.
const EVENT_QUEUE: usize = 256;
/// One part in so many of the budget is kept free for TCP by others than connections.
const WAY: usize = 32;
/// Octets of data in the echo replies that are kept; a reply that would exceed them is dropped.
const ECHO_DATA: usize = 128 << 10;

/// What a stack needs to know at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InterfaceConfig {
    /// The hardware address of the interface.
    pub mac: MacAddr,
    /// Octets of the largest IP packet on the link; the Ethernet header is not counted.
    pub mtu: usize,
    /// Whether the device takes runs of TCP segments over IPv4 as one ([`Transmit::transmit_run`]).
    pub offload: bool,
    /// Whether it does so with those over IPv6, too; of no account without the former.
    pub offload_v6: bool,
    /// Whether it does so with runs of UDP datagrams over either; of no account without the first.
    pub offload_udp: bool,
    /// A secret, different at each start: sequence numbers, ports and identifications come from it.
    pub seed: [u8; 32],
    /// Settings of TCP; its `mtu` is set from the one above.
    pub tcp: tcp::Config,
    /// What a UDP socket may hold.
    pub udp: udp::QueueLimits,
    /// What reassembly may hold.
    pub reassembly: ReassemblyLimits,
}

impl InterfaceConfig {
    /// The defaults for an interface.
    #[must_use]
    pub fn new(mac: MacAddr, mtu: usize, seed: [u8; 32]) -> Self {
        Self {
            mac,
            mtu,
            offload: false,
            offload_v6: false,
            offload_udp: false,
            seed,
            tcp: tcp::Config::default(),
            udp: udp::QueueLimits::default(),
            reassembly: ReassemblyLimits::default(),
        }
    }

    setters! {
        offload: bool,
        offload_v6: bool,
        offload_udp: bool,
        tcp: tcp::Config,
        udp: udp::QueueLimits,
        reassembly: ReassemblyLimits,
    }
}

/// Something that a task may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A TCP connection or listener changed.
    Tcp(tcp::Event),
    /// A UDP socket has a datagram, or an error.
    Udp(udp::SocketId),
    /// An address was probed for and may be used now.
    AddressGranted(IpAddr),
    /// Another station has an address that was probed for; it was taken away. One of IPv6 that was given is asked for
    /// again after two minutes.
    AddressRefused(IpAddr, MacAddr),
    /// Another station uses an address of ours, which we defended.
    AddressConflict(IpAddr, MacAddr),
    /// The DHCP client got a lease, or another one, or lost it. The address and the default route
    /// are set already.
    #[cfg(feature = "dhcp")]
    Lease(Option<Lease>),
    /// The name servers, or the domains, that routers tell of are others.
    NameServers,
    /// The DHCPv6 client got a lease, or another one, or lost it. Its addresses are being asked for, or
    /// were taken away.
    #[cfg(feature = "dhcp")]
    Dhcpv6(Option<dhcpv6::Lease>),
    /// A DHCPv6 server has told a client without state of its network.
    #[cfg(feature = "dhcp")]
    Informed(dhcpv6::Information),
    /// An echo reply came.
    EchoReply {
        /// From whom.
        source: IpAddr,
        /// The identifier of the request.
        identifier: u16,
        /// The sequence number of the request.
        sequence: u16,
        /// The data of the request.
        data: Bytes,
    },
}

impl Event {
    /// Octets of the data that it carries.
    fn data_len(&self) -> usize {
        match self {
            Self::EchoReply { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// Whether it is `other` once more: about the same address, with a station that is another one
    /// at most.
    fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AddressGranted(address), Self::AddressGranted(other))
            | (Self::AddressRefused(address, _), Self::AddressRefused(other, _))
            | (Self::AddressConflict(address, _), Self::AddressConflict(other, _)) => {
                address == other
            }
            (Self::NameServers, Self::NameServers) => true,
            _ => false,
        }
    }
}

/// The counters of all protocols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// ARP.
    pub arp: Arp,
    /// IPv4.
    pub ip: Ip,
    /// ICMP.
    pub icmp: Icmp,
    /// IPv6.
    pub ip6: Ip,
    /// ICMPv6.
    pub icmp6: Icmp,
    /// Neighbour discovery.
    pub nd: Nd,
    /// TCP.
    pub tcp: tcp::Counters,
    /// UDP.
    pub udp: UdpCounters,
}

/// One interface with all protocols above it.
#[derive(Debug)]
pub struct Interface {
    egress: Egress,
    /// Source and destination of the last packet from the link to an address of ours: the next
    /// one's are nearly always the same.
    accepted: Option<(Ipv4Addr, Ipv4Addr)>,
    claims: Vec<Claim>,
    #[cfg(feature = "dhcp")]
    dhcp: Option<Box<dyn dhcp::Configure>>,
    multicast: Option<Box<dyn multicast::Memberships>>,
    reassembly: Reassembly,
    icmp: Icmp,
    tcp: Tcp,
    udp: Udp,
    udp_limits: udp::QueueLimits,
    /// Octets that datagrams in all sockets are to hold.
    datagram_octets: usize,
    udp_counters: UdpCounters,
    echo_requests: Requests,
    events: VecDeque<Event>,
    /// Octets of data in the echo replies among the events.
    echo_data: usize,
    random: Random,
}

impl Interface {
    /// A stack without addresses.
    ///
    /// # Panics
    ///
    /// If the MTU is below 68 (RFC 791 §3.2) or above 65,535.
    #[must_use]
    pub fn new(config: InterfaceConfig) -> Self {
        let mtu = config.mtu;
        assert!(
            (68..=65_535).contains(&mtu),
            "MTU {mtu}: expected 68 to 65535 octets"
        );
        let mut key = [0; 16];
        key.copy_from_slice(&config.seed[..16]);
        let mut random = Random::new(key);
        // TCP hashes with keys of its own: what one shows of its numbers says nothing of others.
        let mut seed = config.seed;
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&random.next_u64().to_ne_bytes());
        }
        let mut tcp = config.tcp;
        tcp.mtu = mtu as u16;
        let budget = tcp.budget();
        let identification = random.next_u32() as u16;
        let offload = [config.offload, config.offload && config.offload_v6];
        let mut egress = Egress::new(config.mac, mtu, offload, identification, budget);
        egress.offload_udp = config.offload && config.offload_udp;
        let mut reassembly = config.reassembly;
        reassembly.octets = reassembly.octets.min(budget / 8);
        Self {
            egress,
            accepted: None,
            claims: Vec::new(),
            #[cfg(feature = "dhcp")]
            dhcp: None,
            multicast: None,
            reassembly: Reassembly::new(reassembly),
            icmp: Icmp::default(),
            udp: Udp::new(tcp.ephemeral_ports),
            tcp: Tcp::new(tcp, seed),
            udp_limits: config.udp,
            datagram_octets: budget / 8,
            udp_counters: UdpCounters::default(),
            echo_requests: Requests::default(),
            events: VecDeque::new(),
            echo_data: 0,
            random,
        }
    }

    /// The hardware address.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.egress.mac
    }

    /// Octets of the largest IP packet on the link.
    #[must_use]
    pub fn mtu(&self) -> usize {
        self.egress.link_mtu
    }

    /// Sends no larger IP packets than of `mtu` octets from now on, or, by `None`, as large ones as
    /// [`InterfaceConfig::mtu`] says, which is the most; 68 octets are the least (RFC 791 §3.2).
    ///
    /// Connections that are open keep the size that they have found for their path.
    pub fn set_mtu(&mut self, mtu: Option<usize>) {
        let most = self.egress.device_mtu;
        self.egress.link_mtu = mtu.unwrap_or(most).clamp(68, most);
        self.tell_mtu();
    }

    /// Has TCP know what the link takes.
    fn tell_mtu(&mut self) {
        let [v4, v6] = [self.egress.link_mtu, self.egress.link_mtu_v6()];
        self.tcp.set_mtu(v4 as u16, v6 as u16);
    }

    /// A number that others cannot foretell.
    pub fn random_u16(&mut self) -> u16 {
        (self.random.next_u64() >> 48) as u16
    }

    /// The counters as they are now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let v6 = self.egress.v6.as_deref();
        let (ip6, icmp6, nd) = v6.map_or_else(Default::default, |v6| (v6.ip, v6.icmp, v6.nd));
        Counters {
            arp: self.egress.arp_counters,
            ip: self.egress.ip,
            icmp: self.icmp,
            ip6,
            icmp6,
            nd,
            tcp: self.tcp.counters().clone(),
            udp: self.udp_counters,
        }
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        if let Some(event) = self.tcp.poll_event() {
            return Some(Event::Tcp(event));
        }
        if let Some(id) = self.udp.poll_event() {
            return Some(Event::Udp(id));
        }
        let event = self.events.pop_front()?;
        self.echo_data -= event.data_len();
        self.settle_events();
        Some(event)
    }

    /// Keeps an event for [`Interface::poll_event`], in the place of one that says the same.
    fn push_event(&mut self, event: Event) {
        if let Some(same) = self.events.iter_mut().find(|other| event.is_as(other)) {
            *same = event;
            return;
        }
        if self.echo_data + event.data_len() > ECHO_DATA {
            return;
        }
        if self.events.len() >= EVENT_QUEUE
            && let Some(oldest) = self.events.pop_front()
        {
            self.echo_data -= oldest.data_len();
        }
        self.echo_data += event.data_len();
        self.events.push_back(event);
        self.settle_events();
    }

    /// Has the account know what waits to be sent, and what to be read from UDP sockets.
    #[inline]
    pub(super) fn settle_waiting(&mut self) {
        let link = self.egress.held() + self.groups_held();
        let (account, datagrams) = (self.tcp.account(), self.udp.held());
        account.set(Kind::Neighbours, link);
        account.set(Kind::Datagrams, datagrams);
    }

    fn settle_events(&mut self) {
        let held = self.events.capacity() * size_of::<Event>()
            + self.echo_data
            + self.echo_requests.held()
            + self.udp.events_held();
        self.tcp.account().set(Kind::Events, held);
    }

    /// Runs the timers that are due, takes what waits in the loopback, and sends at most `budget`
    /// TCP segments. Returns whether there is more to do at once.
    pub fn poll(&mut self, now: Instant, budget: usize, out: &mut dyn Transmit) -> bool {
        self.poll_timers(now, out);
        if self.tcp.wants_transmit() {
            let mut segments = self.egress.segments(now, out);
            self.tcp.poll_transmit(now, &mut segments, budget);
        }
        for _ in 0..LOOPBACK_BUDGET {
            let Some(packet) = self.egress.next_looped() else {
                break;
            };
            self.handle_looped(now, packet, out);
        }
        self.settle_waiting();
        self.make_way_for_tcp();
        self.wants_poll()
    }

    /// Gives back fragments, and frames that wait for a neighbour, before TCP has to end connections.
    #[inline]
    fn make_way_for_tcp(&mut self) {
        let account = self.tcp.account();
        let wanted = account.limit() / WAY;
        if !account.has_room(wanted) {
            self.give_back(wanted);
        }
    }

    #[cold]
    fn give_back(&mut self, wanted: usize) {
        let given = self.reassembly.give_back(wanted);
        self.egress.ip.reasm_fails += self.reassembly.take_dropped();
        let held = self.reassembly.held();
        self.tcp.account().set(Kind::Fragments, held);
        if given < wanted {
            self.egress.arp.give_back();
            if let Some(v6) = self.egress.v6.as_deref_mut() {
                v6.neighbours.give_back();
            }
            self.settle_waiting();
        }
    }

    /// Whether [`Interface::poll`] has something to do now, whatever the time is.
    #[inline]
    #[must_use]
    pub fn wants_poll(&self) -> bool {
        self.tcp.wants_transmit() || !self.egress.loopback.is_empty()
    }

    fn poll_timers(&mut self, now: Instant, out: &mut dyn Transmit) {
        if self.tcp.next_timeout().is_some_and(|at| at <= now) {
            self.tcp.handle_timeout(now);
        }
        self.egress.poll_arp(now, out);
        #[cfg(feature = "dhcp")]
        self.poll_dhcp(now, out);
        self.poll_claims(now, out);
        self.poll_multicast(now, out);
        self.poll_reassembly(now, out);
        if let Some(calls) = self.egress.calls_v6() {
            (calls.poll)(self, now, out);
        }
        self.report_undeliverable(now);
    }

    /// When [`Interface::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self, now: Instant) -> Option<Instant> {
        if self.wants_poll() {
            return Some(now);
        }
        let claims = self.claims.iter().filter_map(|claim| claim.poll_at(now));
        #[cfg(feature = "dhcp")]
        let dhcp = self.dhcp.as_ref().map(|dhcp| dhcp.poll_at(now));
        #[cfg(not(feature = "dhcp"))]
        let dhcp = None;
        [
            self.tcp.next_timeout(),
            dhcp,
            self.multicast.as_ref().and_then(|groups| groups.poll_at()),
            self.egress.arp.poll_at(),
            self.reassembly.poll_at(),
            self.egress.v6.as_ref().and_then(|v6| v6.poll_at()),
        ]
        .into_iter()
        .flatten()
        .chain(claims)
        .min()
    }
}
