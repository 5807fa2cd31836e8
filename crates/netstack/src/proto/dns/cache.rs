//! Answers remembered for as long as they hold.

use core::net::IpAddr;
use core::time::Duration;

use crate::proto::Instant;
use crate::proto::ip::Family;

/// Octets of memory that a cache may take.
const OCTETS: usize = 64 << 10;
/// Places by which the table grows.
const GROWTH: usize = 16;

/// What the cache knows of a name and a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// Its addresses.
    Addresses(Vec<IpAddr>),
    /// That it has none.
    None,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    family: Family,
    cached: Cached,
    until: Instant,
}

impl Entry {
    /// Octets beside its place in the table.
    fn octets(&self) -> usize {
        let addresses = match &self.cached {
            Cached::Addresses(addresses) => addresses.capacity() * size_of::<IpAddr>(),
            Cached::None => 0,
        };
        self.name.len() + addresses
    }
}

/// A table from name and family to answer, bounded by their number and, with 64 KiB, by the memory that they
/// take.
#[derive(Debug)]
pub struct Cache {
    capacity: usize,
    /// Sorted by name and family.
    entries: Vec<Entry>,
    /// Octets of names and answers.
    octets: usize,
}

impl Cache {
    /// An empty cache for at most `capacity` answers; when there is no room for one more, the one that
    /// ends first goes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: Vec::new(),
            octets: 0,
        }
    }

    /// Octets of memory held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.octets
    }

    /// What is known of the addresses of `name` that are of `family`, at `now`.
    #[must_use]
    pub fn get(&self, now: Instant, (name, family): (&str, Family)) -> Option<&Cached> {
        let entry = &self.entries[self.find(&key(name), family).ok()?];
        (now < entry.until).then_some(&entry.cached)
    }

    /// Remembers what was answered for `name` and `family`, for `ttl`.
    pub fn insert(
        &mut self,
        now: Instant,
        (name, family): (&str, Family),
        mut cached: Cached,
        ttl: Duration,
    ) {
        if ttl.is_zero() {
            return;
        }
        if let Cached::Addresses(addresses) = &mut cached {
            addresses.shrink_to_fit();
        }
        let (name, until) = (key(name), now + ttl);
        let entry = Entry {
            name,
            family,
            cached,
            until,
        };
        if let Ok(at) = self.find(&entry.name, family) {
            self.remove(at);
        }
        while !self.has_room(&entry) {
            let ends = self.entries.iter().enumerate();
            let Some((first, _)) = ends.min_by_key(|(_, entry)| entry.until) else {
                // It is too large for an empty cache.
                return;
            };
            self.remove(first);
        }
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(GROWTH);
        }
        self.octets += entry.octets();
        let (Ok(at) | Err(at)) = self.find(&entry.name, family);
        self.entries.insert(at, entry);
    }

    /// Forgets everything; no memory is held any more.
    pub fn clear(&mut self) {
        (self.entries, self.octets) = (Vec::new(), 0);
    }

    fn find(&self, name: &str, family: Family) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| (&*entry.name, entry.family).cmp(&(name, family)))
    }

    fn has_room(&self, entry: &Entry) -> bool {
        let full = self.entries.len() == self.entries.capacity();
        let growth = usize::from(full) * GROWTH * size_of::<Entry>();
        self.entries.len() < self.capacity && self.held() + growth + entry.octets() <= OCTETS
    }

    fn remove(&mut self, at: usize) {
        self.octets -= self.entries.remove(at).octets();
    }
}

fn key(name: &str) -> Box<str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase().into_boxed_str()
}
