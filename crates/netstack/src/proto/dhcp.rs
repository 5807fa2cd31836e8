//! The DHCP client (RFC 2131) as a state machine: datagrams in, datagrams out, a deadline.
//!
//! The states are those of RFC 2131 §4.4, figure 5, of which REBOOTING is entered by
//! [`Client::reboot`]: a unikernel remembers nothing over a restart, but may be told.
//!
//! However servers answer, no more is sent than a message at once and, from then on, one for each
//! wait of at least a second that doubles up to about a minute, unless a server grants what was asked
//! for; a lease is extended after five seconds at the earliest.

mod lease;
mod message;
mod wire;

use core::net::Ipv4Addr;
use core::time::Duration;

use super::Instant;
use super::link::ethernet::MacAddr;
use super::random::Random;
use super::searches::Failures;
pub use lease::Lease;
use lease::{EXTEND_WAIT, LEAST_LEASE, Times};
use message::{Kind, Reply, Request};

/// UDP port of servers.
pub const SERVER_PORT: u16 = 67;
/// UDP port of clients.
pub const CLIENT_PORT: u16 = 68;

/// The first time to wait for an answer; it doubles up to [`LONGEST_WAIT`] (RFC 2131 §4.1).
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// Requests for an offered address before the search begins again.
const REQUEST_TRIES: u32 = 4;
/// Requests for a remembered address before the search begins.
const REBOOT_TRIES: u32 = 2;
/// From a declined address to the next search (RFC 2131 §3.1, step 5).
const DECLINE_WAIT: Duration = Duration::from_secs(10);

/// What [`Client::poll`] and [`Client::handle`] tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An address was granted, or extended with other parameters.
    Bound(Lease),
    /// The lease was extended as it was.
    Renewed,
    /// The lease is over, or was taken back: the address must not be used any more.
    Lost(Lease),
}

/// A datagram to be sent from [`CLIENT_PORT`] to [`SERVER_PORT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// 0.0.0.0 before there is an address.
    pub source: Ipv4Addr,
    /// A server, or 255.255.255.255.
    pub destination: Ipv4Addr,
    /// The DHCP message.
    pub payload: Vec<u8>,
}

#[derive(Clone, Debug)]
enum State {
    Init {
        at: Instant,
    },
    Rebooting {
        address: Ipv4Addr,
        tries: u32,
        next: Instant,
    },
    Selecting {
        tries: u32,
        next: Instant,
    },
    Requesting {
        offer: Reply,
        tries: u32,
        next: Instant,
    },
    Bound {
        lease: Lease,
        times: Times,
    },
    /// RENEWING before `times.rebind`, REBINDING after it.
    Extending {
        lease: Lease,
        times: Times,
        next: Instant,
    },
}

/// A client for one interface.
#[derive(Debug)]
pub struct Client {
    mac: MacAddr,
    state: State,
    xid: u32,
    /// When the present exchange began: the field `secs` counts from here.
    began: Instant,
    /// `secs` of the last DHCPDISCOVER.
    discovered: u16,
    /// When the last DHCPREQUEST was sent: the times of a lease count from here (RFC 2131 §4.4.1).
    asked: Instant,
    /// When the present lease was granted first.
    granted: Instant,
    failures: Failures,
    random: Random,
    /// A DHCPDECLINE or DHCPRELEASE that waits to be sent.
    farewell: Option<Outgoing>,
}

impl Client {
    /// A client that starts to look for a server at once. `seed` varies its transaction
    /// identifiers and waits.
    #[must_use]
    pub fn new(now: Instant, mac: MacAddr, seed: [u8; 16]) -> Self {
        let mut random = Random::new(seed);
        Self {
            mac,
            state: State::Init { at: now },
            xid: random.next_u32(),
            began: now,
            discovered: 0,
            asked: now,
            granted: now,
            failures: Failures::default(),
            random,
            farewell: None,
        }
    }

    /// As [`Client::new`], for a client that had `address` before it was restarted: asks whether it
    /// still has it (INIT-REBOOT, RFC 2131 §3.2), and searches if no server says so.
    #[must_use]
    pub fn reboot(now: Instant, mac: MacAddr, seed: [u8; 16], address: Ipv4Addr) -> Self {
        let mut client = Self::new(now, mac, seed);
        if lease::is_host(address) {
            client.state = State::Rebooting {
                address,
                tries: 0,
                next: now,
            };
        }
        client
    }

    /// The lease that is held now.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Bound { lease, .. } | State::Extending { lease, .. } => Some(lease),
            _ => None,
        }
    }

    /// When [`Client::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self, now: Instant) -> Instant {
        match &self.state {
            _ if self.farewell.is_some() => now,
            State::Init { at } => *at,
            State::Rebooting { next, .. }
            | State::Selecting { next, .. }
            | State::Requesting { next, .. } => *next,
            State::Bound { times, .. } => times.renew.min(times.expire),
            State::Extending { times, next, .. } => (*next).min(times.expire),
        }
    }

    /// Does what is due: a datagram to send, or the news that the lease is over. Call until neither
    /// is returned; that is after three calls at most.
    pub fn poll(&mut self, now: Instant) -> (Option<Outgoing>, Option<Event>) {
        if let Some(farewell) = self.farewell.take() {
            return (Some(farewell), None);
        }
        if now < self.poll_at(now) {
            return (None, None);
        }
        match self.state.clone() {
            State::Init { .. } => (Some(self.discover(now, 0)), None),
            State::Rebooting { tries, .. } if tries >= REBOOT_TRIES => {
                (Some(self.discover(now, 0)), None)
            }
            State::Rebooting { address, tries, .. } => {
                (Some(self.verify(now, address, tries)), None)
            }
            State::Selecting { tries, .. } => (Some(self.discover(now, tries)), None),
            State::Requesting { tries, .. } if tries >= REQUEST_TRIES => {
                (Some(self.discover(now, 0)), None)
            }
            State::Requesting { offer, tries, .. } => (Some(self.request(now, offer, tries)), None),
            State::Bound { lease, times } | State::Extending { lease, times, .. }
                if now >= times.expire =>
            {
                self.search_again(now);
                (None, Some(Event::Lost(lease)))
            }
            State::Bound { lease, times } | State::Extending { lease, times, .. } => {
                (Some(self.extend(now, lease, times)), None)
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        self.began = now;
        self.xid = self.random.next_u32();
    }

    fn seconds(&self, now: Instant) -> u16 {
        u16::try_from((now - self.began).as_secs()).unwrap_or(u16::MAX)
    }

    /// 4, 8, 16, 32, 64 s, each with a random second more or less (RFC 2131 §4.1).
    fn wait(&mut self, tries: u32) -> Duration {
        let wait = (FIRST_WAIT * (1 << tries.min(8))).min(LONGEST_WAIT);
        let jitter = self.random.next_u64() % 2_000_000_000;
        wait - Duration::from_secs(1) + Duration::from_nanos(jitter)
    }

    /// Begins anew after a refusal or the end of a lease: at once if a lease was held for long, else
    /// the later the more often that has been of no use.
    fn search_again(&mut self, now: Instant) {
        let held = self.lease().map(|_| now - self.granted);
        let at = now + self.failures.wait(held);
        self.state = State::Init { at };
    }

    fn discover(&mut self, now: Instant, tries: u32) -> Outgoing {
        if tries == 0 {
            self.begin(now);
        }
        let next = now + self.wait(tries);
        self.state = State::Selecting {
            tries: tries.saturating_add(1),
            next,
        };
        self.discovered = self.seconds(now);
        self.broadcast(self.discovered, &Request::new(Kind::Discover))
    }

    /// Asks whether a remembered address is still ours (RFC 2131 §4.3.2, INIT-REBOOT).
    fn verify(&mut self, now: Instant, address: Ipv4Addr, tries: u32) -> Outgoing {
        if tries == 0 {
            self.begin(now);
        }
        let request = Request {
            requested: Some(address),
            ..Request::new(Kind::Request)
        };
        let next = now + self.wait(tries);
        let tries = tries + 1;
        self.state = State::Rebooting {
            address,
            tries,
            next,
        };
        self.asked = now;
        self.broadcast(self.seconds(now), &request)
    }

    fn request(&mut self, now: Instant, offer: Reply, tries: u32) -> Outgoing {
        let request = Request {
            requested: Some(offer.address),
            server: Some(offer.server),
            ..Request::new(Kind::Request)
        };
        let next = now + self.wait(tries);
        self.state = State::Requesting {
            offer,
            tries: tries + 1,
            next,
        };
        self.asked = now;
        // As in the DHCPDISCOVER, that relays send it the same way (RFC 2131 §3.1, step 3).
        self.broadcast(self.discovered, &request)
    }

    /// Asks for more time: the server that granted the lease, or, from T2 on, all.
    fn extend(&mut self, now: Instant, lease: Lease, times: Times) -> Outgoing {
        if matches!(self.state, State::Bound { .. }) {
            self.begin(now);
        }
        let source = lease.address.address();
        let request = Request {
            client: source,
            ..Request::new(Kind::Request)
        };
        let renewing = now < times.rebind;
        let end = if renewing { times.rebind } else { times.expire };
        // Half of what is left, but not less than a minute, nor later than the end.
        let next = (now + ((end - now) / 2).max(EXTEND_WAIT)).min(end);
        let destination = if renewing {
            lease.server
        } else {
            Ipv4Addr::BROADCAST
        };
        self.state = State::Extending { lease, times, next };
        self.asked = now;
        let payload = request.encode(self.mac, self.xid, self.seconds(now));
        Outgoing {
            source,
            destination,
            payload,
        }
    }

    fn broadcast(&self, seconds: u16, request: &Request) -> Outgoing {
        let payload = request.encode(self.mac, self.xid, seconds);
        Outgoing {
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::BROADCAST,
            payload,
        }
    }

    /// Takes the payload of a datagram from a server. What is not an answer to us is passed over.
    pub fn handle(&mut self, now: Instant, payload: &[u8]) -> Option<Event> {
        let reply = Reply::decode(payload, self.mac, self.xid)?;
        match (self.state.clone(), reply.kind) {
            (State::Selecting { .. }, Kind::Offer) => {
                reply.network(None)?;
                // An offer need not say for how long it would be.
                if reply.duration().is_some_and(too_short) {
                    return None;
                }
                // Asked for at the next poll, at once.
                self.state = State::Requesting {
                    offer: reply,
                    tries: 0,
                    next: now,
                };
                None
            }
            (State::Requesting { offer, .. }, Kind::Ack | Kind::Nak)
                if reply.server != offer.server =>
            {
                None
            }
            (State::Rebooting { address, .. }, Kind::Ack) if reply.address != address => None,
            (State::Requesting { .. } | State::Rebooting { .. }, Kind::Ack) => {
                self.granted = now;
                self.bind(now, &reply, None)
            }
            (State::Requesting { .. } | State::Rebooting { .. }, Kind::Nak) => {
                self.search_again(now);
                None
            }
            // RENEWING is between us and one server; REBINDING asks all.
            (State::Extending { lease, times, .. }, Kind::Ack | Kind::Nak)
                if reply.server != lease.server && self.asked < times.rebind =>
            {
                None
            }
            (State::Extending { lease, .. }, Kind::Ack) => {
                let bound = self.bind(now, &reply, Some(&lease))?;
                match &bound {
                    Event::Bound(new) if *new == lease => Some(Event::Renewed),
                    _ => Some(bound),
                }
            }
            (State::Extending { lease, .. }, Kind::Nak) => {
                self.search_again(now);
                Some(Event::Lost(lease))
            }
            _ => None,
        }
    }

    fn bind(&mut self, now: Instant, reply: &Reply, before: Option<&Lease>) -> Option<Event> {
        let lease = reply.lease(before)?;
        let times = Times::new(self.asked, lease.duration, reply);
        if too_short(lease.duration) || now >= times.expire {
            return None;
        }
        self.state = State::Bound {
            lease: lease.clone(),
            times,
        };
        Some(Event::Bound(lease))
    }

    /// Another station has the address: tells the server so, and looks for another address after
    /// ten seconds (RFC 2131 §4.4.1).
    pub fn decline(&mut self, now: Instant) -> Option<Lease> {
        let lease = self.lease()?.clone();
        let request = Request {
            requested: Some(lease.address.address()),
            server: Some(lease.server),
            ..Request::new(Kind::Decline)
        };
        self.farewell = Some(self.broadcast(0, &request));
        self.state = State::Init {
            at: now + DECLINE_WAIT,
        };
        Some(lease)
    }

    /// Gives the lease back (RFC 2131 §4.4.6). The client stays silent after the farewell.
    pub fn release(&mut self) -> Option<Lease> {
        let lease = self.lease()?.clone();
        let source = lease.address.address();
        let request = Request {
            client: source,
            server: Some(lease.server),
            ..Request::new(Kind::Release)
        };
        let payload = request.encode(self.mac, self.xid, 0);
        self.farewell = Some(Outgoing {
            source,
            destination: lease.server,
            payload,
        });
        self.state = State::Init {
            at: Instant::FAR_FUTURE,
        };
        Some(lease)
    }
}

fn too_short(duration: Option<Duration>) -> bool {
    duration.is_some_and(|duration| duration < LEAST_LEASE)
}

#[cfg(test)]
pub(crate) mod tests;
