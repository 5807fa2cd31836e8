//! What routers say of name servers and of domains to look for names in, for as long as it holds (RFC 8106).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::told::{Told, makes_way};
use crate::proto::{Instant, domain};

/// Type of the option that names servers, RDNSS (RFC 8106 §5.1).
pub const SERVERS: u8 = 25;
/// Type of the option that names domains, DNSSL (RFC 8106 §5.2).
pub const DOMAINS: u8 = 31;

/// Servers, and domains, that are kept. RFC 8106 §5.3.1 finds three enough.
const MOST: usize = 8;
/// A lifetime without an end.
const INFINITE: u32 = u32::MAX;

/// Something that holds until then, and who says so.
#[derive(Clone, Debug)]
struct Entry<T> {
    item: T,
    until: Instant,
    told: Told,
}

/// What routers have said: what was said first last, but of one option in its order (RFC 8106 §6.1).
#[derive(Clone, Debug, Default)]
pub struct NameServers {
    servers: Vec<Entry<Ipv6Addr>>,
    domains: Vec<Entry<String>>,
}

impl NameServers {
    /// The servers.
    pub fn servers(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.servers.iter().map(|it| it.item)
    }

    /// The domains.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(|it| it.item.as_str())
    }

    /// Takes an option of a valid router advertisement: its type, one of [`SERVERS`] or [`DOMAINS`], and what is behind
    /// its length. What is malformed is passed over. `is_there` says whether a router, this one or another, has shown
    /// that it is there. Whether servers or domains are others now.
    pub fn advertised(
        &mut self,
        now: Instant,
        router: Ipv6Addr,
        (kind, body): (u8, &[u8]),
        is_there: impl Fn(Ipv6Addr) -> bool,
    ) -> bool {
        let Some(([_, _, lifetime @ ..], value)) = body.split_first_chunk::<6>() else {
            return false;
        };
        let until = match u32::from_be_bytes(*lifetime) {
            0 => None,
            INFINITE => Some(Instant::FAR_FUTURE),
            seconds => Some(now + Duration::from_secs(seconds.into())),
        };
        let told = Told::new(now, router, is_there(router));
        match kind {
            SERVERS => {
                let (addresses, []) = value.as_chunks::<16>() else {
                    return false;
                };
                let servers = addresses.iter().map(|it| Ipv6Addr::from(*it));
                let servers = servers.filter(|it| !(it.is_unspecified() || it.is_multicast()));
                put(&mut self.servers, servers, (until, told), is_there)
            }
            DOMAINS => {
                let domains = domain::list(value, MOST).into_iter();
                put(&mut self.domains, domains, (until, told), is_there)
            }
            _ => false,
        }
    }

    /// A router has failed.
    pub(crate) fn doubt(&mut self, router: Ipv6Addr) {
        self.servers.iter_mut().for_each(|it| it.told.doubt(router));
        self.domains.iter_mut().for_each(|it| it.told.doubt(router));
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        let names: usize = self.domains.iter().map(|it| it.item.capacity()).sum();
        names
            + self.servers.capacity() * size_of::<Entry<Ipv6Addr>>()
            + self.domains.capacity() * size_of::<Entry<String>>()
    }

    /// Forgets what no longer holds; whether that was anything.
    pub fn poll(&mut self, now: Instant) -> bool {
        let before = self.servers.len() + self.domains.len();
        self.servers.retain(|it| it.until > now);
        self.domains.retain(|it| it.until > now);
        self.servers.len() + self.domains.len() < before
    }

    /// When [`NameServers::poll`] wants to be called next.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let servers = self.servers.iter().map(|it| it.until);
        let domains = self.domains.iter().map(|it| it.until);
        servers.chain(domains).min()
    }
}

/// Has `items` hold until then, or no longer; whether the list is another now. New ones go in front. In a full list one
/// takes the place of what makes way for it. Who has not shown that it is there changes nothing of who has.
fn put<T: PartialEq>(
    list: &mut Vec<Entry<T>>,
    items: impl Iterator<Item = T>,
    (until, told): (Option<Instant>, Told),
    is_there: impl Fn(Ipv6Addr) -> bool,
) -> bool {
    let (mut changed, mut front) = (false, 0);
    for item in items {
        let known = list.iter().position(|it| it.item == item);
        if let Some(index) = known {
            let before = &mut list[index].told;
            if is_there(before.router) {
                before.prove();
            }
            if !before.again(told) {
                continue;
            }
        }
        match (known, until) {
            (Some(index), Some(until)) => list[index].until = until,
            (Some(index), None) => {
                list.remove(index);
                changed = true;
            }
            (None, None) => {}
            (None, Some(until)) => {
                if list.len() >= MOST {
                    match makes_way(list, |it| Some(&mut it.told), told, &is_there) {
                        Some(index) => list.remove(index),
                        None => continue,
                    };
                }
                list.insert(front, Entry { item, until, told });
                front += 1;
                changed = true;
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests;
