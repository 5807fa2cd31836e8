//! What a server grants, and when its times come.

use core::net::Ipv6Addr;
use core::time::Duration;

use super::message::{Association, MAX_ADDRESSES};
use crate::proto::Instant;

/// An address that is valid for less is not taken: it would be over before a lost message is sent again.
pub(super) const LEAST_LEASE: Duration = Duration::from_secs(10);
/// How soon a lease is asked to be extended, at least, unless half of its time is less.
const EXTEND_WAIT: Duration = Duration::from_secs(60);
/// A time without an end (RFC 8415 §7.7).
const INFINITE: u32 = u32::MAX;

/// An address that was granted. It is of no network: what is on the link is for routers to say (RFC 8415 §18.2.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The address.
    pub address: Ipv6Addr,
    /// When it becomes deprecated; [`Instant::FAR_FUTURE`] for never.
    pub preferred_until: Instant,
    /// When it is no longer ours.
    pub valid_until: Instant,
}

/// What a server says that is the same for all hosts of the link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Information {
    /// The DNS servers, the preferred first.
    pub dns: Vec<Ipv6Addr>,
    /// The domains that names without one are looked for in.
    pub domains: Vec<String>,
    /// The NTP servers, the preferred first.
    pub ntp: Vec<Ipv6Addr>,
}

impl Information {
    /// Octets of memory held beside its own.
    pub(in crate::proto) fn octets(&self) -> usize {
        let addresses = (self.dns.capacity() + self.ntp.capacity()) * size_of::<Ipv6Addr>();
        let names: usize = self.domains.iter().map(String::capacity).sum();
        addresses + self.domains.capacity() * size_of::<String>() + names
    }

    /// What is not told stays as it was `before`.
    pub(super) fn or(mut self, before: &Self) -> Self {
        if self.dns.is_empty() {
            self.dns.clone_from(&before.dns);
        }
        if self.domains.is_empty() {
            self.domains.clone_from(&before.domains);
        }
        if self.ntp.is_empty() {
            self.ntp.clone_from(&before.ntp);
        }
        self
    }
}

/// What a server has granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Our addresses.
    pub addresses: Vec<Address>,
    /// What else the server has said.
    pub information: Information,
    /// The server that granted it: its DUID (RFC 8415 §11).
    pub server: Vec<u8>,
    /// T1: when the server is asked for more time.
    pub renew: Instant,
    /// T2: when every server is.
    pub rebind: Instant,
}

impl Lease {
    /// The addresses of `before`, if any, with what `association`, which came at `now`, says of them and of others.
    /// `None` if none is left.
    pub(super) fn new(
        now: Instant,
        association: &Association,
        before: Option<&Self>,
        (server, information): (&[u8], Information),
    ) -> Option<Self> {
        let mut addresses = before.map_or_else(Vec::new, |lease| lease.addresses.clone());
        for offered in &association.addresses {
            let before = addresses.len();
            addresses.retain(|held| held.address != offered.address);
            // A server that grants others each time does not make us hold ever more.
            if before >= MAX_ADDRESSES && addresses.len() == before {
                continue;
            }
            if Duration::from_secs(offered.valid.into()) >= LEAST_LEASE {
                addresses.push(Address {
                    address: offered.address,
                    preferred_until: until(now, offered.preferred),
                    valid_until: until(now, offered.valid),
                });
            }
        }
        let before_information = before.map(|lease| &lease.information);
        let mut lease = Self {
            addresses,
            information: match before_information {
                Some(before) => information.or(before),
                None => information,
            },
            server: server.to_vec(),
            renew: Instant::FAR_FUTURE,
            rebind: Instant::FAR_FUTURE,
        };
        let valid_until = lease.addresses.iter().map(|held| held.valid_until).max()?;
        lease.set_times(now, association, valid_until - now);
        Some(lease)
    }

    /// T1 and T2 as the server wants them, else at a half and eight tenths of the shortest preferred time (RFC 8415
    /// §21.4); not more often than each minute, or each half of the valid time if that is less.
    fn set_times(&mut self, now: Instant, association: &Association, valid: Duration) {
        let preferred = self.addresses.iter().map(|held| held.preferred_until).min();
        // An address that is deprecated from the start says nothing of when it should be extended.
        let preferred = preferred.filter(|until| *until > now);
        let shortest = preferred.map_or(valid, |until| until - now);
        let least = EXTEND_WAIT.min(valid / 2);
        let at = |time: u32, default: Duration| match time {
            0 if preferred == Some(Instant::FAR_FUTURE) => Instant::FAR_FUTURE,
            0 => now + default.max(least),
            INFINITE => Instant::FAR_FUTURE,
            seconds => now + Duration::from_secs(seconds.into()).max(least),
        };
        self.rebind = at(association.t2, shortest / 5 * 4);
        self.renew = at(association.t1, shortest / 2).min(self.rebind);
    }

    /// The addresses, without their times.
    pub(in crate::proto) fn held(&self) -> Vec<Ipv6Addr> {
        self.addresses.iter().map(|held| held.address).collect()
    }

    /// Octets of memory held beside its own.
    pub(super) fn octets(&self) -> usize {
        let addresses = self.addresses.capacity() * size_of::<Address>();
        addresses + self.server.capacity() + self.information.octets()
    }

    /// When the first address is no longer ours.
    pub(super) fn expires(&self) -> Instant {
        let until = self.addresses.iter().map(|held| held.valid_until);
        until.min().unwrap_or(Instant::FAR_FUTURE)
    }
}

fn until(now: Instant, seconds: u32) -> Instant {
    match seconds {
        INFINITE => Instant::FAR_FUTURE,
        seconds => now + Duration::from_secs(seconds.into()),
    }
}
