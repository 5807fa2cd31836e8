//! What routers say of a link and of what is beyond it (RFC 4861 §6.3, RFC 4191, RFC 8106), and that we
//! ask for it.

use core::cmp::Reverse;
use core::net::Ipv6Addr;
use core::time::Duration;

use super::addresses::{after_seconds, is_link_local};
use super::{FIRST_WAIT, V6};
use crate::proto::Instant;
use crate::proto::interface::{Event, Interface, Transmit};
use crate::proto::ip::v6::Cidr;
use crate::proto::ip::v6::name_servers::{DOMAINS, NameServers, SERVERS};
use crate::proto::ip::v6::{ALL_ROUTERS, MINIMUM_MTU};
use crate::proto::link::nd::{self, Cache, Timing};

/// Routers, prefixes on the link, routes and redirects that are kept, at most: who floods us with more
/// displaces its own.
const ROUTERS: usize = 8;
const PREFIXES: usize = 32;
const ROUTES: usize = 32;
const REDIRECTS: usize = 64;
/// Time between two solicitations, doubled each time up to the second (RFC 7559 §2).
const SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// A router that may be the default one.
#[derive(Clone, Copy, Debug)]
struct Router {
    address: Ipv6Addr,
    preference: i8,
    until: Instant,
    /// It did not answer since it last said so: where there are too many, it goes first.
    failed: bool,
}

/// A prefix whose addresses are on the link, or that a router leads to.
#[derive(Clone, Copy, Debug)]
struct Network {
    prefix: Cidr,
    /// The router; the prefix is on the link if there is none.
    router: Option<(Ipv6Addr, i8)>,
    until: Instant,
}

/// What was learned of routers.
#[derive(Debug)]
pub(super) struct Routers {
    routers: Vec<Router>,
    networks: Vec<Network>,
    /// A destination, and the first hop to it that a router named.
    redirects: Vec<(Ipv6Addr, Ipv6Addr)>,
    pub(super) name_servers: NameServers,
    pub(super) hop_limit: u8,
    pub(super) timing: Timing,
    /// When the next solicitation is due, and the time to the one after that.
    solicit_at: Instant,
    interval: Duration,
}

impl Default for Routers {
    fn default() -> Self {
        Self {
            routers: Vec::new(),
            networks: Vec::new(),
            redirects: Vec::new(),
            name_servers: NameServers::default(),
            hop_limit: 64,
            timing: Timing::default(),
            solicit_at: Instant::FAR_FUTURE,
            interval: SOLICITATION_INTERVAL,
        }
    }
}

impl Routers {
    pub(super) fn held(&self) -> usize {
        self.routers.capacity() * size_of::<Router>()
            + self.networks.capacity() * size_of::<Network>()
            + self.redirects.capacity() * size_of::<(Ipv6Addr, Ipv6Addr)>()
            + self.name_servers.held()
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        let routers = self.routers.iter().map(|it| it.until);
        let networks = self.networks.iter().map(|it| it.until);
        let servers = self.name_servers.poll_at();
        let times = routers.chain(networks).chain(servers);
        let next = times.chain([self.solicit_at]).min()?;
        (next < Instant::FAR_FUTURE).then_some(next)
    }

    pub(super) fn is_on_link(&self, now: Instant, address: Ipv6Addr) -> bool {
        let mut on_link = self.networks.iter().filter(|it| it.router.is_none());
        on_link.any(|it| it.until > now && it.prefix.contains(address))
    }

    /// The first hop to which a router has redirected us.
    pub(super) fn redirected(&self, destination: Ipv6Addr) -> Option<Ipv6Addr> {
        let mut redirects = self.redirects.iter();
        redirects.find_map(|(it, hop)| (*it == destination).then_some(*hop))
    }

    /// The router to `destination`, and the length of the prefix by which it is that: the longest, then
    /// one that can be reached, then the preferred one (RFC 4191 §3.1, RFC 4861 §6.3.6).
    pub(super) fn route(
        &self,
        now: Instant,
        destination: Ipv6Addr,
        neighbours: &Cache,
    ) -> Option<(u8, Ipv6Addr)> {
        let routes = self.networks.iter().filter_map(|it| {
            let fits = it.until > now && it.prefix.contains(destination);
            let (router, preference) = it.router.filter(|_| fits)?;
            Some((it.prefix.prefix(), router, preference))
        });
        let routers = self.routers.iter().filter(|it| it.until > now);
        let default = routers.map(|it| (0, it.address, it.preference));
        // Of equals the first that was heard of.
        let best = routes
            .chain(default)
            .min_by_key(|(prefix, router, preference)| {
                Reverse((*prefix, neighbours.is_reachable(*router), *preference))
            });
        best.map(|(prefix, router, _)| (prefix, router))
    }

    /// A neighbour did not answer: what went by it goes elsewhere (RFC 4861 §7.3.3).
    pub(super) fn is_unreachable(&mut self, neighbour: Ipv6Addr) {
        self.redirects.retain(|(_, hop)| *hop != neighbour);
        // Another router is to be tried next time: the last in the list is the last of equals.
        let mut routers = self.routers.iter();
        if let Some(at) = routers.position(|it| it.address == neighbour) {
            let router = self.routers.remove(at);
            self.routers.push(Router {
                failed: true,
                ..router
            });
        }
    }

    /// A neighbour is no router (RFC 4861 §7.2.5), if it was one: nothing but what is its own goes by it.
    pub(super) fn resigned(&mut self, neighbour: Ipv6Addr) {
        let by_it = |router: &(Ipv6Addr, i8)| router.0 == neighbour;
        self.routers.retain(|it| it.address != neighbour);
        self.networks
            .retain(|it| !it.router.as_ref().is_some_and(by_it));
        self.redirects
            .retain(|(destination, hop)| *hop != neighbour || destination == hop);
    }

    fn set_default(&mut self, now: Instant, address: Ipv6Addr, preference: i8, lifetime: u16) {
        let until = now + Duration::from_secs(lifetime.into());
        let router = Router {
            address,
            preference,
            until,
            failed: false,
        };
        let mut routers = self.routers.iter();
        match routers.position(|it| it.address == address) {
            Some(at) if lifetime == 0 => {
                self.routers.remove(at);
            }
            Some(at) => self.routers[at] = router,
            None if lifetime > 0 => {
                if self.routers.len() >= ROUTERS
                    && let Some(at) = self.routers.iter().position(|it| it.failed)
                {
                    self.routers.remove(at);
                }
                if self.routers.len() < ROUTERS {
                    self.routers.push(router);
                }
            }
            None => {}
        }
    }

    fn set_network(&mut self, now: Instant, network: Network) {
        let of = |it: &Network| (it.prefix.network(), it.router.map(|(router, _)| router));
        let mut networks = self.networks.iter();
        let (mine, gone) = (
            networks.position(|it| of(it) == of(&network)),
            network.until <= now,
        );
        let most = match network.router {
            None => PREFIXES,
            Some(_) => ROUTES,
        };
        let alike = |it: &&Network| it.router.is_some() == network.router.is_some();
        match mine {
            Some(at) if gone => {
                self.networks.remove(at);
            }
            Some(at) => self.networks[at] = network,
            None if !gone && self.networks.iter().filter(alike).count() < most => {
                self.networks.push(network);
            }
            None => {}
        }
    }

    pub(super) fn redirect(&mut self, destination: Ipv6Addr, hop: Ipv6Addr) {
        self.redirects.retain(|(it, _)| *it != destination);
        if self.redirects.len() >= REDIRECTS {
            self.redirects.remove(0);
        }
        self.redirects.push((destination, hop));
    }

    fn expire(&mut self, now: Instant) {
        self.routers.retain(|it| it.until > now);
        self.networks.retain(|it| it.until > now);
    }
}

/// A router's preference of two bits (RFC 4191 §2.1): that which is reserved counts as medium.
fn preference(flags: u8) -> i8 {
    match flags >> 3 & 0b11 {
        0b01 => 1,
        0b11 => -1,
        _ => 0,
    }
}

impl Interface {
    /// Asks for router advertisements from now on until one comes (RFC 4861 §6.3.7, RFC 7559).
    pub(super) fn look_for_routers(&mut self, now: Instant) {
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            let wait = v6.random.next_u64() % FIRST_WAIT.as_nanos() as u64;
            v6.routers.solicit_at = now + Duration::from_nanos(wait);
        }
    }

    pub(super) fn poll_routers(&mut self, now: Instant, out: &mut dyn Transmit) {
        let mac = self.egress.mac;
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        if v6.routers.poll_at().is_none_or(|at| now < at) {
            return;
        }
        v6.routers.expire(now);
        let forgotten = v6.routers.name_servers.poll(now);
        let due = v6.routers.solicit_at <= now;
        if due {
            v6.routers.solicit_at = now + v6.routers.interval;
            v6.routers.interval = (2 * v6.routers.interval).min(LONGEST_INTERVAL);
        }
        let source = v6.assigned().map(|it| it.address());
        let source = source.into_iter().find(|it| is_link_local(*it));
        self.changed();
        if forgotten {
            self.push_event(Event::NameServers);
        }
        if due {
            let message = nd::router_solicitation(source.map(|_| mac));
            let source = source.unwrap_or(Ipv6Addr::UNSPECIFIED);
            self.send_discovery(now, source, ALL_ROUTERS, message, out);
        }
    }

    /// A router shows itself: `message` has been validated (RFC 4861 §6.1.2).
    pub(super) fn handle_router(
        &mut self,
        now: Instant,
        router: Ipv6Addr,
        message: nd::Message,
        options: &[u8],
    ) {
        let mtu = self.egress.device_mtu;
        let Some(v6) = self
            .egress
            .v6
            .as_deref_mut()
            .filter(|it| it.settings.accept_ra)
        else {
            return;
        };
        let nd::Message::RouterAdvertisement {
            hop_limit,
            flags,
            lifetime,
            reachable,
            retransmit,
        } = message
        else {
            return;
        };
        // §6.3.7, RFC 7559 §2: one that leads nowhere does not end the search.
        if lifetime > 0 {
            v6.routers.solicit_at = Instant::FAR_FUTURE;
        }
        if hop_limit != 0 {
            v6.routers.hop_limit = hop_limit;
        }
        v6.set_timing(reachable, retransmit);
        v6.routers
            .set_default(now, router, preference(flags), lifetime);
        let mut link_mtu = None;
        for (kind, body) in nd::options(options) {
            match kind {
                option::PREFIX => self.handle_prefix(now, body),
                option::MTU => {
                    link_mtu = body.get(2..6).and_then(|it| it.first_chunk::<4>());
                }
                option::ROUTE => self.handle_route(now, router, body),
                SERVERS | DOMAINS => self.handle_name_servers(now, kind, body),
                _ => {}
            }
        }
        if let Some(link_mtu) = link_mtu {
            let link_mtu = u32::from_be_bytes(*link_mtu) as usize;
            if (MINIMUM_MTU..=mtu).contains(&link_mtu) {
                self.egress.mtu_v6 = link_mtu;
                self.tell_mtu();
            }
        }
        self.changed();
    }

    /// A prefix of the link, and of its hosts' addresses (RFC 4861 §6.3.4).
    fn handle_prefix(&mut self, now: Instant, body: &[u8]) {
        let Some([len, flags, rest @ ..]) = body.first_chunk::<30>() else {
            return;
        };
        let (Some(valid), Some(preferred), Some(prefix)) = (
            rest.get(..4).and_then(|it| it.first_chunk::<4>()),
            rest.get(4..8).and_then(|it| it.first_chunk::<4>()),
            rest.get(12..28).and_then(|it| it.first_chunk::<16>()),
        ) else {
            return;
        };
        let (valid, preferred) = (u32::from_be_bytes(*valid), u32::from_be_bytes(*preferred));
        let Ok(prefix) = Cidr::new(Ipv6Addr::from(*prefix), *len) else {
            return;
        };
        if is_link_local(prefix.address()) || prefix.address().is_multicast() {
            return;
        }
        if flags & 0x80 != 0
            && let Some(v6) = self.egress.v6.as_deref_mut()
        {
            let network = Network {
                prefix,
                router: None,
                until: after_seconds(now, valid),
            };
            v6.routers.set_network(now, network);
        }
        if flags & 0x40 != 0 {
            self.configure(now, prefix, (preferred, valid));
        }
    }

    /// Servers or domains of names (RFC 8106).
    fn handle_name_servers(&mut self, now: Instant, kind: u8, body: &[u8]) {
        let v6 = self.egress.v6.as_deref_mut();
        if v6.is_some_and(|v6| v6.routers.name_servers.advertised(now, kind, body)) {
            self.push_event(Event::NameServers);
        }
    }

    /// A prefix that a router leads to (RFC 4191 §2.3).
    fn handle_route(&mut self, now: Instant, router: Ipv6Addr, body: &[u8]) {
        let [len, flags, l0, l1, l2, l3, prefix @ ..] = body else {
            return;
        };
        // Its length follows that of the prefix.
        if prefix.len() < usize::from(len.div_ceil(64)) * 8 || flags >> 3 & 0b11 == 0b10 {
            return;
        }
        let mut octets = [0; 16];
        let known = prefix.len().min(16);
        octets[..known].copy_from_slice(&prefix[..known]);
        let lifetime = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
        let Ok(prefix) = Cidr::new(Ipv6Addr::from(octets), *len) else {
            return;
        };
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            if *len == 0 {
                // It stands for the default router, and goes before what the header says.
                let lifetime = u16::try_from(lifetime).unwrap_or(u16::MAX);
                v6.routers
                    .set_default(now, router, preference(*flags), lifetime);
                return;
            }
            let network = Network {
                prefix: prefix.network(),
                router: Some((router, preference(*flags))),
                until: after_seconds(now, lifetime),
            };
            v6.routers.set_network(now, network);
        }
    }
}

/// Options of router advertisements.
mod option {
    pub(super) const PREFIX: u8 = 3;
    pub(super) const MTU: u8 = 5;
    pub(super) const ROUTE: u8 = 24;
}

impl V6 {
    /// Times that a router names, in milliseconds; zero leaves them as they are.
    fn set_timing(&mut self, reachable: u32, retransmit: u32) {
        // RFC 4861 §6.2.1: no more than an hour.
        if (1..=3_600_000).contains(&reachable) {
            // Between half and three halves of it (§6.3.2).
            let spread = self.random.next_u64() % (u64::from(reachable) + 1);
            let millis = u64::from(reachable) / 2 + spread;
            self.routers.timing.reachable = Duration::from_millis(millis.max(1));
        }
        if retransmit != 0 {
            // Anybody on the link may say so: neither all the time nor hardly ever.
            let millis = u64::from(retransmit).clamp(100, 10_000);
            self.routers.timing.retransmit = Duration::from_millis(millis);
        }
        self.neighbours.set_timing(self.routers.timing);
    }
}
