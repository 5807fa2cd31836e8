//! Which datagrams are answered, and with how much.
//!
//! The source of a datagram is what its sender wrote there. A service that
//! answers whatever comes can be set upon a third party by that, with more than
//! was sent (chargen makes 444 octets of none), or upon a service like itself:
//! one datagram then goes back and forth between the two for ever. So
//!
//! - what seems to come from one of our own ports, or from a port below 1,024
//!   where other services are, is not answered;
//! - what was sent to more than one station is not answered;
//! - one address is sent no more than [`RATE`] octets a second after the first
//!   [`BURST`], headers included;
//! - no more than [`SOURCES`] addresses are answered at a time.
//!
//! All victims together can so be sent no more than 64 MiB/s, each of them no
//! more than 64 KiB/s.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

/// Octets a second for one address.
pub(crate) const RATE: u64 = 64 << 10;
/// Octets for an address that was sent none for a while.
pub(crate) const BURST: u64 = 64 << 10;
/// Addresses that were sent something of late.
pub(crate) const SOURCES: usize = 1024;
/// In a second.
const NANOSECONDS: u64 = 1_000_000_000;
/// Octets of the headers of IP and UDP, of IPv4 at least.
const HEADERS: u64 = 28;
/// Ports from here on are clients' (RFC 6335's user and dynamic ports).
const LEAST_PORT: u16 = 1024;
/// How often a full table is gone through for what can be forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// What is remembered to tell that.
pub(crate) struct Answers {
    own_ports: Vec<u16>,
    sources: HashMap<IpAddr, Bucket>,
    swept: Option<Instant>,
}

/// What may still be sent to an address.
struct Bucket {
    octets: u64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at);
        let missing = Duration::from_nanos((BURST - self.octets) * NANOSECONDS / RATE);
        if elapsed >= missing {
            (self.octets, self.at) = (BURST, now);
            return;
        }
        // Of the time only what made whole octets is over.
        let gained = elapsed.as_nanos() as u64 * RATE / NANOSECONDS;
        self.octets += gained;
        self.at += Duration::from_nanos(gained * NANOSECONDS / RATE);
    }
}

impl Answers {
    /// For services on `own_ports`, which have answered nothing yet.
    pub(crate) fn new(own_ports: impl IntoIterator<Item = u16>) -> Self {
        Self {
            own_ports: own_ports.into_iter().collect(),
            sources: HashMap::new(),
            swept: None,
        }
    }

    /// Whether a datagram from `source` may be answered with `octets` of
    /// payload at `now`; if so, they are counted. `to_us` tells whether it was
    /// sent to an address of ours, and not to many.
    pub(crate) fn allow(
        &mut self,
        now: Instant,
        source: SocketAddr,
        to_us: bool,
        octets: usize,
    ) -> bool {
        let port = source.port();
        if !to_us || port < LEAST_PORT || self.own_ports.contains(&port) {
            return false;
        }
        let address = host(source.ip());
        if !self.sources.contains_key(&address) && !self.make_room(now) {
            return false;
        }
        let bucket = self.sources.entry(address).or_insert(Bucket {
            octets: BURST,
            at: now,
        });
        bucket.refill(now);
        match bucket.octets.checked_sub(HEADERS + octets as u64) {
            Some(left) => {
                bucket.octets = left;
                true
            }
            None => false,
        }
    }

    /// Whether one more host can be remembered. Of those that have their
    /// whole burst again nothing needs to be.
    fn make_room(&mut self, now: Instant) -> bool {
        let due = self.swept.is_none_or(|swept| now >= swept + SWEEP);
        if self.sources.len() >= SOURCES && due {
            self.swept = Some(now);
            self.sources.retain(|_, bucket| {
                bucket.refill(now);
                bucket.octets < BURST
            });
        }
        self.sources.len() < SOURCES
    }
}

/// What stands for one host: an address of IPv4, or the network of 64 bits on
/// which a host may take any address of IPv6 that it likes.
fn host(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
