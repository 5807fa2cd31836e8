//! The DHCPv6 client's place in the stack.

use core::fmt;
use core::iter;
use core::net::Ipv6Addr;

use super::V6;
use super::addresses::is_link_local;
use super::egress::Outgoing;
use crate::proto::Instant;
use crate::proto::dhcpv6::{self, Client, Information, Lease};
use crate::proto::interface::{Event, Interface, Transmit};
use crate::proto::ip::Endpoint;
use crate::proto::ip::v4::protocol::UDP;
use crate::proto::link::ethernet::MacAddr;
use crate::proto::udp;

/// The flags of router advertisements that have DHCPv6 asked: for addresses, and for other things (RFC 4861 §4.2).
const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;

/// What the stack asks of its DHCPv6 client.
///
/// There is one that does it, [`Dhcp`]. It is behind a trait so that the calls that start it are the only
/// ones that lead to its code: a program without them is linked without it.
pub(super) trait Configure: Send {
    /// The lease that is held now.
    fn lease(&self) -> Option<&Lease>;

    /// What a server has said that is the same for all hosts.
    fn information(&self) -> Option<&Information>;

    /// When [`Configure::poll`] wants to be called next.
    fn poll_at(&self) -> Instant;

    /// Does what is due; messages go from `source`, which is link-local.
    fn poll(
        &mut self,
        stack: &mut Interface,
        now: Instant,
        source: Ipv6Addr,
        out: &mut dyn Transmit,
    );

    /// Takes a message of a server.
    fn handle(&mut self, stack: &mut Interface, now: Instant, message: &[u8]);

    /// Another station has `address`.
    fn refused(&mut self, stack: &mut Interface, now: Instant, address: Ipv6Addr);

    /// Whether it asks for addresses, and not for information alone.
    fn is_stateful(&self) -> bool;

    /// Whether a client runs that asks for information alone.
    fn runs_stateless(&self) -> bool;

    /// That client, which says the farewell of one beside it, and what is known by it.
    fn into_stateless(self: Box<Self>) -> (Client, Option<Information>);

    /// The client that asks for what was asked for last.
    fn into_client(self: Box<Self>) -> Client;

    /// Octets of memory held.
    fn octets(&self) -> usize;

    /// Whether it says no more than goodbye.
    fn is_stopped(&self) -> bool;

    /// Gives up all that was taken of a lease, and says so to its server.
    fn release(&mut self, stack: &mut Interface, now: Instant);
}

impl fmt::Debug for dyn Configure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configure")
            .field("lease", &self.lease())
            .finish_non_exhaustive()
    }
}

impl Interface {
    /// Asks the link's DHCPv6 servers for an address, and takes it when the link has been asked whether it is free:
    /// [`Event::Dhcpv6`] tells. False where IPv6 is not spoken.
    ///
    /// A client that runs already is replaced; the addresses of its lease are withdrawn.
    pub fn start_dhcpv6(&mut self, now: Instant) -> bool {
        self.set_dhcpv6(now, Client::new)
    }

    /// As [`Interface::start_dhcpv6`], for information alone, of which [`Event::Informed`] tells: where addresses come
    /// from routers.
    pub fn start_dhcpv6_stateless(&mut self, now: Instant) -> bool {
        self.set_dhcpv6(now, Client::stateless)
    }

    fn set_dhcpv6(
        &mut self,
        now: Instant,
        client: fn(Instant, MacAddr, [u8; 16]) -> Client,
    ) -> bool {
        if self.egress.v6.is_none() {
            return false;
        }
        let stale = |event: &Event| matches!(event, Event::Dhcpv6(_) | Event::Informed(_));
        self.events.retain(|event| !stale(event));
        // What was learned without state holds, and is asked for, until there is a lease: there may never be one.
        let v6 = self.egress.v6.as_deref_mut();
        let before = v6.and_then(|v6| v6.dhcp.take_if(|it| it.runs_stateless()));
        let (mut stateless, information) = before.map(|it| it.into_stateless()).unzip();
        self.stop_dhcpv6(now);
        let seed = self.dhcp_seed();
        let mut client = client(now, self.egress.mac, seed);
        let v6 = self.egress.v6.as_deref_mut();
        let before = v6.and_then(|v6| v6.dhcp.take()).map(|it| it.into_client());
        if let Some(before) = before.or_else(|| stateless.take_if(|_| !client.is_stateful())) {
            client.go_on(before);
        }
        let dhcp = Dhcp {
            client,
            stateless,
            resumes: false,
            taken: Vec::new(),
            information: information.flatten(),
            stopped: false,
        };
        let v6 = self.egress.v6.as_deref_mut();
        v6.map(|v6| v6.dhcp = Some(Box::new(dhcp))).is_some()
    }

    /// Does as the flags of a router advertisement say (RFC 4861 §4.2). A client that runs, or was stopped, stays as it
    /// is; but where one asks for information alone there may be addresses, too.
    pub(super) fn follow_flags(&mut self, now: Instant, flags: u8) {
        let (managed, other) = (flags & MANAGED != 0, flags & OTHER != 0);
        let stays = |dhcp: &dyn Configure| dhcp.is_stopped() || dhcp.is_stateful() || !managed;
        if self.dhcpv6().is_some_and(stays) {
            return;
        }
        if managed {
            self.start_dhcpv6(now);
        } else if other {
            self.start_dhcpv6_stateless(now);
        }
    }

    /// Gives the addresses back and asks for no others; the server is told up to four times.
    pub fn stop_dhcpv6(&mut self, now: Instant) {
        self.with_dhcpv6(|dhcp, stack| dhcp.release(stack, now));
    }

    /// Whether a DHCPv6 client runs.
    #[must_use]
    pub fn runs_dhcpv6(&self) -> bool {
        self.dhcpv6().is_some_and(|dhcp| !dhcp.is_stopped())
    }

    /// Whether one runs that asks for addresses.
    pub(crate) fn runs_dhcpv6_stateful(&self) -> bool {
        let dhcp = self.dhcpv6().filter(|dhcp| dhcp.is_stateful());
        dhcp.is_some_and(|dhcp| !dhcp.is_stopped())
    }

    fn dhcpv6(&self) -> Option<&dyn Configure> {
        self.egress.v6.as_deref()?.dhcp.as_deref()
    }

    /// The lease of DHCPv6 that is held now.
    #[must_use]
    pub fn lease_v6(&self) -> Option<&Lease> {
        self.dhcpv6()?.lease()
    }

    /// What a DHCPv6 server has said last that is the same for all hosts of the link.
    #[must_use]
    pub fn information_v6(&self) -> Option<&Information> {
        self.dhcpv6()?.information()
    }

    /// Lends the client what it belongs to. Nothing that it calls asks for it.
    fn with_dhcpv6(&mut self, call: impl FnOnce(&mut dyn Configure, &mut Self)) {
        let v6 = self.egress.v6.as_deref_mut();
        if let Some(mut dhcp) = v6.and_then(|v6| v6.dhcp.take()) {
            call(&mut *dhcp, self);
            if let Some(v6) = self.egress.v6.as_deref_mut() {
                v6.dhcp = Some(dhcp);
            }
        }
    }

    pub(super) fn poll_dhcpv6(&mut self, now: Instant, out: &mut dyn Transmit) {
        let v6 = self.egress.v6.as_deref();
        let due = v6.and_then(V6::dhcp_at).is_some_and(|at| at <= now);
        if let Some(source) = v6.and_then(V6::link_local).filter(|_| due) {
            self.with_dhcpv6(|dhcp, stack| dhcp.poll(stack, now, source, out));
        }
    }

    /// Whether a UDP datagram is for the client: servers and relays send from what port they like (RFC 8415 §7.2).
    pub(super) fn is_for_dhcpv6(&self, destination: Ipv6Addr, segment: &[u8]) -> bool {
        self.dhcpv6().is_some()
            && segment.get(2..4) == Some(&dhcpv6::CLIENT_PORT.to_be_bytes())
            && is_link_local(destination)
    }

    /// Takes a datagram for the client, whose checksum the device vouches for or not.
    pub(super) fn deliver_dhcpv6(
        &mut self,
        now: Instant,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        segment: &[u8],
        checksummed: bool,
    ) {
        let ends = (source.into(), destination.into());
        if let Some(message) = self.take_message(ends, segment, checksummed) {
            self.with_dhcpv6(|dhcp, stack| dhcp.handle(stack, now, message));
        }
    }

    /// Another station has an address of the lease.
    pub(super) fn dhcpv6_refused(&mut self, now: Instant, address: Ipv6Addr) {
        self.with_dhcpv6(|dhcp, stack| dhcp.refused(stack, now, address));
    }
}

/// The client, and what of its lease the stack has taken.
struct Dhcp {
    client: Client,
    /// What goes on to ask for information alone until there is a lease.
    stateless: Option<Client>,
    /// Such a client had begun before the lease, and is to begin again after it.
    resumes: bool,
    taken: Vec<Ipv6Addr>,
    information: Option<Information>,
    stopped: bool,
}

impl V6 {
    /// When the client wants to be called next: not before there is an address to speak from.
    pub(super) fn dhcp_at(&self) -> Option<Instant> {
        let dhcp = self.dhcp.as_ref()?;
        self.link_local()?;
        Some(dhcp.poll_at()).filter(|at| *at < Instant::FAR_FUTURE)
    }
}

impl Configure for Dhcp {
    fn lease(&self) -> Option<&Lease> {
        self.client.lease()
    }

    fn information(&self) -> Option<&Information> {
        self.information.as_ref()
    }

    fn poll_at(&self) -> Instant {
        let stateless = self.stateless.as_ref().map(Client::poll_at);
        let next = self.client.poll_at();
        stateless.map_or(next, |at| at.min(next))
    }

    fn poll(
        &mut self,
        stack: &mut Interface,
        now: Instant,
        source: Ipv6Addr,
        out: &mut dyn Transmit,
    ) {
        loop {
            let Some((message, event)) = self
                .clients()
                .map(|client| client.poll(now))
                .find(|(message, event)| message.is_some() || event.is_some())
            else {
                return;
            };
            if let Some(message) = message {
                send(stack, now, source, &message, out);
            }
            self.tell(stack, now, event);
        }
    }

    fn handle(&mut self, stack: &mut Interface, now: Instant, message: &[u8]) {
        // Each passes over what is an answer to the other.
        let event = self
            .clients()
            .find_map(|client| client.handle(now, message));
        self.tell(stack, now, event);
    }

    fn refused(&mut self, stack: &mut Interface, now: Instant, address: Ipv6Addr) {
        let event = self.client.decline(now, address);
        self.tell(stack, now, event);
    }

    fn is_stateful(&self) -> bool {
        self.client.is_stateful()
    }

    fn runs_stateless(&self) -> bool {
        !self.stopped && (self.stateless.is_some() || !self.client.is_stateful())
    }

    fn into_stateless(mut self: Box<Self>) -> (Client, Option<Information>) {
        if let Some(mut stateless) = self.stateless {
            stateless.go_on(self.client);
            self.client = stateless;
        }
        (self.client, self.information)
    }

    fn into_client(self: Box<Self>) -> Client {
        self.client
    }

    fn octets(&self) -> usize {
        let stateless = self.stateless.as_ref().map_or(0, Client::octets);
        let information = self.information.as_ref().map_or(0, Information::octets);
        let taken = self.taken.capacity() * size_of::<Ipv6Addr>();
        size_of::<Self>() + self.client.octets() + stateless + taken + information
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn release(&mut self, stack: &mut Interface, now: Instant) {
        self.stopped = true;
        self.stateless = None;
        if self.client.release(now).is_some() {
            self.information = None;
            self.withdraw(stack, now, &[]);
            stack.push_event(Event::Dhcpv6(None));
        }
    }
}

impl Dhcp {
    /// Those that run, which asks for addresses first.
    fn clients(&mut self) -> impl Iterator<Item = &mut Client> {
        iter::once(&mut self.client).chain(&mut self.stateless)
    }

    fn tell(&mut self, stack: &mut Interface, now: Instant, event: Option<dhcpv6::Event>) {
        match event {
            Some(dhcpv6::Event::Bound(lease)) => {
                self.take(stack, now, &lease);
                if let Some(stateless) = self.stateless.take() {
                    self.client.go_on(stateless);
                    self.resumes = true;
                }
                stack.push_event(Event::Dhcpv6(Some(lease)));
            }
            Some(dhcpv6::Event::Lost(_)) => {
                self.information = None;
                self.withdraw(stack, now, &[]);
                stack.push_event(Event::Dhcpv6(None));
                if self.resumes {
                    let seed = stack.dhcp_seed();
                    self.stateless = Some(Client::stateless(now, stack.egress.mac, seed));
                }
            }
            Some(dhcpv6::Event::Informed(information)) => {
                self.information = Some(information.clone());
                stack.push_event(Event::Informed(information));
            }
            None => {}
        }
    }

    /// Takes what `lease` grants, and gives up what the lease before it did and this one does not.
    fn take(&mut self, stack: &mut Interface, now: Instant, lease: &Lease) {
        let granted = lease.held();
        self.withdraw(stack, now, &granted);
        for held in &lease.addresses {
            let until = (held.preferred_until, held.valid_until);
            stack.set_leased_v6(now, held.address, until);
        }
        self.taken = granted;
        self.information = Some(lease.information.clone());
    }

    /// Gives up the addresses that were taken, but for some.
    fn withdraw(&mut self, stack: &mut Interface, now: Instant, but: &[Ipv6Addr]) {
        for address in core::mem::take(&mut self.taken) {
            if !but.contains(&address) {
                stack.remove_leased_v6(now, address);
            }
        }
    }
}

fn send(
    stack: &mut Interface,
    now: Instant,
    source: Ipv6Addr,
    message: &[u8],
    out: &mut dyn Transmit,
) {
    let len = udp::HEADER_LEN + message.len();
    let packet = Outgoing::new(source, dhcpv6::SERVERS, UDP, len);
    let from = Endpoint::new(source.into(), dhcpv6::CLIENT_PORT);
    let to = Endpoint::new(dhcpv6::SERVERS.into(), dhcpv6::SERVER_PORT);
    let mut write = |room: &mut [u8]| udp::write(from, to, message, room);
    match stack.egress.send_v6(now, &packet, &mut write, out) {
        Ok(()) => stack.udp_counters.out_datagrams += 1,
        Err(_) => stack.udp_counters.sndbuf_errors += 1,
    }
}
