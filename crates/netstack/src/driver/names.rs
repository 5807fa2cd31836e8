//! What the resolvers of a stack hold: the answers that they remember, and those that are arriving.

use slab::Slab;

use super::{Driver, DriverRef};
use crate::proto::account::Kind;
use crate::proto::dns::{Cache, Cached};
use crate::proto::ip::Family;
use std::io;
use std::time::Duration;

/// Answers that a resolver remembers.
const NAMES: usize = 512;

/// The caches of all resolvers, and the octets of answers that are arriving.
#[derive(Default)]
pub(super) struct Names {
    caches: Slab<Cache>,
    arriving: usize,
}

impl Names {
    fn held(&self) -> usize {
        let caches: usize = self.caches.iter().map(|(_, cache)| cache.held()).sum();
        caches + self.caches.capacity() * size_of::<Option<Cache>>() + self.arriving
    }
}

impl Driver {
    pub(crate) fn open_names(&mut self) -> usize {
        let id = self.names.caches.insert(Cache::new(NAMES));
        self.settle_names();
        id
    }

    pub(crate) fn close_names(&mut self, id: usize) {
        self.names.caches.remove(id);
        if self.names.caches.is_empty() {
            self.names.caches.shrink_to_fit();
        }
        self.settle_names();
    }

    /// What the resolver knows of a name and a family.
    pub(crate) fn recall(&mut self, id: usize, name: (&str, Family)) -> Option<Cached> {
        let now = self.now();
        self.names.caches[id].get(now, name).cloned()
    }

    /// Has the resolver remember an answer from now on, unless memory is short.
    pub(crate) fn remember(
        &mut self,
        id: usize,
        name: (&str, Family),
        cached: &Cached,
        ttl: Duration,
    ) {
        if self.tcp().account().pressure() {
            return;
        }
        let now = self.now();
        self.names.caches[id].insert(now, name, cached.clone(), ttl);
        self.settle_names();
    }

    /// Forgets what can be asked for again.
    pub(super) fn give_up_names(&mut self) {
        for (_, cache) in &mut self.names.caches {
            cache.clear();
        }
        self.settle_names();
    }

    /// Octets that the names of all resolvers take.
    pub(crate) fn held_by_names(&self) -> usize {
        self.names.held()
    }

    fn settle_names(&mut self) {
        let held = self.held_by_names();
        self.tcp().account().set(Kind::Names, held);
    }
}

/// Memory for an answer that is arriving.
pub(crate) struct Room {
    driver: DriverRef,
    octets: usize,
}

impl Room {
    /// # Errors
    ///
    /// `OutOfMemory` if the account has no room for it.
    pub(crate) fn new(driver: &DriverRef, octets: usize) -> io::Result<Self> {
        driver.with(|state| {
            if !state.tcp().account().has_room(octets) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            state.names.arriving += octets;
            state.settle_names();
            let driver = driver.clone();
            Ok(Self { driver, octets })
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.driver.with(|driver| {
            driver.names.arriving -= self.octets;
            driver.settle_names();
        });
    }
}
