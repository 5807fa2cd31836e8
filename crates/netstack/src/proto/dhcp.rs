//! The DHCP client (RFC 2131) as a state machine: datagrams in, datagrams out, a deadline.
//!
//! The states are those of RFC 2131 §4.4, figure 5. `INIT-REBOOT` is not used: a unikernel keeps
//! nothing over a restart.

mod message;

use core::net::Ipv4Addr;
use core::time::Duration;

use super::Instant;
use super::ethernet::MacAddr;
use super::ipv4::Cidr;
use super::random::Random;
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
/// How often a lease is asked to be extended, at most (RFC 2131 §4.4.5).
const EXTEND_WAIT: Duration = Duration::from_secs(60);
/// From a declined address to the next search (RFC 2131 §3.1, step 5).
const DECLINE_WAIT: Duration = Duration::from_secs(10);
/// A lease without an end (RFC 2131 §3.3).
const INFINITE: u32 = u32::MAX;

/// What a server has granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Our address and its network.
    pub address: Cidr,
    /// The first router, if one was named.
    pub gateway: Option<Ipv4Addr>,
    /// The DNS servers, the preferred first.
    pub dns: Vec<Ipv4Addr>,
    /// The server that granted it.
    pub server: Ipv4Addr,
    /// The MTU for the interface, if one was named, in octets.
    pub mtu: Option<u16>,
    /// How long it lasts; `None` for ever.
    pub duration: Option<Duration>,
}

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

/// When the times of a lease come (RFC 2131 §4.4.5).
#[derive(Clone, Copy, Debug)]
struct Times {
    renew: Instant,
    rebind: Instant,
    expire: Instant,
}

#[derive(Clone, Debug)]
enum State {
    Init {
        at: Instant,
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
        let xid = random.next_u32();
        let (state, farewell) = (State::Init { at: now }, None);
        Self {
            mac,
            state,
            xid,
            began: now,
            random,
            farewell,
        }
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
            State::Selecting { next, .. } | State::Requesting { next, .. } => *next,
            State::Bound { times, .. } => times.renew,
            State::Extending { times, next, .. } => (*next).min(times.expire),
        }
    }

    /// Does what is due: a datagram to send, or the news that the lease is over. Call until neither
    /// is returned; that is after two calls at most.
    pub fn poll(&mut self, now: Instant) -> (Option<Outgoing>, Option<Event>) {
        if let Some(farewell) = self.farewell.take() {
            return (Some(farewell), None);
        }
        if now < self.poll_at(now) {
            return (None, None);
        }
        match self.state.clone() {
            State::Init { .. } => (Some(self.discover(now, 0)), None),
            State::Selecting { tries, .. } => (Some(self.discover(now, tries)), None),
            State::Requesting { tries, .. } if tries >= REQUEST_TRIES => {
                (Some(self.discover(now, 0)), None)
            }
            State::Requesting { offer, tries, .. } => (Some(self.request(now, offer, tries)), None),
            State::Bound { lease, times } => (Some(self.extend(now, lease, times)), None),
            State::Extending { lease, times, .. } if now >= times.expire => {
                self.state = State::Init { at: now };
                (None, Some(Event::Lost(lease)))
            }
            State::Extending { lease, times, .. } => (Some(self.extend(now, lease, times)), None),
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

    fn discover(&mut self, now: Instant, tries: u32) -> Outgoing {
        if tries == 0 {
            self.begin(now);
        }
        let next = now + self.wait(tries);
        self.state = State::Selecting {
            tries: tries + 1,
            next,
        };
        self.broadcast(now, &Request::new(Kind::Discover))
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
        self.broadcast(now, &request)
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
        let payload = request.encode(self.mac, self.xid, self.seconds(now));
        Outgoing {
            source,
            destination,
            payload,
        }
    }

    fn broadcast(&self, now: Instant, request: &Request) -> Outgoing {
        let payload = request.encode(self.mac, self.xid, self.seconds(now));
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
                reply.network()?;
                // Asked for at the next poll, at once.
                self.state = State::Requesting {
                    offer: reply,
                    tries: 0,
                    next: now,
                };
                None
            }
            (State::Requesting { offer, .. }, Kind::Ack) if reply.server == offer.server => {
                self.bind(now, &reply)
            }
            (State::Requesting { offer, .. }, Kind::Nak) if reply.server == offer.server => {
                self.state = State::Init {
                    at: now + Duration::from_secs(1),
                };
                None
            }
            (State::Extending { lease, .. }, Kind::Ack) => {
                let same = reply.network()? == lease.address;
                let bound = self.bind(now, &reply)?;
                match &bound {
                    Event::Bound(new) if *new == lease && same => Some(Event::Renewed),
                    _ => Some(bound),
                }
            }
            (State::Extending { lease, .. }, Kind::Nak) => {
                self.state = State::Init { at: now };
                Some(Event::Lost(lease))
            }
            _ => None,
        }
    }

    fn bind(&mut self, now: Instant, reply: &Reply) -> Option<Event> {
        let lease = reply.lease()?;
        // Times count from when the request was sent (RFC 2131 §4.4.1); `now` is later by a round
        // trip, which the server's own reckoning covers.
        let times = match lease.duration {
            None => Times {
                renew: Instant::FAR_FUTURE,
                rebind: Instant::FAR_FUTURE,
                expire: Instant::FAR_FUTURE,
            },
            Some(duration) => {
                let rebind = reply.rebind.unwrap_or(duration * 7 / 8).min(duration);
                let renew = reply.renew.unwrap_or(duration / 2).min(rebind);
                Times {
                    renew: now + renew,
                    rebind: now + rebind,
                    expire: now + duration,
                }
            }
        };
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
        self.farewell = Some(self.broadcast(now, &request));
        self.state = State::Init {
            at: now + DECLINE_WAIT,
        };
        Some(lease)
    }

    /// Gives the lease back (RFC 2131 §4.4.6). The client stays silent after the farewell.
    pub fn release(&mut self, now: Instant) -> Option<Lease> {
        let lease = self.lease()?.clone();
        let source = lease.address.address();
        let request = Request {
            client: source,
            server: Some(lease.server),
            ..Request::new(Kind::Release)
        };
        let payload = request.encode(self.mac, self.xid, self.seconds(now));
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

#[cfg(test)]
mod tests;
