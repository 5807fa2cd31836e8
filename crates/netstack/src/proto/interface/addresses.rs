//! Our addresses and routes, their announcement and their defence.

use core::net::{IpAddr, Ipv4Addr};

use super::{Event, Interface, Transmit};
use crate::proto::Instant;
use crate::proto::ip::selection::Candidate;
use crate::proto::ip::{Cidr, Family, Route};
use crate::proto::link::arp::{Claim, ClaimEvent, Packet};
use crate::proto::link::ethernet::MacAddr;

impl Interface {
    /// Takes an address at once and announces it to the link (RFC 5227 §2.3).
    pub fn add_address(&mut self, now: Instant, cidr: Cidr) {
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
    pub fn remove_address(&mut self, now: Instant, address: Ipv4Addr) -> bool {
        self.claims.retain(|claim| claim.address() != address);
        self.changed();
        let removed = self.egress.routes.remove_address(address);
        if removed {
            self.tcp.remove_address(now, address);
        }
        removed
    }

    /// Our addresses.
    #[must_use]
    pub fn addresses(&self) -> &[Cidr] {
        self.egress.routes.addresses()
    }

    /// The families that we have addresses of, or IPv4 if there is none yet.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        vec![Family::V4]
    }

    /// The address of ours from which a datagram to `destination` would go.
    #[must_use]
    pub fn source_for(&self, destination: IpAddr) -> Option<Candidate> {
        let IpAddr::V4(destination) = destination else {
            return None;
        };
        let source = self.egress.routes.source_for(destination)?;
        let mut ours = self.addresses().iter();
        let prefix = ours.find(|cidr| cidr.address() == source);
        // A loopback address is on no list.
        let prefix = prefix.map_or(8, Cidr::prefix);
        Some(Candidate::new(source.into(), prefix))
    }

    /// Adds a route, replacing the one to the same prefix.
    pub fn add_route(&mut self, route: Route) {
        self.changed();
        self.egress.routes.add_route(route);
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&mut self, destination: Cidr) -> bool {
        self.changed();
        self.egress.routes.remove_route(destination)
    }

    /// The routes, the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        self.egress.routes.routes()
    }

    /// The neighbours whose hardware address is known.
    pub fn neighbors(&self) -> impl Iterator<Item = (Ipv4Addr, MacAddr)> + '_ {
        self.egress.arp.iter()
    }

    /// Addresses or routes change: what was concluded from them no longer holds.
    fn changed(&mut self) {
        self.egress.forget();
        self.accepted = None;
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
                    self.push_event(Event::AddressConflict(address, mac));
                    #[cfg(feature = "dhcp")]
                    if event == ClaimEvent::Lost(mac) {
                        lost.push(address);
                    }
                    #[cfg(not(feature = "dhcp"))]
                    let _ = event;
                }
                Some(ClaimEvent::Refused(mac)) => {
                    self.egress.arp_counters.conflicts += 1;
                    self.push_event(Event::AddressRefused(address, mac));
                }
                Some(ClaimEvent::Granted) | None => {}
            }
        }
        #[cfg(feature = "dhcp")]
        for address in lost {
            self.dhcp_conflict(now, address);
        }
    }

    pub(super) fn poll_claims(&mut self, now: Instant, out: &mut dyn Transmit) {
        for index in 0..self.claims.len() {
            while let Some((packet, event)) = self.claims[index].poll(now, self.random.next_u32()) {
                self.egress.send_arp(&packet, MacAddr::BROADCAST, out);
                if event == Some(ClaimEvent::Granted) {
                    self.push_event(Event::AddressGranted(packet.target));
                }
            }
        }
    }
}
