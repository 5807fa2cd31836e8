//! Addresses, prefixes and the choice of the next hop (RFC 1122 §3.3.1).

use core::net::Ipv4Addr;

use super::address::is_host;
use super::v4::{Cidr, Route};

/// Where a datagram goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Back to ourselves.
    Local,
    /// To the station with this address on the link.
    Station(Ipv4Addr),
    /// To all stations on the link.
    Broadcast,
    /// To the stations of a multicast group.
    Multicast,
}

/// Our addresses and routes.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    addresses: Vec<Cidr>,
    routes: Vec<Route>,
}

impl Routes {
    /// Our addresses, in the order in which they were added.
    #[must_use]
    pub fn addresses(&self) -> &[Cidr] {
        &self.addresses
    }

    /// The routes, the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Adds an address of ours, replacing the entry for the same address.
    pub fn add_address(&mut self, cidr: Cidr) {
        self.remove_address(cidr.address());
        self.addresses.push(cidr);
    }

    /// Takes an address away; tells whether it was there.
    pub fn remove_address(&mut self, address: Ipv4Addr) -> bool {
        let before = self.addresses.len();
        self.addresses.retain(|cidr| cidr.address() != address);
        self.addresses.len() < before
    }

    /// Adds a route, replacing the one to the same prefix.
    pub fn add_route(&mut self, route: Route) {
        self.remove_route(route.destination);
        let prefix = route.destination.prefix();
        let not_shorter = |other: &Route| other.destination.prefix() >= prefix;
        let at = self.routes.partition_point(not_shorter);
        self.routes.insert(at, route);
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&mut self, destination: Cidr) -> bool {
        let before = self.routes.len();
        self.routes.retain(|route| {
            route.destination.prefix() != destination.prefix()
                || !route.destination.contains(destination.address())
        });
        self.routes.len() < before
    }

    /// Whether `address` is one of ours (loopback included).
    #[inline]
    #[must_use]
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|cidr| cidr.address() == address) || address.is_loopback()
    }

    /// Whether `address` means every station: 255.255.255.255 or a network's broadcast address.
    #[must_use]
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast()
            || self
                .addresses
                .iter()
                .any(|cidr| cidr.broadcast() == Some(address))
    }

    /// Whether `address` can be the source of a datagram from the link: a station's address that
    /// is not ours (RFC 1122 §3.2.1.3).
    #[must_use]
    pub fn is_valid_source(&self, address: Ipv4Addr) -> bool {
        is_host(address) && !(self.is_broadcast(address) || self.is_local(address))
    }

    /// Whether a datagram to `destination` may carry `source`: an address of ours, and no loopback
    /// address on the link (RFC 1122 §3.2.1.3).
    #[must_use]
    pub fn may_send(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.is_local(source) && (!source.is_loopback() || self.is_local(destination))
    }

    /// The next hop towards `destination`; `None` if no route leads there, as to what can be no host.
    #[must_use]
    pub fn hop(&self, destination: Ipv4Addr) -> Option<Hop> {
        if self.is_local(destination) {
            return Some(Hop::Local);
        }
        if self.is_broadcast(destination) {
            return Some(Hop::Broadcast);
        }
        if destination.is_multicast() {
            return Some(Hop::Multicast);
        }
        if !is_host(destination) {
            return None;
        }
        if self.addresses.iter().any(|cidr| cidr.contains(destination)) {
            return Some(Hop::Station(destination));
        }
        let route = self
            .routes
            .iter()
            .find(|route| route.destination.contains(destination))?;
        Some(Hop::Station(match route.gateway.is_unspecified() {
            true => destination,
            false => route.gateway,
        }))
    }

    /// The address of ours from which to speak to `destination`: the one in the next hop's
    /// network, else the first.
    #[must_use]
    pub fn source_for(&self, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        let hop = match self.hop(destination)? {
            Hop::Local => return Some(destination),
            Hop::Station(hop) => hop,
            Hop::Broadcast | Hop::Multicast => destination,
        };
        let near = self.addresses.iter().find(|cidr| cidr.contains(hop));
        near.or(self.addresses.first()).map(Cidr::address)
    }
}
