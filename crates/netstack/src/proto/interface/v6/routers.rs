//! What routers say of a link and of what is beyond it (RFC 4861 §6.3, RFC 4191, RFC 8106), and that we
//! ask for it.

use core::cmp::{Ordering, Reverse};
use core::net::Ipv6Addr;
use core::time::Duration;

use super::FIRST_WAIT;
use super::addresses::is_link_local;
use crate::proto::Instant;
use crate::proto::interface::{Event, Interface, Transmit};
use crate::proto::ip::v6::ALL_ROUTERS;
use crate::proto::ip::v6::Cidr;
use crate::proto::ip::v6::name_servers::NameServers;
use crate::proto::ip::v6::told::{Told, makes_way};
use crate::proto::link::nd::{self, Cache, Timing};

/// Routers, prefixes, routes and redirects that are kept, at most: [`told`](crate::proto::ip::v6::told) says what makes
/// way in a full list.
const ROUTERS: usize = 8;
const PREFIXES: usize = 32;
const ROUTES: usize = 32;
const REDIRECTS: usize = 64;
/// Time between two solicitations, doubled each time up to the second (RFC 7559 §2).
const SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);
const LONGEST_INTERVAL: Duration = Duration::from_secs(3600);

/// Routers that find no place in the list, or speak after they have failed, are asked whether they are there no more
/// often.
const ASKING_INTERVAL: Duration = Duration::from_secs(1);
/// One that has failed is asked again after so long, if it is wanted: three times, so once a minute (RFC 4191 §3.5).
const RETRY_INTERVAL: Duration = Duration::from_secs(3 * 60);
/// Until a packet comes that wants it, packets are looked at no more often.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// A router that may be the default one.
#[derive(Clone, Copy, Debug)]
struct Router {
    told: Told,
    preference: i8,
    until: Instant,
}

/// What a router says of a prefix.
#[derive(Clone, Copy, Debug)]
pub(super) enum Says {
    /// It is one of the link's hosts; and whether all of it is on the link.
    Prefix { on_link: bool },
    /// The router leads there, and how much it is preferred.
    Route(i8),
}

/// A prefix of which a router has told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) prefix: Cidr,
    pub(super) says: Says,
    pub(super) told: Told,
    pub(super) until: Instant,
}

impl Network {
    fn is_route(&self) -> bool {
        matches!(self.says, Says::Route(_))
    }

    fn is_on_link(&self) -> bool {
        matches!(self.says, Says::Prefix { on_link: true })
    }
}

/// A router to a destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) router: Ipv6Addr,
    /// The length of the prefix by which it is that.
    pub(super) prefix: u8,
    /// Nothing is known against it.
    pub(super) works: bool,
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
    pub(super) solicit_at: Instant,
    interval: Duration,
    /// When a router may be asked next whether it is there.
    ask_at: Instant,
    /// When one that is passed over because it has failed is asked next.
    pub(super) retry_at: Instant,
    /// How often a router has failed.
    failures: u32,
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
            ask_at: Instant::from_nanos(0),
            retry_at: Instant::FAR_FUTURE,
            failures: 0,
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

    /// The length of the longest prefix on the link that `address` is of.
    pub(super) fn on_link(&self, now: Instant, address: Ipv6Addr) -> Option<u8> {
        let on_link = self.networks.iter().filter(|it| it.is_on_link());
        let of = on_link.filter(|it| it.until > now && it.prefix.contains(address));
        of.map(|it| it.prefix.prefix()).max()
    }

    /// Whether the address is of a prefix that `router` advertises (RFC 6724 §5, rule 5.5).
    pub(super) fn is_advertised(&self, now: Instant, router: Ipv6Addr, address: Ipv6Addr) -> bool {
        let mut networks = self.networks.iter().filter(|it| !it.is_route());
        networks.any(|it| it.told.router == router && it.until > now && it.prefix.contains(address))
    }

    /// The first hop to which a router has redirected us.
    pub(super) fn redirected(&self, destination: Ipv6Addr) -> Option<Ipv6Addr> {
        let mut redirects = self.redirects.iter();
        redirects.find_map(|(it, hop)| (*it == destination).then_some(*hop))
    }

    /// The router to `destination`: of those that work the one with the longest prefix, then the preferred one, of which
    /// nothing is known being taken to work (RFC 4191 §3.2), then one that is known to (RFC 4861 §6.3.6). Those that are
    /// alike and known to work share destinations by a hash (RFC 4311 §2): one that comes or goes moves no others than
    /// its own. Where none works, the one that failed first is tried. With `all` none counts as failed.
    pub(super) fn route(
        &self,
        now: Instant,
        destination: Ipv6Addr,
        neighbours: &Cache,
        all: bool,
        hash: impl Fn(Ipv6Addr) -> u64,
    ) -> Option<Way> {
        let routes = self.networks.iter().filter_map(|it| match it.says {
            Says::Route(preference) if it.until > now && it.prefix.contains(destination) => {
                Some((it.prefix.prefix(), it.told, preference))
            }
            _ => None,
        });
        let routers = self.routers.iter().filter(|it| it.until > now);
        let default = routers.map(|it| (0, it.told, it.preference));
        let ranked = routes.chain(default).map(|(prefix, told, preference)| {
            let reachable = neighbours.is_reachable(told.router);
            let failure = told.failure().filter(|_| !all);
            let known = failure.is_none() && reachable == Some(true);
            ((Reverse(failure), prefix, preference, known), told.router)
        });
        let best = ranked.reduce(|best, other| {
            let may_share = || {
                other.0.3 && hash(other.1) > hash(best.1) && self.are_alike(now, best.1, other.1)
            };
            match other.0.cmp(&best.0).then_with(|| may_share().cmp(&false)) {
                Ordering::Greater => other,
                _ => best,
            }
        });
        best.map(|((Reverse(failure), prefix, ..), router)| Way {
            router,
            prefix,
            works: failure.is_none(),
        })
    }

    /// Who has told of each router and network.
    fn told(&mut self) -> impl Iterator<Item = &mut Told> {
        let networks = self.networks.iter_mut().map(|it| &mut it.told);
        self.routers
            .iter_mut()
            .map(|it| &mut it.told)
            .chain(networks)
    }

    /// Whether two routers advertise the same prefixes: others may not let pass what comes from an address under a prefix
    /// that is not theirs (RFC 8028 §2).
    fn are_alike(&self, now: Instant, one: Ipv6Addr, other: Ipv6Addr) -> bool {
        let advertised = self.networks.iter().filter(|it| !it.is_route());
        let mut of_both =
            advertised.filter(|it| it.until > now && [one, other].contains(&it.told.router));
        of_both.all(|it| {
            let address = it.prefix.network().address();
            [one, other]
                .iter()
                .all(|router| self.is_advertised(now, *router, address))
        })
    }

    /// A neighbour did not answer: what went by it goes elsewhere (RFC 4861 §7.3.3).
    #[cold]
    pub(super) fn is_unreachable(&mut self, now: Instant, neighbour: Ipv6Addr) {
        self.redirects.retain(|(_, hop)| *hop != neighbour);
        self.name_servers.doubt(neighbour);
        self.failures = self.failures.saturating_add(1);
        let failure = self.failures;
        for told in self.told().filter(|it| it.router == neighbour) {
            told.fail(failure);
        }
        self.retry_at = self.retry_at.min(now + RETRY_INTERVAL);
    }

    /// A neighbour has shown that it is there.
    pub(super) fn is_there(&mut self, neighbour: Ipv6Addr) {
        let told = self.told().filter(|it| it.router == neighbour);
        told.for_each(Told::prove);
    }

    /// `router` is wanted, if it works: it is asked whether it does, in case that it has failed.
    pub(super) fn retry(&mut self, now: Instant, router: Option<Ipv6Addr>, neighbours: &mut Cache) {
        let (mut next, mut has_failed) = (Instant::FAR_FUTURE, None);
        for told in self.told().filter(|it| it.failure().is_some()) {
            next = now + LOOK_INTERVAL;
            has_failed = has_failed.or(router.filter(|it| *it == told.router));
        }
        if let Some(router) = has_failed {
            next = now + RETRY_INTERVAL;
            neighbours.ask(now, router);
        }
        self.retry_at = next;
    }

    /// Nothing shows any more that a router is there.
    fn doubt(&mut self, router: Ipv6Addr) {
        self.told().for_each(|it| it.doubt(router));
        self.name_servers.doubt(router);
    }

    /// A neighbour is no router (RFC 4861 §7.2.5), if it was one: nothing but what is its own goes by it.
    pub(super) fn resigned(&mut self, neighbour: Ipv6Addr) {
        self.doubt(neighbour);
        self.routers.retain(|it| it.told.router != neighbour);
        self.networks
            .retain(|it| !it.is_route() || it.told.router != neighbour);
        self.redirects
            .retain(|(destination, hop)| *hop != neighbour || destination == hop);
    }

    pub(super) fn set_default(
        &mut self,
        now: Instant,
        told: Told,
        (preference, lifetime): (i8, u16),
        neighbours: &mut Cache,
    ) {
        let mut routers = self.routers.iter();
        let known = routers.position(|it| it.told.router == told.router);
        if lifetime == 0 {
            if let Some(at) = known {
                self.routers.remove(at);
            }
            return;
        }
        let router = Router {
            told,
            preference,
            until: now + Duration::from_secs(lifetime.into()),
        };
        if let Some(at) = known {
            let mut before = self.routers[at].told;
            before.again(told);
            self.routers[at] = Router {
                told: before,
                ..router
            };
            return;
        }
        if self.routers.len() >= ROUTERS {
            // Who did not answer goes first.
            let failed = self
                .routers
                .iter()
                .position(|it| it.told.failure().is_some());
            let is_there = |router| neighbours.is_confirmed(router);
            let way = failed
                .or_else(|| makes_way(&mut self.routers, |it| Some(&mut it.told), told, is_there));
            let Some(at) = way else {
                // If it answers, what it says next counts.
                if neighbours.is_reachable(told.router).is_some() {
                    self.ask(now, told.router, neighbours);
                }
                return;
            };
            self.routers.remove(at);
        }
        self.routers.push(router);
    }

    /// Has a router that speaks asked whether it is there: anybody can say so.
    #[cold]
    fn ask(&mut self, now: Instant, router: Ipv6Addr, neighbours: &mut Cache) {
        if now >= self.ask_at {
            self.ask_at = now + ASKING_INTERVAL;
            neighbours.ask(now, router);
        }
    }

    /// A router speaks. One that has failed is asked before it counts again, with what it says now, too.
    pub(super) fn speaks(&mut self, now: Instant, told: &mut Told, neighbours: &mut Cache) {
        let router = told.router;
        let before = self.told().filter(|it| it.router == router);
        let failure = before.filter_map(|it| it.failure()).last();
        if let Some(failure) = failure {
            told.fail(failure);
            self.ask(now, router, neighbours);
        }
    }

    pub(super) fn set_network(&mut self, now: Instant, network: Network, neighbours: &Cache) {
        let gone = network.until <= now;
        let (mut known, mut alike) = (None, 0);
        for (at, it) in self.networks.iter_mut().enumerate() {
            alike += usize::from(it.is_route() == network.is_route());
            if it.prefix != network.prefix || it.is_route() != network.is_route() {
                continue;
            }
            if network.is_on_link() && it.is_on_link() {
                // RFC 4861 §6.3.4: it holds of the prefix, whoever has said it before.
                it.until = network.until;
            }
            if it.told.router == network.told.router {
                known = Some(at);
            }
        }
        // That it says no more of what is on the link does not take back what it has said.
        let keeps = known.is_some_and(|at| self.networks[at].is_on_link() && !network.is_on_link());
        if gone {
            if let Some(at) = known.filter(|_| !keeps) {
                self.networks.remove(at);
            }
            self.networks.retain(|it| it.until > now);
            return;
        }
        if let Some(at) = known {
            let known = &mut self.networks[at];
            known.told.again(network.told);
            if !keeps {
                (known.says, known.until) = (network.says, network.until);
            }
            return;
        }
        type OfKind = fn(&mut Network) -> Option<&mut Told>;
        let (most, told): (_, OfKind) = match network.says {
            Says::Prefix { .. } => (PREFIXES, |it| (!it.is_route()).then_some(&mut it.told)),
            Says::Route(_) => (ROUTES, |it| it.is_route().then_some(&mut it.told)),
        };
        if alike >= most {
            let is_there = |router| neighbours.is_confirmed(router);
            match makes_way(&mut self.networks, told, network.told, is_there) {
                Some(at) => self.networks.remove(at),
                None => return,
            };
        }
        self.networks.push(network);
    }

    pub(super) fn redirect(&mut self, destination: Ipv6Addr, hop: Ipv6Addr) {
        self.redirects.retain(|(it, _)| *it != destination);
        if self.redirects.len() >= REDIRECTS {
            self.redirects.remove(0);
        }
        self.redirects.push((destination, hop));
    }

    /// Whether something goes by a neighbour that is not for itself.
    pub(super) fn lead_by(&self, neighbour: Ipv6Addr) -> bool {
        let networks = self.networks.iter().map(|it| it.told.router);
        let mut routers = self.routers.iter().map(|it| it.told.router).chain(networks);
        routers.any(|it| it == neighbour) || self.redirects.iter().any(|(_, hop)| *hop == neighbour)
    }

    fn expire(&mut self, now: Instant) {
        self.routers.retain(|it| it.until > now);
        self.networks.retain(|it| it.until > now);
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

    /// Asks for routers again, sooner than they speak by themselves, when the last one is gone. Where none has led anywhere
    /// yet they are asked for all the time.
    pub(super) fn miss_routers(&mut self, now: Instant) {
        if let Some(v6) = self.egress.v6.as_deref_mut()
            && v6.settings.accept_ra
            && v6.routers.routers.is_empty()
            && v6.routers.solicit_at == Instant::FAR_FUTURE
        {
            v6.routers.interval = SOLICITATION_INTERVAL;
            self.look_for_routers(now);
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
        self.miss_routers(now);
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
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
}
