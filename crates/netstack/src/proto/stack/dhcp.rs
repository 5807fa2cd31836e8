//! The DHCP client's place in the stack.

use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};

use super::{Event, Stack, Transmit};
use crate::proto::Instant;
use crate::proto::dhcp::{self, Client, Lease, Outgoing};
use crate::proto::ipv4::{Cidr, Header, Route, protocol};
use crate::proto::udp;

impl Stack {
    /// Looks for a DHCP server, and takes the address and the router that it gives:
    /// [`Event::Lease`] tells of them.
    pub fn start_dhcp(&mut self, now: Instant) {
        let mut seed = [0; 16];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_ne_bytes());
        }
        self.dhcp = Some(Client::new(now, self.egress.mac, seed));
    }

    /// Gives the lease back and stops asking for another.
    pub fn stop_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        let Some(mut client) = self.dhcp.take() else {
            return;
        };
        if let Some(lease) = client.release(now) {
            if let (Some(outgoing), _) = client.poll(now) {
                self.send_dhcp(now, &outgoing, out);
            }
            self.drop_lease(&lease);
        }
    }

    /// The lease that is held now.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.dhcp.as_ref()?.lease()
    }

    /// Whether a packet that is not to an address of ours may be an answer for the DHCP client: it
    /// may come to the address that is only being offered.
    pub(super) fn accepts_unconfigured(&self, header: &Header) -> bool {
        self.dhcp.is_some() && header.protocol == protocol::UDP
    }

    /// Takes a UDP datagram if it is for the DHCP client; tells whether it was.
    pub(super) fn deliver_dhcp(&mut self, now: Instant, segment: &Bytes) -> bool {
        let (Some(client), Some(ports)) = (&mut self.dhcp, segment.first_chunk::<4>()) else {
            return false;
        };
        let ports = u32::from_be_bytes(*ports);
        if ports != u32::from(dhcp::SERVER_PORT) << 16 | u32::from(dhcp::CLIENT_PORT) {
            return false;
        }
        let event = segment
            .get(udp::HEADER_LEN..)
            .and_then(|payload| client.handle(now, payload));
        if let Some(event) = event {
            self.dhcp_event(now, event);
        }
        true
    }

    fn dhcp_event(&mut self, now: Instant, event: dhcp::Event) {
        match event {
            dhcp::Event::Bound(lease) => {
                self.add_address(now, lease.address);
                if let Some(route) = default_route(&lease) {
                    self.add_route(route);
                }
                self.push_event(Event::Lease(Some(lease)));
            }
            dhcp::Event::Renewed => {}
            dhcp::Event::Lost(lease) => {
                self.drop_lease(&lease);
                self.push_event(Event::Lease(None));
            }
        }
    }

    fn drop_lease(&mut self, lease: &Lease) {
        self.remove_address(lease.address.address());
        if let Some(route) = default_route(lease) {
            self.remove_route(route.destination);
        }
    }

    /// Another station uses the address that we lease.
    pub(super) fn dhcp_conflict(&mut self, now: Instant, address: Ipv4Addr) {
        let Some(client) = &mut self.dhcp else { return };
        if client
            .lease()
            .is_some_and(|lease| lease.address.address() == address)
            && let Some(lease) = client.decline(now)
        {
            self.drop_lease(&lease);
            self.push_event(Event::Lease(None));
        }
    }

    pub(super) fn poll_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        while let Some(client) = &mut self.dhcp {
            let (outgoing, event) = client.poll(now);
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

fn default_route(lease: &Lease) -> Option<Route> {
    let destination = Cidr::new(Ipv4Addr::UNSPECIFIED, 0).ok()?;
    lease.gateway.map(|gateway| Route {
        destination,
        gateway,
    })
}
