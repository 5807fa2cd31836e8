//! Answers remembered for as long as they hold.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::HashMap;

use crate::proto::Instant;

/// What the cache knows of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cached {
    /// Its addresses.
    Addresses(Vec<Ipv4Addr>),
    /// That it has none.
    None,
}

/// A bounded table from name to answer.
#[derive(Debug)]
pub struct Cache {
    capacity: usize,
    entries: HashMap<String, (Cached, Instant)>,
}

impl Cache {
    /// An empty cache for at most `capacity` names; when one more comes, the one that ends first
    /// goes.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            entries: HashMap::new(),
        }
    }

    /// What is known of `name` at `now`.
    #[must_use]
    pub fn get(&self, now: Instant, name: &str) -> Option<&Cached> {
        let (cached, until) = self.entries.get(&key(name))?;
        (now < *until).then_some(cached)
    }

    /// Remembers what was answered for `name`, for `ttl`.
    pub fn insert(&mut self, now: Instant, name: &str, cached: Cached, ttl: Duration) {
        if ttl.is_zero() {
            return;
        }
        let key = key(name);
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            let first = self.entries.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(first) = first.map(|(name, _)| name.clone()) {
                self.entries.remove(&first);
            }
        }
        self.entries.insert(key, (cached, now + ttl));
    }
}

fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
