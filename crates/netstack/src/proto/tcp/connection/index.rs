//! Finding what lies in places with numbers, by a key that lies there too: four octets for each beside it.

use hashbrown::HashTable;

/// Places by the hash of a key, which is keyed: a peer chooses its address and port, and could otherwise choose a bucket.
#[derive(Debug, Default)]
pub(crate) struct Index(HashTable<u32>);

/// The table takes a bucket from the low bits, and what it compares first from the high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl Index {
    /// The place of a key with this hash; `is_at` tells whether it is at a place.
    pub(crate) fn find(&self, hash: u32, is_at: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.find(spread(hash), |place| is_at(*place)).copied()
    }

    /// Adds a key that is not there, with this hash; `hash_at` tells the hash of the key at a place.
    // Not generic: a table that grows is 1.4 KiB of code for each function that hashes.
    pub(crate) fn insert(&mut self, hash: u32, place: u32, hash_at: &dyn Fn(u32) -> u32) {
        self.0
            .insert_unique(spread(hash), place, |place| spread(hash_at(*place)));
    }

    /// Removes a key with this hash, which is at this place.
    pub(crate) fn remove(&mut self, hash: u32, place: u32) {
        let found = self.0.find_entry(spread(hash), |at| *at == place);
        debug_assert!(found.is_ok());
        if let Ok(entry) = found {
            entry.remove();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Octets of the table.
    pub(crate) fn held(&self) -> usize {
        self.0.allocation_size()
    }
}
