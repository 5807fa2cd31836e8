//! Our addresses and routes, their announcement and their defence.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Event, Interface, Transmit};
use crate::proto::Instant;
use crate::proto::ip::selection::Candidate;
use crate::proto::ip::{self, Cidr, Family, Route};
use crate::proto::link::arp::{Claim, ClaimEvent, Packet};
use crate::proto::link::ethernet::MacAddr;

impl Interface {
    /// Takes an address. One of IPv4 is ours at once, and announced to the link (RFC 5227 §2.3). One of
    /// IPv6 is ours when the link has been asked whether it is free ([`Event::AddressGranted`] or
    /// [`Event::AddressRefused`] tells, after about a second), or at once, as
    /// [`Ipv6::dad_transmits`](super::Ipv6::dad_transmits) says; false where IPv6 is not spoken.
    pub fn add_address(&mut self, now: Instant, cidr: Cidr) -> bool {
        match (cidr.v4(), cidr.v6()) {
            (Some(cidr), _) => self.add_address_v4(now, cidr),
            (_, Some(cidr)) => {
                let Some(calls) = self.egress.calls_v6() else {
                    return false;
                };
                (calls.add_address)(self, now, cidr);
            }
            (None, None) => return false,
        }
        true
    }

    pub(super) fn add_address_v4(&mut self, now: Instant, cidr: Cidr<Ipv4Addr>) {
        self.changed();
        self.egress.routes.add_address(cidr);
        self.claim(Claim::announce(now, self.egress.mac, cidr.address()));
    }

    /// Asks the link whether `address` is free (RFC 5227 §2.1): [`Event::AddressGranted`] or
    /// [`Event::AddressRefused`] tells, within about six seconds. The address is not used before
    /// [`Interface::add_address`].
    pub fn probe_address(&mut self, now: Instant, address: Ipv4Addr) {
        let random = self.random.next_u32();
        self.claim(Claim::probe(now, self.egress.mac, address, random));
    }

    /// Whether one has to expect that others listen to our claims: not for loopback addresses.
    fn claim(&mut self, claim: Claim) {
        self.claims
            .retain(|other| other.address() != claim.address());
        if !claim.address().is_loopback() {
            self.claims.push(claim);
        }
    }

    /// Gives an address up; tells whether it was ours. Its TCP connections end with
    /// [`Error::AddrNotAvailable`](crate::proto::tcp::Error::AddrNotAvailable) and without a word to
    /// their peers: another station may have the address already. UDP sockets that are bound to it
    /// can no longer send. They, and listeners, are as before when the address comes back.
    pub fn remove_address(&mut self, now: Instant, address: impl Into<IpAddr>) -> bool {
        match address.into() {
            IpAddr::V4(address) => self.remove_address_v4(now, address),
            IpAddr::V6(address) => {
                let calls = self.egress.calls_v6();
                calls.is_some_and(|calls| (calls.remove_address)(self, now, address))
            }
        }
    }

    pub(super) fn remove_address_v4(&mut self, now: Instant, address: Ipv4Addr) -> bool {
        self.claims.retain(|claim| claim.address() != address);
        self.changed();
        let removed = self.egress.routes.remove_address(address);
        if removed {
            self.tcp.remove_address(now, address);
        }
        removed
    }

    /// Our addresses: those of IPv4, and those of IPv6 that are in use.
    #[must_use]
    pub fn addresses(&self) -> Vec<Cidr> {
        let v4 = self.egress.routes.addresses().iter().copied();
        let v6 = self.egress.v6.iter().flat_map(|v6| v6.assigned());
        v4.map(Cidr::from).chain(v6.map(Cidr::from)).collect()
    }

    /// The families that we have addresses of, or IPv4 if there is none yet.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let v6 = self.egress.v6.as_ref().is_some_and(|v6| v6.is_global());
        match (self.egress.routes.addresses().is_empty(), v6) {
            (true, true) => vec![Family::V6],
            (false, true) => vec![Family::V6, Family::V4],
            (_, false) => vec![Family::V4],
        }
    }

    /// The address of ours from which a datagram to `destination` would go.
    #[must_use]
    pub fn source_for(&self, now: Instant, destination: IpAddr) -> Option<Candidate> {
        let any = match destination {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let source = self.egress.source(now, any, destination).ok()?;
        if let (IpAddr::V6(source), Some(v6)) = (source, &self.egress.v6)
            && let Some(candidate) = v6.candidate(now, source)
        {
            return Some(candidate);
        }
        let mut ours = self.addresses().into_iter();
        let prefix = ours.find(|cidr| cidr.address() == source);
        // A loopback address is on no list.
        let prefix = prefix.map_or(8, |cidr| cidr.prefix());
        Some(Candidate::new(source, prefix))
    }

    /// Adds a route, replacing the one to the same prefix; false where destination and gateway are not of
    /// one family, or IPv6 is not spoken.
    pub fn add_route(&mut self, route: Route) -> bool {
        self.changed();
        match (
            route.destination.v4(),
            route.destination.v6(),
            route.gateway,
        ) {
            (Some(destination), _, IpAddr::V4(gateway)) => {
                self.egress.routes.add_route(ip::Route {
                    destination,
                    gateway,
                });
                true
            }
            (_, Some(destination), IpAddr::V6(gateway)) => {
                let route = ip::Route {
                    destination,
                    gateway,
                };
                let v6 = self.egress.v6.as_deref_mut();
                v6.map(|v6| v6.add_route(route)).is_some()
            }
            _ => false,
        }
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&mut self, destination: Cidr) -> bool {
        self.changed();
        let egress = &mut self.egress;
        match (destination.v4(), destination.v6(), egress.v6.as_deref_mut()) {
            (Some(destination), ..) => egress.routes.remove_route(destination),
            (_, Some(destination), Some(v6)) => v6.remove_route(destination),
            _ => false,
        }
    }

    /// The routes that were added, those of IPv4 first, of each family the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> Vec<Route> {
        let v4 = self.egress.routes.routes().iter().copied();
        let v6 = self
            .egress
            .v6
            .iter()
            .flat_map(|v6| v6.routes().iter().copied());
        v4.map(Route::from).chain(v6.map(Route::from)).collect()
    }

    /// The neighbours whose hardware address is known.
    pub fn neighbors(&self) -> impl Iterator<Item = (IpAddr, MacAddr)> + '_ {
        let v4 = self.egress.arp.iter().map(|(it, mac)| (it.into(), mac));
        let v6 = self.egress.v6.iter().flat_map(|v6| v6.neighbours.iter());
        v4.chain(v6.map(|(it, mac)| (it.into(), mac)))
    }

    /// Addresses or routes change: what was concluded from them no longer holds.
    pub(super) fn changed(&mut self) {
        self.egress.forget();
        self.accepted = None;
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.changed();
        }
    }

    /// Takes an ARP packet from the link.
    pub(super) fn handle_arp(&mut self, now: Instant, bytes: &[u8], out: &mut dyn Transmit) {
        self.egress.arp_counters.in_packets += 1;
        self.egress.forget();
        let Some(packet) = Packet::parse(bytes) else {
            self.egress.arp_counters.in_errors += 1;
            return;
        };
        if packet.sender_mac == self.egress.mac {
            return;
        }
        self.check_claims(now, &packet);
        if self.egress.routes.is_local(packet.sender) {
            return;
        }
        let for_us = self.egress.routes.is_local(packet.target);
        for frame in self.egress.arp.handle(now, &packet, for_us) {
            out.transmit(&frame);
        }
        self.settle_waiting();
        if for_us && packet.operation == crate::proto::link::arp::Operation::Request {
            let reply = packet.reply(self.egress.mac);
            self.egress.send_arp(&reply, packet.sender_mac, out);
        }
    }

    fn check_claims(&mut self, now: Instant, packet: &Packet) {
        #[cfg(feature = "dhcp")]
        let mut lost = Vec::new();
        for index in 0..self.claims.len() {
            let claim = &mut self.claims[index];
            let address = claim.address();
            match claim.handle(now, packet) {
                Some(event @ (ClaimEvent::Conflict(mac) | ClaimEvent::Lost(mac))) => {
                    self.egress.arp_counters.conflicts += 1;
                    self.push_event(Event::AddressConflict(address.into(), mac));
                    #[cfg(feature = "dhcp")]
                    if event == ClaimEvent::Lost(mac) {
                        lost.push(address);
                    }
                    #[cfg(not(feature = "dhcp"))]
                    let _ = event;
                }
                Some(ClaimEvent::Refused(mac)) => {
                    self.egress.arp_counters.conflicts += 1;
                    self.push_event(Event::AddressRefused(address.into(), mac));
                }
                Some(ClaimEvent::Granted) | None => {}
            }
        }
        #[cfg(feature = "dhcp")]
        for address in lost {
            self.dhcp_conflict(now, address);
        }
    }

    #[inline]
    pub(super) fn poll_claims(&mut self, now: Instant, out: &mut dyn Transmit) {
        let due = |claim: &Claim| claim.poll_at(now).is_some_and(|at| at <= now);
        if self.claims.iter().any(due) {
            self.go_on_with_claims(now, out);
        }
    }

    #[cold]
    fn go_on_with_claims(&mut self, now: Instant, out: &mut dyn Transmit) {
        for index in 0..self.claims.len() {
            while let Some((packet, event)) = self.claims[index].poll(now, self.random.next_u32()) {
                self.egress.send_arp(&packet, MacAddr::BROADCAST, out);
                if event == Some(ClaimEvent::Granted) {
                    self.push_event(Event::AddressGranted(packet.target.into()));
                }
            }
        }
    }
}
