//! IPv6 at work, from [`Interface::start_ipv6`] on: a program that does not call it does not link it.

mod addresses;
mod advertisements;
mod control_messages;
#[cfg(feature = "dhcp")]
mod dhcp;
mod discovery;
mod egress;
mod groups;
mod ingress;
mod routers;

pub(super) use egress::Outgoing;

use bytes::Bytes;
use core::net::Ipv6Addr;
use core::time::Duration;

use super::egress::{Egress, Link};
use super::ingress::From;
use super::{Interface, SendError, Transmit};
use crate::proto::Instant;
use crate::proto::counters::{Icmp, Ip, Nd};
use crate::proto::ip::v6::name_servers::NameServers;
use crate::proto::ip::v6::{self, LINK_LOCAL};
use crate::proto::ip::v6::{Cidr, Route};
use crate::proto::link::nd::{Cache, CacheLimits};
use crate::proto::multicast::{Full, Groups};
use crate::proto::random::Random;
use addresses::Address;
use routers::Routers;

/// How IPv6 is spoken, and that it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ipv6 {
    /// Takes addresses, routes and routers from router advertisements (RFC 4861, RFC 4862), and asks
    /// for these. Redirects of the routers that there are, be they given, are heeded either way, as by Linux.
    pub accept_ra: bool,
    /// How often a link is asked whether an address is free before it is used, a second each
    /// (DupAddrDetectTransmits of RFC 4862 §5.1); with 0 addresses are used at once.
    pub dad_transmits: u8,
    /// What our stable addresses come from, with their prefix and the hardware address (RFC 7217): secret,
    /// different for each host, and the same at each start. With none there is another one at each start,
    /// which comes from the stack's seed: then the addresses stay the same only until the next start, the
    /// link-local one too.
    pub secret: Option<[u8; 16]>,
    /// Makes, under each prefix that routers advertise, temporary addresses too (RFC 8981), from which connections are
    /// opened: each for a day, so that who sees them cannot tell for longer that they are of one host. Not unless said
    /// so: a server is spoken to at its stable address.
    pub temporary: bool,
    /// What follows the flags of router advertisements, if anything does: the call that has the client linked.
    #[cfg(feature = "dhcp")]
    dhcpv6: Option<fn(&mut Interface, Instant, u8)>,
    /// Starts it: the call that has it linked.
    start: fn(&mut Interface, Instant, &Ipv6),
}

impl Ipv6 {
    setters! {
        accept_ra: bool,
        dad_transmits: u8,
        temporary: bool,
        ;
        some secret: [u8; 16],
    }

    /// Asks the link's DHCPv6 servers when a router says that they know something (RFC 4861 §4.2): for addresses, if its
    /// M flag is set, and for name servers and the like if its O flag is. They are asked from then on, whatever routers
    /// say later, until [`Interface::stop_dhcpv6`]. Not unless said so.
    #[cfg(feature = "dhcp")]
    #[must_use]
    pub fn dhcpv6(mut self, as_routers_say: bool) -> Self {
        self.dhcpv6 = as_routers_say.then_some(Interface::follow_flags);
        self
    }

    /// Starts IPv6 on a stack.
    pub(crate) fn start(&self, stack: &mut Interface, now: Instant) {
        (self.start)(stack, now, self);
    }
}

impl Default for Ipv6 {
    fn default() -> Self {
        Self {
            accept_ra: true,
            dad_transmits: 1,
            secret: None,
            temporary: false,
            #[cfg(feature = "dhcp")]
            dhcpv6: None,
            start: Interface::start_ipv6,
        }
    }
}

/// Sends a packet whose payload is written by a function.
type Send = fn(
    &mut Egress,
    Instant,
    &Outgoing,
    &mut dyn FnMut(&mut [u8]),
    &mut dyn Transmit,
) -> Result<(), SendError>;

/// The flow label of packets between two addresses: of a protocol, and with its ports.
type FlowLabel = fn(&V6, (Ipv6Addr, Ipv6Addr), u8, [u8; 4]) -> u32;

/// Sends an echo request with identifier, sequence number and data.
type SendEcho = fn(
    &mut Interface,
    Instant,
    Ipv6Addr,
    (u16, u16),
    &[u8],
    &mut dyn Transmit,
) -> Result<(), SendError>;

/// What the rest of a stack calls of IPv6.
pub(super) struct Calls {
    pub(super) handle_packet: fn(&mut Interface, Instant, Bytes, From, bool, &mut dyn Transmit),
    pub(super) poll: fn(&mut Interface, Instant, &mut dyn Transmit),
    pub(super) add_address: fn(&mut Interface, Instant, Cidr),
    pub(super) remove_address: fn(&mut Interface, Instant, Ipv6Addr) -> bool,
    pub(super) link: fn(&mut Egress, Instant, Ipv6Addr) -> Option<Link>,
    pub(super) await_neighbour: fn(&mut Egress, Instant, Ipv6Addr, Vec<u8>, &mut dyn Transmit),
    pub(super) source: fn(&Egress, Instant, Ipv6Addr, Ipv6Addr) -> Result<Ipv6Addr, SendError>,
    pub(super) flow_label: FlowLabel,
    pub(super) send: Send,
    pub(super) send_echo_request: SendEcho,
    pub(super) join_group: fn(&mut Interface, Instant, Ipv6Addr) -> Result<(), Full>,
    pub(super) leave_group: fn(&mut Interface, Instant, Ipv6Addr),
    pub(super) report_reassembly_timeout: fn(&mut Interface, Instant, &[u8], &mut dyn Transmit),
}

impl core::fmt::Debug for Calls {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Calls")
    }
}

static CALLS: Calls = Calls {
    handle_packet: Interface::handle_packet_v6,
    poll: Interface::poll_v6,
    add_address: Interface::add_address_v6,
    remove_address: Interface::remove_address_v6,
    link: Egress::link_v6,
    await_neighbour: Egress::await_neighbour_v6,
    source: Egress::source_v6,
    flow_label: V6::flow_label,
    send: Egress::send_v6,
    send_echo_request: Interface::send_echo_request_v6,
    join_group: Interface::join_group_v6,
    leave_group: Interface::leave_group_v6,
    report_reassembly_timeout: Interface::report_reassembly_timeout_v6,
};

/// What a stack that speaks IPv6 knows.
#[derive(Debug)]
pub(super) struct V6 {
    pub(super) calls: &'static Calls,
    settings: Ipv6,
    addresses: Vec<Address>,
    /// Routes that we were given, the longest prefix first.
    routes: Vec<Route>,
    /// What routers have said.
    routers: Routers,
    /// How often all link-local addresses in turn were others'.
    link_local_refused: u8,
    groups: Groups<Ipv6Addr>,
    #[cfg(feature = "dhcp")]
    dhcp: Option<Box<dyn dhcp::Configure>>,
    pub(super) neighbours: Cache,
    /// Source and destination of the last packet from the link to an address of ours.
    accepted: Option<(Ipv6Addr, Ipv6Addr)>,
    random: Random,
    hash_key: [u8; 16],
    pub(super) ip: Ip,
    pub(super) icmp: Icmp,
    pub(super) nd: Nd,
}

impl V6 {
    /// How many links packets may pass, as routers ask for.
    pub(super) fn hop_limit(&self) -> u8 {
        self.routers.hop_limit
    }

    /// Octets of memory held.
    pub(super) fn held(&self) -> usize {
        let addresses = self.addresses.capacity() * size_of::<Address>();
        #[cfg(feature = "dhcp")]
        let dhcp = self.dhcp.as_ref().map_or(0, |dhcp| dhcp.octets());
        #[cfg(not(feature = "dhcp"))]
        let dhcp = 0;
        self.neighbours.held() + self.routers.held() + self.groups.octets() + addresses + dhcp
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        let addresses = self.addresses.iter().filter_map(Address::poll_at);
        #[cfg(feature = "dhcp")]
        let dhcp = self.dhcp_at();
        #[cfg(not(feature = "dhcp"))]
        let dhcp = None;
        [
            self.neighbours.poll_at(),
            self.routers.poll_at(),
            self.groups.poll_at(),
            dhcp,
        ]
        .into_iter()
        .flatten()
        .chain(addresses)
        .min()
    }

    /// The name servers and domains that routers have told of.
    pub(super) fn name_servers(&self) -> &NameServers {
        &self.routers.name_servers
    }

    /// The addresses that are in use.
    pub(super) fn assigned(&self) -> impl Iterator<Item = Cidr> + '_ {
        let assigned = self.addresses.iter().filter(|it| it.is_assigned());
        assigned.map(|it| it.cidr)
    }

    /// Whether `address` is one of ours, and in use (loopback included).
    pub(super) fn is_local(&self, address: Ipv6Addr) -> bool {
        self.assigned().any(|cidr| cidr.address() == address) || address.is_loopback()
    }

    pub(super) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(super) fn add_route(&mut self, route: Route) {
        self.remove_route(route.destination);
        let not_shorter = |other: &Route| other.destination.prefix() >= route.destination.prefix();
        let at = self.routes.partition_point(not_shorter);
        self.routes.insert(at, route);
    }

    pub(super) fn remove_route(&mut self, destination: Cidr) -> bool {
        let before = self.routes.len();
        let network = destination.network();
        self.routes
            .retain(|route| route.destination.network() != network);
        self.routes.len() < before
    }

    /// Addresses or routes change: what was concluded from them no longer holds.
    pub(super) fn changed(&mut self) {
        self.accepted = None;
    }
}

impl Interface {
    /// Speaks IPv6 from now on, with a link-local address (RFC 4862 §5.3), unless the link carries less
    /// than 1,280 octets (RFC 8200 §5). Does nothing where it is spoken already.
    pub fn start_ipv6(&mut self, now: Instant, settings: &Ipv6) {
        if self.egress.v6.is_some() || self.egress.device_mtu < v6::MINIMUM_MTU {
            return;
        }
        let mut key = || {
            let mut key = [0; 16];
            for half in key.chunks_exact_mut(8) {
                half.copy_from_slice(&self.random.next_u64().to_ne_bytes());
            }
            key
        };
        let (random, hash_key, groups) = (Random::new(key()), key(), Groups::new(key()));
        let mut settings = settings.clone();
        settings.secret.get_or_insert_with(key);
        let accept_ra = settings.accept_ra;
        let mut neighbours = CacheLimits::default();
        let budget = self.tcp.config().budget();
        neighbours.queued_octets = neighbours.queued_octets.min(budget / 32);
        self.egress.v6 = Some(Box::new(V6 {
            calls: &CALLS,
            settings,
            addresses: Vec::new(),
            routes: Vec::new(),
            routers: Routers::default(),
            link_local_refused: 0,
            groups,
            #[cfg(feature = "dhcp")]
            dhcp: None,
            neighbours: Cache::new(neighbours),
            accepted: None,
            random,
            hash_key,
            ip: Ip::default(),
            icmp: Icmp::default(),
            nd: Nd::default(),
        }));
        self.add_stable_address(now, LINK_LOCAL, None);
        if accept_ra {
            self.look_for_routers(now);
        }
    }

    /// Runs the timers that are due.
    fn poll_v6(&mut self, now: Instant, out: &mut dyn Transmit) {
        self.poll_addresses_v6(now, out);
        self.poll_routers(now, out);
        #[cfg(feature = "dhcp")]
        self.poll_dhcpv6(now, out);
        self.poll_groups_v6(now, out);
        self.poll_neighbours_v6(now, out);
    }
}

/// How long ago TCP may have made progress by way of a neighbour that is in doubt.
const DOUBTED: Duration = Duration::from_secs(5);
/// So long a random wait may be at most, before what all hosts of a link do when it comes up.
const FIRST_WAIT: Duration = Duration::from_millis(300);
