//! Numbers that others cannot foretell, from a secret seed.

use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// SipHash-1-3 of a counter under a secret key: not for keys, but for identifiers and jitter.
#[derive(Debug)]
pub(crate) struct Random {
    key: [u8; 16],
    counter: u64,
}

impl Random {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self { key, counter: 0 }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(self.counter);
        hasher.finish()
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }
}
