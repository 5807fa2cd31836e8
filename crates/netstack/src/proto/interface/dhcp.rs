//! The DHCP client's place in the stack.

use core::net::{Ipv4Addr, SocketAddrV4};

use super::{Event, Interface, Transmit};
use crate::proto::Instant;
use crate::proto::dhcp::{self, Client, Lease, Outgoing};
use crate::proto::ip::Route;
use crate::proto::ip::pmtu;
use crate::proto::ip::v4::{Header, protocol};
use crate::proto::udp;

/// A smaller MTU is not believed: what a host must accept whole (RFC 791 §3.2).
const LEAST_MTU: u16 = pmtu::MINIMUM as u16;

/// The DHCP client, and what of its lease the stack has taken.
#[derive(Debug)]
pub(super) struct Dhcp {
    client: Client,
    taken: Option<Lease>,
}

impl Dhcp {
    pub(super) fn poll_at(&self, now: Instant) -> Instant {
        self.client.poll_at(now)
    }
}

impl Interface {
    /// Looks for a DHCP server, and takes the address, the routes and the MTU that it gives:
    /// [`Event::Lease`] tells of them.
    ///
    /// A client that runs already is replaced: its address and routes are withdrawn at once, and no
    /// event of its waits any longer. Until the new one's lease, [`Interface::lease`] is `None`.
    pub fn start_dhcp(&mut self, now: Instant) {
        let seed = self.dhcp_seed();
        self.set_client(now, Client::new(now, self.egress.mac, seed));
    }

    /// As [`Interface::start_dhcp`], but asks first for `address`, which we had before a restart
    /// (INIT-REBOOT, RFC 2131 §3.2): two messages instead of four if the server agrees.
    pub fn resume_dhcp(&mut self, now: Instant, address: Ipv4Addr) {
        let seed = self.dhcp_seed();
        self.set_client(now, Client::reboot(now, self.egress.mac, seed, address));
    }

    fn dhcp_seed(&mut self) -> [u8; 16] {
        let mut seed = [0; 16];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_ne_bytes());
        }
        seed
    }

    fn set_client(&mut self, now: Instant, client: Client) {
        self.events
            .retain(|event| !matches!(event, Event::Lease(_)));
        if self.withdraw_lease(now) {
            self.push_event(Event::Lease(None));
        }
        self.dhcp = Some(Dhcp {
            client,
            taken: None,
        });
    }

    /// Gives the lease back and stops asking for another.
    pub fn stop_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        let Some(dhcp) = &mut self.dhcp else { return };
        if dhcp.client.release().is_some()
            && let (Some(outgoing), _) = dhcp.client.poll(now)
        {
            self.send_dhcp(now, &outgoing, out);
        }
        self.withdraw_lease(now);
        self.dhcp = None;
    }

    /// Whether a DHCP client runs: one that was started and not stopped.
    #[must_use]
    pub fn runs_dhcp(&self) -> bool {
        self.dhcp.is_some()
    }

    /// The lease that is held now.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.dhcp.as_ref()?.client.lease()
    }

    /// Whether a packet that is not to an address of ours may be an answer for the DHCP client: as
    /// long as there is no lease, it may come to the address that is only being offered.
    pub(super) fn accepts_unconfigured(&self, header: &Header) -> bool {
        header.protocol == protocol::UDP && self.dhcp.is_some() && self.lease().is_none()
    }

    /// Whether a UDP datagram is for the DHCP client, by its ports.
    pub(super) fn is_for_dhcp(&self, segment: &[u8]) -> bool {
        let ports = segment.first_chunk().copied().map(u32::from_be_bytes);
        let ours = u32::from(dhcp::SERVER_PORT) << 16 | u32::from(dhcp::CLIENT_PORT);
        self.dhcp.is_some() && ports == Some(ours)
    }

    /// Takes a datagram for the DHCP client. Its checksum is verified as that of every other: a host
    /// that hands datagrams of its own to a guest without having summed them up says so with each
    /// frame, and then the device vouches for it.
    pub(super) fn deliver_dhcp(
        &mut self,
        now: Instant,
        header: &Header,
        segment: &[u8],
        checksummed: bool,
    ) {
        let length = match udp::check(header, segment, checksummed) {
            Ok((_, _, length)) => length,
            Err(checksum) => {
                self.udp_counters.in_errors += 1;
                self.udp_counters.in_csum_errors += u64::from(checksum);
                return;
            }
        };
        self.udp_counters.in_datagrams += 1;
        let Some(dhcp) = &mut self.dhcp else { return };
        let event = dhcp.client.handle(now, &segment[udp::HEADER_LEN..length]);
        if let Some(event) = event {
            self.dhcp_event(now, event);
        }
    }

    fn dhcp_event(&mut self, now: Instant, event: dhcp::Event) {
        match event {
            dhcp::Event::Bound(lease) => {
                self.take_lease(now, &lease);
                self.push_event(Event::Lease(Some(lease)));
            }
            dhcp::Event::Renewed => {}
            dhcp::Event::Lost(_) => {
                self.withdraw_lease(now);
                self.push_event(Event::Lease(None));
            }
        }
    }

    /// Takes what `lease` grants, and gives up what the lease before it did and this one does not.
    fn take_lease(&mut self, now: Instant, lease: &Lease) {
        let before = self.dhcp.as_mut().and_then(|dhcp| dhcp.taken.take());
        if let Some(before) = &before {
            for route in &before.routes {
                if !lease.routes.contains(route) {
                    self.withdraw_route(route);
                }
            }
            if before.address.address() != lease.address.address() {
                self.remove_address(now, before.address.address());
            }
        }
        if before.is_none_or(|before| before.address != lease.address) {
            self.add_address(now, lease.address);
        }
        for route in &lease.routes {
            self.add_route(*route);
        }
        self.set_mtu(lease.mtu.filter(|mtu| *mtu >= LEAST_MTU).map(usize::from));
        if let Some(dhcp) = &mut self.dhcp {
            dhcp.taken = Some(lease.clone());
        }
    }

    /// Gives up all that was taken of a lease; tells whether there was one.
    fn withdraw_lease(&mut self, now: Instant) -> bool {
        let Some(lease) = self.dhcp.as_mut().and_then(|dhcp| dhcp.taken.take()) else {
            return false;
        };
        for route in &lease.routes {
            self.withdraw_route(route);
        }
        self.remove_address(now, lease.address.address());
        self.set_mtu(None);
        true
    }

    /// Takes a route away unless another has been put in its place.
    fn withdraw_route(&mut self, route: &Route) {
        if self.routes().contains(route) {
            self.remove_route(route.destination);
        }
    }

    /// Another station uses the address that we lease, and goes on with it although we have defended
    /// it, or did before we took it.
    pub(super) fn dhcp_conflict(&mut self, now: Instant, address: Ipv4Addr) {
        let Some(dhcp) = &mut self.dhcp else { return };
        let leased = dhcp.client.lease().map(|lease| lease.address.address());
        if leased == Some(address) && dhcp.client.decline(now).is_some() {
            self.withdraw_lease(now);
            self.push_event(Event::Lease(None));
        }
    }

    pub(super) fn poll_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        while let Some(dhcp) = &mut self.dhcp {
            let (outgoing, event) = dhcp.client.poll(now);
            if outgoing.is_none() && event.is_none() {
                return;
            }
            if let Some(outgoing) = outgoing {
                self.send_dhcp(now, &outgoing, out);
            }
            if let Some(event) = event {
                self.dhcp_event(now, event);
            }
        }
    }

    fn send_dhcp(&mut self, now: Instant, outgoing: &Outgoing, out: &mut dyn Transmit) {
        let source = SocketAddrV4::new(outgoing.source, dhcp::CLIENT_PORT);
        let destination = SocketAddrV4::new(outgoing.destination, dhcp::SERVER_PORT);
        let len = udp::HEADER_LEN + outgoing.payload.len();
        let header = Header::new(outgoing.source, outgoing.destination, protocol::UDP, len);
        if header.total_len > self.egress.link_mtu {
            return;
        }
        self.udp_counters.out_datagrams += 1;
        let write = |room: &mut [u8]| udp::write(source, destination, &outgoing.payload, room);
        if outgoing.destination.is_broadcast() {
            self.egress.broadcast_unconfigured(now, &header, write, out);
        } else if self.egress.send(now, &header, write, out).is_err() {
            self.udp_counters.sndbuf_errors += 1;
        }
    }
}

#[cfg(test)]
mod tests;
