//! The DHCP client's place in the stack.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use super::{Event, Interface, Transmit};
use crate::proto::Instant;
use crate::proto::dhcp::{self, Client, Lease, Outgoing};
use crate::proto::ip::pmtu;
use crate::proto::ip::v4::Route;
use crate::proto::ip::v4::{Header, protocol};
use crate::proto::udp;

/// A smaller MTU is not believed: what a host must accept whole (RFC 791 §3.2).
const LEAST_MTU: u16 = pmtu::MINIMUM as u16;

/// What the stack asks of its DHCP client.
///
/// There is one that does it, [`Dhcp`]. It is behind a trait so that the calls that start it are the only
/// ones that lead to its code: a program without them is linked without it.
pub(super) trait Configure: Send {
    /// The lease that is held now.
    fn lease(&self) -> Option<&Lease>;

    /// When [`Configure::poll`] wants to be called next.
    fn poll_at(&self, now: Instant) -> Instant;

    /// Does what is due.
    fn poll(&mut self, stack: &mut Interface, now: Instant, out: &mut dyn Transmit);

    /// Takes a message of a server.
    fn handle(&mut self, stack: &mut Interface, now: Instant, message: &[u8]);

    /// Another station uses `address`, and goes on with it although we have defended it, or did before we
    /// took it.
    fn conflict(&mut self, stack: &mut Interface, now: Instant, address: Ipv4Addr);

    /// Gives up all that was taken of a lease; tells whether there was one.
    fn withdraw(&mut self, stack: &mut Interface, now: Instant) -> bool;

    /// Gives the lease back, and all that was taken of it up.
    fn stop(&mut self, stack: &mut Interface, now: Instant, out: &mut dyn Transmit);
}

impl fmt::Debug for dyn Configure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configure")
            .field("lease", &self.lease())
            .finish_non_exhaustive()
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

    pub(super) fn dhcp_seed(&mut self) -> [u8; 16] {
        let mut seed = [0; 16];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_ne_bytes());
        }
        seed
    }

    fn set_client(&mut self, now: Instant, client: Client) {
        self.events
            .retain(|event| !matches!(event, Event::Lease(_)));
        self.with_dhcp(|dhcp, stack| {
            if dhcp.withdraw(stack, now) {
                stack.push_event(Event::Lease(None));
            }
        });
        let taken = None;
        self.dhcp = Some(Box::new(Dhcp { client, taken }));
    }

    /// Gives the lease back and stops asking for another.
    pub fn stop_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        self.with_dhcp(|dhcp, stack| dhcp.stop(stack, now, out));
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
        self.dhcp.as_ref()?.lease()
    }

    /// Lends the client what it belongs to. Nothing that it calls asks for it.
    fn with_dhcp(&mut self, call: impl FnOnce(&mut dyn Configure, &mut Self)) {
        if let Some(mut dhcp) = self.dhcp.take() {
            call(&mut *dhcp, self);
            self.dhcp = Some(dhcp);
        }
    }

    /// Whether a packet that is not to an address of ours may be an answer for the DHCP client: as
    /// long as there is no lease, it may come to the address that is only being offered.
    pub(super) fn accepts_unconfigured(&self, header: &Header) -> bool {
        header.protocol == protocol::UDP && self.dhcp.is_some() && self.lease().is_none()
    }

    /// Whether a UDP datagram is for the DHCP client, by its ports.
    pub(super) fn is_for_dhcp(&self, segment: &[u8]) -> bool {
        self.dhcp.is_some() && are_ports(segment, dhcp::SERVER_PORT, dhcp::CLIENT_PORT)
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
        let ends = (header.source.into(), header.destination.into());
        if let Some(message) = self.take_message(ends, segment, checksummed) {
            self.with_dhcp(|dhcp, stack| dhcp.handle(stack, now, message));
        }
    }

    /// Checks and counts a datagram for the client of either family; what it carries.
    pub(super) fn take_message<'a>(
        &mut self,
        ends: (IpAddr, IpAddr),
        segment: &'a [u8],
        checksummed: bool,
    ) -> Option<&'a [u8]> {
        match udp::check(ends, segment, checksummed) {
            Ok((_, _, length)) => {
                self.udp_counters.in_datagrams += 1;
                Some(&segment[udp::HEADER_LEN..length])
            }
            Err(checksum) => {
                self.udp_counters.in_errors += 1;
                self.udp_counters.in_csum_errors += u64::from(checksum);
                None
            }
        }
    }

    /// Another station uses an address that may be leased, and goes on with it although we have defended
    /// it, or did before we took it.
    pub(super) fn dhcp_conflict(&mut self, now: Instant, address: Ipv4Addr) {
        self.with_dhcp(|dhcp, stack| dhcp.conflict(stack, now, address));
    }

    pub(super) fn poll_dhcp(&mut self, now: Instant, out: &mut dyn Transmit) {
        let due = self.dhcp.as_ref().map(|dhcp| dhcp.poll_at(now));
        if due.is_some_and(|at| at <= now) {
            self.with_dhcp(|dhcp, stack| dhcp.poll(stack, now, out));
        }
    }
}

/// The DHCP client, and what of its lease the stack has taken.
struct Dhcp {
    client: Client,
    taken: Option<Lease>,
}

impl Configure for Dhcp {
    fn lease(&self) -> Option<&Lease> {
        self.client.lease()
    }

    fn poll_at(&self, now: Instant) -> Instant {
        self.client.poll_at(now)
    }

    fn poll(&mut self, stack: &mut Interface, now: Instant, out: &mut dyn Transmit) {
        loop {
            let (outgoing, event) = self.client.poll(now);
            if outgoing.is_none() && event.is_none() {
                return;
            }
            if let Some(outgoing) = outgoing {
                send(stack, now, &outgoing, out);
            }
            if let Some(event) = event {
                self.tell(stack, now, event);
            }
        }
    }

    fn handle(&mut self, stack: &mut Interface, now: Instant, message: &[u8]) {
        if let Some(event) = self.client.handle(now, message) {
            self.tell(stack, now, event);
        }
    }

    fn conflict(&mut self, stack: &mut Interface, now: Instant, address: Ipv4Addr) {
        let leased = self.client.lease().map(|lease| lease.address.address());
        if leased == Some(address) && self.client.decline(now).is_some() {
            self.withdraw(stack, now);
            stack.push_event(Event::Lease(None));
        }
    }

    fn withdraw(&mut self, stack: &mut Interface, now: Instant) -> bool {
        let Some(lease) = self.taken.take() else {
            return false;
        };
        for route in &lease.routes {
            withdraw_route(stack, route);
        }
        stack.remove_address_v4(now, lease.address.address());
        stack.set_mtu(None);
        true
    }

    fn stop(&mut self, stack: &mut Interface, now: Instant, out: &mut dyn Transmit) {
        if self.client.release().is_some()
            && let (Some(outgoing), _) = self.client.poll(now)
        {
            send(stack, now, &outgoing, out);
        }
        self.withdraw(stack, now);
    }
}

impl Dhcp {
    fn tell(&mut self, stack: &mut Interface, now: Instant, event: dhcp::Event) {
        match event {
            dhcp::Event::Bound(lease) => {
                self.take(stack, now, &lease);
                stack.push_event(Event::Lease(Some(lease)));
            }
            dhcp::Event::Renewed => {}
            dhcp::Event::Lost(_) => {
                self.withdraw(stack, now);
                stack.push_event(Event::Lease(None));
            }
        }
    }

    /// Takes what `lease` grants, and gives up what the lease before it did and this one does not.
    fn take(&mut self, stack: &mut Interface, now: Instant, lease: &Lease) {
        let before = self.taken.replace(lease.clone());
        if let Some(before) = &before {
            for route in &before.routes {
                if !lease.routes.contains(route) {
                    withdraw_route(stack, route);
                }
            }
            if before.address.address() != lease.address.address() {
                stack.remove_address_v4(now, before.address.address());
            }
        }
        if before.is_none_or(|before| before.address != lease.address) {
            stack.add_address_v4(now, lease.address);
        }
        for route in &lease.routes {
            stack.add_route((*route).into());
        }
        stack.set_mtu(lease.mtu.filter(|mtu| *mtu >= LEAST_MTU).map(usize::from));
    }
}

/// Whether a UDP datagram is from one port to another.
pub(super) fn are_ports(segment: &[u8], source: u16, destination: u16) -> bool {
    let ports = segment.first_chunk().copied().map(u32::from_be_bytes);
    ports == Some(u32::from(source) << 16 | u32::from(destination))
}

/// Takes a route away unless another has been put in its place.
fn withdraw_route(stack: &mut Interface, route: &Route) {
    if stack.egress.routes.routes().contains(route) {
        stack.remove_route(route.destination.into());
    }
}

fn send(stack: &mut Interface, now: Instant, outgoing: &Outgoing, out: &mut dyn Transmit) {
    let source = SocketAddrV4::new(outgoing.source, dhcp::CLIENT_PORT);
    let destination = SocketAddrV4::new(outgoing.destination, dhcp::SERVER_PORT);
    let len = udp::HEADER_LEN + outgoing.payload.len();
    let header = Header::new(outgoing.source, outgoing.destination, protocol::UDP, len);
    if header.total_len > stack.egress.link_mtu {
        return;
    }
    stack.udp_counters.out_datagrams += 1;
    let write = |room: &mut [u8]| udp::write(source, destination, &outgoing.payload, room);
    if outgoing.destination.is_broadcast() {
        stack
            .egress
            .broadcast_unconfigured(now, &header, write, out);
    } else if stack.egress.send(now, &header, write, out).is_err() {
        stack.udp_counters.sndbuf_errors += 1;
    }
}

#[cfg(test)]
mod tests;
