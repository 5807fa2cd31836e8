//! What a store says of itself in front of its data: two slots of 4 KiB, of which the newer valid one counts.
//!
//! | bytes | |
//! | --- | --- |
//! | 0..8 | [`MAGIC`] |
//! | 8..16 | generation; 1 is the first |
//! | 16..24 | bytes that the database takes itself to have |
//! | 24..32 | bytes of these that have been written; all beyond is zero, whatever the device holds there |
//! | 32..40 | bytes of the log, which is between the slots and the database; never changes |
//! | 40..48 | a random number, by which records of this store's log are known; never changes |
//! | 48..52 | CRC-32 of what is in front of it |
//!
//! Integers are little-endian.

use blockdev::{BlockDevice, Error, SectorDevice};

const MAGIC: &[u8; 8] = b"mkstore\x01";
const SIZE: usize = 52;
const SLOT: u64 = 4096;

/// No store has been written so often: what says so is none, and no generation is the last one that there can be.
const MOST_GENERATIONS: u64 = 1 << 63;

/// As many times the device's bytes the database may take itself to have. It doubles as it grows, and keeps accounts of all
/// that it takes itself to have.
const MOST_TIMES: u64 = 8;

/// The most bytes that the database may take itself to have on such a device.
pub(super) fn most_len(capacity: u64) -> u64 {
    capacity.saturating_mul(MOST_TIMES)
}

/// Where the log begins, and without one the database.
pub(super) const LOG: u64 = 2 * SLOT;

// The order is that of the first field: no two slots have the same generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Superblock {
    pub(super) generation: u64,
    pub(super) len: u64,
    pub(super) written: u64,
    pub(super) log: u64,
    pub(super) identity: u64,
}

impl Superblock {
    /// That of a new store.
    pub(super) fn new(log: u64, identity: u64) -> Self {
        Self {
            generation: 1,
            len: 0,
            written: 0,
            log,
            identity,
        }
    }

    /// Where the database begins.
    pub(super) fn data(&self) -> u64 {
        LOG + self.log
    }

    /// The least bytes of a device that has all of it.
    pub(super) fn least_capacity(&self) -> u64 {
        let whole = LOG.saturating_add(self.log).saturating_add(self.written);
        whole.max(self.len.div_ceil(MOST_TIMES))
    }

    /// The newer of the two, if there is one, whatever the device has room for: the older one would not do in its place.
    pub(super) fn read<D: SectorDevice>(
        device: &mut BlockDevice<D>,
    ) -> Result<Option<Self>, Error<D::Error>> {
        let mut newest = None;
        for slot in 0..2 {
            let mut bytes = [0; SIZE];
            device.read_at(slot * SLOT, &mut bytes)?;
            let found = Self::from_bytes(&bytes);
            newest = newest.max(found.filter(|found| found.generation % 2 == slot));
        }
        Ok(newest)
    }

    /// Writes it to its slot; the other one, of the generation before, stays as it is.
    pub(super) fn write<D: SectorDevice>(
        &self,
        device: &mut BlockDevice<D>,
    ) -> Result<(), Error<D::Error>> {
        device.write_at(self.generation % 2 * SLOT, &self.to_bytes())
    }

    fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.len.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.written.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.log.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.identity.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..48]);
        bytes[48..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; SIZE]) -> Option<Self> {
        let (covered, sum) = bytes.split_last_chunk::<4>()?;
        let (magic, numbers) = covered.split_first_chunk::<8>()?;
        let (&[generation, len, written, log, identity], []) = numbers.as_chunks::<8>() else {
            return None;
        };
        let found = Self {
            generation: u64::from_le_bytes(generation),
            len: u64::from_le_bytes(len),
            written: u64::from_le_bytes(written),
            log: u64::from_le_bytes(log),
            identity: u64::from_le_bytes(identity),
        };
        let valid = magic == MAGIC
            && crc32fast::hash(covered) == u32::from_le_bytes(*sum)
            && (1..=MOST_GENERATIONS).contains(&found.generation)
            && found.log.is_multiple_of(SLOT)
            && found.written <= found.len;
        valid.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_GENERATIONS, Superblock};

    #[test]
    fn a_generation_that_nobody_has_counted_to_is_none() {
        for (generation, is_one) in [
            (0, false),
            (1, true),
            (MOST_GENERATIONS, true),
            (MOST_GENERATIONS + 1, false),
            (u64::MAX, false),
        ] {
            let superblock = Superblock {
                generation,
                ..Superblock::new(0, 7)
            };
            let found = Superblock::from_bytes(&superblock.to_bytes());
            assert_eq!(found, is_one.then_some(superblock), "{generation}");
        }
    }
}
