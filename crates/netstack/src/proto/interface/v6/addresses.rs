//! Our addresses: how they come, whether they are free, and how long they last (RFC 4862).

mod duplicates;
mod temporary;

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use super::{FIRST_WAIT, V6};
use crate::proto::Instant;
use crate::proto::interface::{Event, Interface, Transmit};
use crate::proto::ip;
use crate::proto::ip::selection::{self, Candidate, DEFAULT_POLICY};
use crate::proto::ip::v6::told::{Told, makes_way};
use crate::proto::ip::v6::{ALL_NODES, Cidr, identifier, solicited_node};
use crate::proto::link::nd;
use temporary::Made;

/// Addresses from router advertisements, at most.
const LEARNED: usize = 16;
/// RFC 4862 §5.5.3 (e): an advertisement leaves an address at least so much of its time.
const TWO_HOURS: Duration = Duration::from_secs(2 * 3600);

/// Where an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// We were given it.
    Given,
    /// Its low 64 bits are ours (RFC 7217), under a prefix of 64 bits; the count of duplicates.
    Stable(u8),
    /// A server of DHCPv6 has granted it.
    #[cfg(feature = "dhcp")]
    Leased,
    /// Its low 64 bits are random (RFC 8981), under a prefix of 64 bits.
    Temporary(Made),
}

/// By whom a prefix is advertised, and until when addresses under it are preferred and valid.
type Advertised = (Told, (Instant, Instant));

/// What is known of an address that nobody else may have.
#[derive(Clone, Copy, Debug)]
enum State {
    /// It is being asked for (RFC 4862 §5.4): solicitations left, when the next is due or when all time
    /// is over, and what they carry (RFC 7527).
    Tentative {
        left: u8,
        next: Instant,
        nonce: [u8; 6],
    },
    Assigned,
}

/// An address of ours.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) cidr: Cidr,
    state: State,
    origin: Origin,
    /// Until when new connections may use it, and all.
    preferred_until: Instant,
    valid_until: Instant,
    /// Who advertises its prefix, if anybody does.
    told: Option<Told>,
}

impl Address {
    fn candidate(&self, now: Instant) -> Candidate {
        let mut candidate = Candidate::new(self.cidr.address().into(), self.cidr.prefix());
        candidate.deprecated = self.preferred_until <= now;
        candidate.temporary = matches!(self.origin, Origin::Temporary(_));
        candidate
    }

    pub(super) fn is_assigned(&self) -> bool {
        matches!(self.state, State::Assigned)
    }

    /// Whether we made it under the prefix of a router.
    fn is_made(&self) -> bool {
        matches!(self.origin, Origin::Stable(_) | Origin::Temporary(_))
    }

    /// What is in its prefix is on the link, as far as that is known of the address alone.
    pub(super) fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.origin == Origin::Given && self.is_assigned() && self.cidr.contains(address)
    }

    pub(super) fn poll_at(&self) -> Option<Instant> {
        let next = match self.state {
            State::Tentative { next, .. } => next,
            State::Assigned => Instant::FAR_FUTURE,
        };
        let renew = match self.origin {
            Origin::Temporary(made) => made.renew_at,
            _ => Instant::FAR_FUTURE,
        };
        Some(next.min(self.valid_until).min(renew)).filter(|at| *at < Instant::FAR_FUTURE)
    }
}

/// Lifetimes as an advertisement has them: seconds, of which all ones are for ever.
pub(super) fn after_seconds(now: Instant, seconds: u32) -> Instant {
    match seconds {
        u32::MAX => Instant::FAR_FUTURE,
        _ => now + Duration::from_secs(seconds.into()),
    }
}

impl V6 {
    /// Whether we listen to a group.
    pub(super) fn is_member(&self, group: Ipv6Addr) -> bool {
        group == ALL_NODES
            || self
                .addresses
                .iter()
                .any(|it| solicited_node(it.cidr.address()) == group)
            || self.groups.contains(group)
    }

    /// What the solicitations for a tentative address carry. One that is to be asked for much later is another's until then.
    pub(super) fn tentative(&self, now: Instant, address: Ipv6Addr) -> Option<[u8; 6]> {
        let asks = self.settings.dad_transmits;
        self.addresses.iter().find_map(|it| match it.state {
            State::Tentative { left, next, nonce }
                if it.cidr.address() == address && (left < asks || next <= now + FIRST_WAIT) =>
            {
                Some(nonce)
            }
            _ => None,
        })
    }

    /// The address of ours from which to speak to `destination`, by way of a router or not (RFC 6724 §5).
    pub(super) fn source_for(
        &self,
        now: Instant,
        destination: Ipv6Addr,
        router: Option<Ipv6Addr>,
    ) -> Option<Ipv6Addr> {
        if self.is_local(destination) {
            return Some(destination);
        }
        let assigned = self.addresses.iter().filter(|it| it.is_assigned());
        let advertised = |address: Ipv6Addr| {
            router.is_some_and(|router| self.routers.is_advertised(now, router, address))
        };
        let candidates = assigned.map(|it| Candidate {
            of_next_hop: advertised(it.cidr.address()),
            ..it.candidate(now)
        });
        let best = selection::source(DEFAULT_POLICY, destination.into(), candidates)?;
        match best.address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        }
    }

    /// An address of ours, as a source.
    pub(in crate::proto::interface) fn candidate(
        &self,
        now: Instant,
        address: Ipv6Addr,
    ) -> Option<Candidate> {
        let mut ours = self.addresses.iter();
        let ours = ours.find(|it| it.cidr.address() == address)?;
        Some(ours.candidate(now))
    }

    /// A neighbour did not answer.
    pub(super) fn is_unreachable(&mut self, now: Instant, neighbour: Ipv6Addr) {
        self.routers.is_unreachable(now, neighbour);
        self.doubt(neighbour);
    }

    /// A neighbour is no router.
    pub(super) fn resigned(&mut self, neighbour: Ipv6Addr) {
        self.routers.resigned(neighbour);
        self.doubt(neighbour);
    }

    fn doubt(&mut self, neighbour: Ipv6Addr) {
        for told in self.addresses.iter_mut().filter_map(|it| it.told.as_mut()) {
            told.doubt(neighbour);
        }
    }

    /// The addresses that are asked for.
    #[cfg(test)]
    pub(in crate::proto::interface) fn tentatives(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let tentative = self.addresses.iter().filter(|it| !it.is_assigned());
        tentative.map(|it| it.cidr.address())
    }

    /// Whether we have an address that leads beyond the link.
    pub(in crate::proto::interface) fn is_global(&self) -> bool {
        let mut assigned = self.assigned().map(|it| it.address());
        assigned.any(|it| !(is_link_local(it) || it.is_loopback()))
    }
}

/// Whether an address or group is for the link alone.
pub(super) fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local() || (address.is_multicast() && address.octets()[1] & 0xf == 2)
}

impl Interface {
    pub(super) fn add_address_v6(&mut self, now: Instant, cidr: Cidr) {
        self.remove_entry_v6(now, cidr.address());
        self.add_entry_v6(
            now,
            cidr,
            Origin::Given,
            (Instant::FAR_FUTURE, Instant::FAR_FUTURE),
        );
    }

    /// Adds the address under a prefix of 64 bits that is ours alone (RFC 7217), unless there is one.
    /// `advertised` says by whom it is, and for how long it is preferred and valid.
    pub(super) fn add_stable_address(
        &mut self,
        now: Instant,
        prefix: Ipv6Addr,
        advertised: Option<Advertised>,
    ) {
        self.add_stable_anew(now, prefix, 0, advertised);
    }

    fn add_stable_anew(
        &mut self,
        now: Instant,
        prefix: Ipv6Addr,
        mut duplicates: u8,
        advertised: Option<Advertised>,
    ) {
        let mac = self.egress.mac;
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let secret = v6.settings.secret.unwrap_or_default();
        let stable = identifier::Stable::new(secret, &mac.0);
        let identifier = stable.identifier(prefix, &[], &mut duplicates);
        let address = identifier::join(prefix, identifier);
        if let Ok(cidr) = Cidr::new(address, 64) {
            let (told, until) = advertised.unzip();
            let until = until.unwrap_or((Instant::FAR_FUTURE, Instant::FAR_FUTURE));
            if let Some(entry) = self.add_entry_v6(now, cidr, Origin::Stable(duplicates), until) {
                entry.told = told;
            }
        }
    }

    fn add_entry_v6(
        &mut self,
        now: Instant,
        cidr: Cidr,
        origin: Origin,
        (preferred_until, valid_until): (Instant, Instant),
    ) -> Option<&mut Address> {
        self.changed();
        let v6 = self.egress.v6.as_deref_mut()?;
        let asks = v6.settings.dad_transmits;
        let wait = v6.random.next_u64() % FIRST_WAIT.as_nanos() as u64;
        let state = match asks > 0 && !cidr.address().is_loopback() {
            true => State::Tentative {
                left: asks,
                next: now + Duration::from_nanos(wait),
                nonce: v6.nonce(),
            },
            false => State::Assigned,
        };
        // RFC 4862 §5.4.2: routers, and switches between, are to let solicitations through. Without a place in the list
        // they do as far as they do not look at it.
        let _ = v6.join(now, solicited_node(cidr.address()));
        v6.addresses.push(Address {
            cidr,
            state,
            origin,
            preferred_until,
            valid_until,
            told: None,
        });
        v6.addresses.last_mut()
    }

    /// Takes an address that a server of DHCPv6 has granted, or extends it.
    #[cfg(feature = "dhcp")]
    pub(super) fn set_leased_v6(
        &mut self,
        now: Instant,
        address: Ipv6Addr,
        until: (Instant, Instant),
    ) {
        let v6 = self.egress.v6.as_deref_mut();
        let known = v6.and_then(|v6| {
            let mut addresses = v6.addresses.iter_mut();
            addresses.find(|it| it.cidr.address() == address)
        });
        match known {
            Some(known) if known.origin == Origin::Leased => {
                (known.preferred_until, known.valid_until) = until;
            }
            // What we have from elsewhere is not for a server to end.
            Some(_) => {}
            None => {
                if let Ok(cidr) = Cidr::new(address, 128) {
                    self.add_entry_v6(now, cidr, Origin::Leased, until);
                }
            }
        }
    }

    /// Gives up an address, if it is there by a lease.
    #[cfg(feature = "dhcp")]
    pub(super) fn remove_leased_v6(&mut self, now: Instant, address: Ipv6Addr) {
        let leased = |it: &Address| it.cidr.address() == address && it.origin == Origin::Leased;
        let v6 = self.egress.v6.as_deref();
        if v6.is_some_and(|v6| v6.addresses.iter().any(leased)) {
            self.remove_address_v6(now, address);
        }
    }

    /// Takes an address out of the list.
    fn remove_entry_v6(&mut self, now: Instant, address: Ipv6Addr) -> Option<Address> {
        self.changed();
        let v6 = self.egress.v6.as_deref_mut()?;
        let mut addresses = v6.addresses.iter();
        let at = addresses.position(|it| it.cidr.address() == address)?;
        v6.leave(now, solicited_node(address));
        Some(v6.addresses.remove(at))
    }

    pub(super) fn remove_address_v6(&mut self, now: Instant, address: Ipv6Addr) -> bool {
        let removed = self.remove_entry_v6(now, address).is_some();
        if removed {
            self.tcp.remove_address(now, address);
        }
        removed
    }

    /// Asks for tentative addresses, and gives up those whose time is over.
    pub(super) fn poll_addresses_v6(&mut self, now: Instant, out: &mut dyn Transmit) {
        self.poll_temporary(now);
        let mut at = 0;
        while let Some(v6) = self.egress.v6.as_deref_mut()
            && let Some(entry) = v6.addresses.get_mut(at)
        {
            let address = entry.cidr.address();
            if entry.valid_until <= now {
                self.remove_address_v6(now, address);
                continue;
            }
            at += 1;
            let State::Tentative { left, next, nonce } = &mut entry.state else {
                continue;
            };
            if *next > now {
                continue;
            }
            if *left > 0 {
                *left -= 1;
                *next = now + v6.routers.timing.retransmit;
                let message = nd::solicitation(address, Err(*nonce));
                let group = solicited_node(address);
                self.send_discovery(now, Ipv6Addr::UNSPECIFIED, group, message, out);
                continue;
            }
            entry.state = State::Assigned;
            if is_link_local(address) {
                v6.groups.tell_again(now);
            }
            self.changed();
            self.push_event(Event::AddressGranted(address.into()));
        }
    }

    /// A router gives the hosts of its link a prefix (RFC 4862 §5.5.3), for so many seconds.
    pub(super) fn configure(
        &mut self,
        now: Instant,
        told: Told,
        prefix: Cidr,
        (preferred, valid): (u32, u32),
    ) {
        if preferred > valid || prefix.prefix() != 64 || prefix.address().is_unicast_link_local() {
            return;
        }
        let network = prefix.network();
        let until = (after_seconds(now, preferred), after_seconds(now, valid));
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let mut known = false;
        let mut learned = 0;
        for entry in &mut v6.addresses {
            let Some(by) = &mut entry.told else {
                continue;
            };
            learned += 1;
            if entry.cidr.network() == network {
                known = true;
                by.again(told);
                entry.preferred_until = until.0;
                // Rules 1 to 3: an advertisement that anybody can send does not take it away at once.
                let two_hours = now + TWO_HOURS;
                if until.1 > two_hours || until.1 > entry.valid_until {
                    entry.valid_until = until.1;
                } else if entry.valid_until > two_hours {
                    entry.valid_until = two_hours;
                }
            }
        }
        if !known && valid > 0 && (learned < LEARNED || self.make_way(now, told)) {
            self.add_stable_address(now, network.address(), Some((told, until)));
        }
    }

    /// Gives up the addresses under an advertised prefix for those under another, unless all are worth more.
    fn make_way(&mut self, now: Instant, other: Told) -> bool {
        while let Some(v6) = self.egress.v6.as_deref_mut() {
            let neighbours = &v6.neighbours;
            let is_there = |router| neighbours.is_confirmed(router);
            let way = makes_way(&mut v6.addresses, |it| it.told.as_mut(), other, is_there);
            let Some(entry) = way.and_then(|at| v6.addresses.get_mut(at)) else {
                return false;
            };
            let network = entry.cidr.network();
            if self
                .tcp
                .uses_address(|it| ip::Cidr::from(network).contains(it))
                && let Some(told) = &mut entry.told
            {
                // What connections have is not taken away for a while, and then looked at again.
                told.vouch(now);
                continue;
            }
            // Not those that the program or a server gave us there.
            let made = v6.addresses.iter().filter(|it| it.is_made());
            let under = made.map(|it| it.cidr);
            let under: Vec<_> = under.filter(|it| it.network() == network).collect();
            for cidr in under {
                self.remove_address_v6(now, cidr.address());
            }
            return true;
        }
        false
    }
}

impl V6 {
    /// What tells a solicitation of ours from one of another station (RFC 7527).
    fn nonce(&mut self) -> [u8; 6] {
        let [nonce @ .., _, _] = self.random.next_u64().to_ne_bytes();
        nonce
    }
}
