//! What routers say of name servers and of domains to look for names in, for as long as it holds (RFC 8106).

use core::net::Ipv6Addr;
use core::time::Duration;

use crate::proto::{Instant, domain};

/// Type of the option that names servers, RDNSS (RFC 8106 §5.1).
pub const SERVERS: u8 = 25;
/// Type of the option that names domains, DNSSL (RFC 8106 §5.2).
pub const DOMAINS: u8 = 31;

/// Servers, and domains, that are kept. RFC 8106 §5.3.1 finds three enough.
const MOST: usize = 8;
/// A lifetime without an end.
const INFINITE: u32 = u32::MAX;

/// What routers have said, in the order in which it was said first.
#[derive(Clone, Debug, Default)]
pub struct NameServers {
    servers: Vec<(Ipv6Addr, Instant)>,
    domains: Vec<(String, Instant)>,
}

impl NameServers {
    /// The servers.
    pub fn servers(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.servers.iter().map(|(server, _)| *server)
    }

    /// The domains.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|(domain, _)| domain.as_str())
    }

    /// Takes an option of a valid router advertisement: its type, one of [`SERVERS`] or [`DOMAINS`], and what is behind
    /// its length. What is malformed is passed over. Whether servers or domains are others now.
    pub fn advertised(&mut self, now: Instant, kind: u8, body: &[u8]) -> bool {
        let Some(([_, _, lifetime @ ..], value)) = body.split_first_chunk::<6>() else {
            return false;
        };
        let until = match u32::from_be_bytes(*lifetime) {
            0 => None,
            INFINITE => Some(Instant::FAR_FUTURE),
            seconds => Some(now + Duration::from_secs(seconds.into())),
        };
        let mut changed = false;
        match kind {
            SERVERS => {
                let (addresses, []) = value.as_chunks::<16>() else {
                    return false;
                };
                for address in addresses {
                    let server = Ipv6Addr::from(*address);
                    if !(server.is_unspecified() || server.is_multicast()) {
                        changed |= put(&mut self.servers, server, until);
                    }
                }
            }
            DOMAINS => {
                for name in domain::list(value, MOST) {
                    changed |= put(&mut self.domains, name, until);
                }
            }
            _ => {}
        }
        changed
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        let names: usize = self.domains.iter().map(|(name, _)| name.capacity()).sum();
        names
            + self.servers.capacity() * size_of::<(Ipv6Addr, Instant)>()
            + self.domains.capacity() * size_of::<(String, Instant)>()
    }

    /// Forgets what no longer holds; whether that was anything.
    pub fn poll(&mut self, now: Instant) -> bool {
        let before = self.servers.len() + self.domains.len();
        self.servers.retain(|(_, until)| *until > now);
        self.domains.retain(|(_, until)| *until > now);
        self.servers.len() + self.domains.len() < before
    }

    /// When [`NameServers::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let servers = self.servers.iter().map(|(_, until)| *until);
        let domains = self.domains.iter().map(|(_, until)| *until);
        servers.chain(domains).min()
    }
}

/// Has `item` hold until then, or no longer; whether the list is another now. In a full list the new one takes the
/// place of what ends first, if that ends before it (RFC 8106 §6.1).
fn put<T: PartialEq>(list: &mut Vec<(T, Instant)>, item: T, until: Option<Instant>) -> bool {
    let known = list.iter().position(|(other, _)| *other == item);
    match (known, until) {
        (Some(index), Some(until)) => {
            list[index].1 = until;
            false
        }
        (Some(index), None) => {
            list.remove(index);
            true
        }
        (None, None) => false,
        (None, Some(until)) => {
            if list.len() >= MOST {
                let ends = list.iter().enumerate().min_by_key(|(_, (_, until))| *until);
                match ends {
                    Some((index, (_, ends))) if *ends < until => list.remove(index),
                    _ => return false,
                };
            }
            list.push((item, until));
            true
        }
    }
}

#[cfg(test)]
mod tests;
