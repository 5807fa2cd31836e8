use alloc::string::String;
use alloc::vec::Vec;

use super::{Guid, Partition, TableError, gpt, mbr};
use crate::{BlockDevice, Error, SectorDevice};

/// A table of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// The partitions in the order of the table, without those that are empty and without the
    /// extended ones that others lie in.
    pub entries: Vec<Entry>,
    /// Bytes of the table's sectors, 512 or 4096; those of an MBR are taken to have 512.
    pub sector_size: u64,
    /// The first header of a GPT is damaged, and this is from the one at the end of the device.
    pub is_backup: bool,
}

/// Where a partition is, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number, from 1 on; logical partitions have 5 and above.
    pub number: u32,
    /// Where it begins on the device, in bytes.
    pub start: u64,
    /// Its length in bytes, at least a sector.
    pub len: u64,
    /// What is said of it.
    pub kind: Kind,
}

/// What a table says of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// In a GPT.
    Gpt {
        /// What it is for.
        type_guid: Guid,
        /// Which it is.
        unique_guid: Guid,
        /// Its name, of 36 characters at most.
        name: String,
    },
    /// In an MBR.
    Mbr {
        /// What it is for.
        code: u8,
        /// Whether a machine is to start from it.
        is_active: bool,
    },
}

impl Entry {
    /// The partition, as a device.
    ///
    /// # Errors
    ///
    /// When it is not whole blocks of this device, or does not lie on it.
    pub fn open<D: SectorDevice>(&self, device: D) -> Result<Partition<D>, Error<D::Error>> {
        Partition::new(device, self.start, self.len)
    }
}

impl Table {
    /// Reads the table of a device: a GPT where the MBR says that there is one, otherwise the MBR
    /// and the logical partitions.
    ///
    /// The first sector of a file system often looks like an MBR that has no partitions, so look for
    /// one first where there may be either.
    ///
    /// # Errors
    ///
    /// When there is no table, it is damaged or describes what cannot be, and when the device fails.
    pub fn read<D: SectorDevice>(disk: &mut BlockDevice<D>) -> Result<Self, TableError<D::Error>> {
        let Some(record) = mbr::read_record(disk, 0)? else {
            return Err(TableError::NoTable);
        };
        if record.is_protective() {
            return gpt::read(disk);
        }
        mbr::read(disk, &record)
    }
}

/// Sectors that something with this number lies in, from the first to the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) number: u32,
}

/// That nothing overlaps.
pub(super) fn check_apart<E>(mut extents: Vec<Extent>) -> Result<(), TableError<E>> {
    extents.sort_unstable_by_key(|extent| (extent.first, extent.number));
    for pair in extents.windows(2) {
        if pair[1].first <= pair[0].last {
            return Err(TableError::Overlap {
                first: pair[0].number,
                second: pair[1].number,
            });
        }
    }
    Ok(())
}

/// The little-endian number at `at`; the bytes are there.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The little-endian number at `at`; the bytes are there.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
