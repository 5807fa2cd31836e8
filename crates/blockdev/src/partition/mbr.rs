//! Master boot records, and the chain of logical partitions that begins in an extended one.

use alloc::vec::Vec;

use super::table::{Extent, check_apart, u32_at};
use super::{Entry, Kind, Table, TableError};
use crate::{BlockDevice, Error, SectorDevice};

/// Bytes of a sector.
const SECTOR: u64 = 512;

/// Logical partitions that there may be, and links in their chain.
const MOST: u32 = 128;

/// The number of the first logical partition.
const FIRST_LOGICAL: u32 = 5;

/// What says that the whole device is a GPT's.
const PROTECTIVE: u8 = 0xee;

/// A record: that of the device, or that of a logical partition.
pub(super) struct Record {
    partitions: [Slot; 4],
}

/// A place for a partition in a record.
struct Slot {
    is_active: bool,
    code: u8,
    /// The first sector, counted from one that depends on the record.
    first: u32,
    /// How many sectors.
    count: u32,
}

impl Record {
    pub(super) fn is_protective(&self) -> bool {
        self.partitions.iter().any(|slot| slot.code == PROTECTIVE)
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        self.code == 0 || self.count == 0
    }

    fn is_extended(&self) -> bool {
        matches!(self.code, 0x05 | 0x0f | 0x85)
    }
}

/// The record at byte `offset`, if it is one: each of its partitions is to be started from, or is
/// not.
pub(super) fn read_record<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    offset: u64,
) -> Result<Option<Record>, Error<D::Error>> {
    let mut bytes = [0; SECTOR as usize];
    if !disk.geometry().contains(offset, SECTOR) {
        return Ok(None);
    }
    disk.read_at(offset, &mut bytes)?;
    let slots = [446, 462, 478, 494].map(|at| &bytes[at..at + 16]);
    if bytes[510..] != [0x55, 0xaa] || slots.iter().any(|slot| slot[0] & 0x7f != 0) {
        return Ok(None);
    }
    let partitions = slots.map(|slot| Slot {
        is_active: slot[0] == 0x80,
        code: slot[4],
        first: u32_at(slot, 8),
        count: u32_at(slot, 12),
    });
    Ok(Some(Record { partitions }))
}

pub(super) fn read<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    record: &Record,
) -> Result<Table, TableError<D::Error>> {
    let whole = Extent {
        first: 1,
        last: (disk.capacity() / SECTOR).saturating_sub(1),
        number: 0,
    };
    let mut entries = Vec::new();
    let mut extents = Vec::new();
    let mut extended = Vec::new();
    for (number, partition) in (1..).zip(&record.partitions) {
        if partition.is_empty() {
            continue;
        }
        let extent = extent(partition, 0, number, whole)?;
        extents.push(extent);
        if partition.is_extended() {
            extended.push(extent);
        } else {
            entries.push(entry(partition, extent));
        }
    }
    check_apart(extents)?;
    for extent in extended {
        read_chain(disk, extent, &mut entries)?;
    }
    Ok(Table {
        entries,
        sector_size: SECTOR,
        is_backup: false,
    })
}

/// Adds the logical partitions of an extended one. Each has a record of its own in front of it, which
/// also says where the next one is.
fn read_chain<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    extended: Extent,
    entries: &mut Vec<Entry>,
) -> Result<(), TableError<D::Error>> {
    let mut extents: Vec<Extent> = Vec::new();
    let mut sector = extended.first;
    for _ in 0..=MOST {
        let Some(record) = read_record(disk, sector * SECTOR)? else {
            // An extended partition in which nothing has been made yet has no record.
            if sector == extended.first {
                break;
            }
            return Err(TableError::Chain { sector });
        };
        let logical = entries.iter().filter(|it| it.number >= FIRST_LOGICAL);
        let number = FIRST_LOGICAL + logical.count() as u32;
        // The record must not be in a partition, nor have been read before.
        let own = Extent {
            first: sector,
            last: sector,
            number,
        };
        if extents.iter().any(|it| it.first == sector) {
            return Err(TableError::Chain { sector });
        }
        extents.push(own);
        let [first, second, ..] = &record.partitions;
        for partition in [first, second] {
            if !partition.is_empty() && !partition.is_extended() {
                if number == FIRST_LOGICAL + MOST {
                    return Err(TableError::TooMany { most: MOST });
                }
                let extent = extent(partition, sector, number, extended)?;
                extents.push(extent);
                entries.push(entry(partition, extent));
                break;
            }
        }
        let mut links = [first, second].into_iter();
        let Some(next) = links.find(|it| !it.is_empty() && it.is_extended()) else {
            return check_apart(extents);
        };
        sector = extended.first + u64::from(next.first);
        if sector > extended.last {
            return Err(TableError::Chain { sector });
        }
    }
    if extents.len() as u32 > MOST {
        return Err(TableError::TooMany { most: MOST });
    }
    check_apart(extents)
}

/// Where a partition is, whose sectors are counted from `from` on, and which must lie in `within`.
fn extent<E>(
    partition: &Slot,
    from: u64,
    number: u32,
    within: Extent,
) -> Result<Extent, TableError<E>> {
    let first = from + u64::from(partition.first);
    let last = first + u64::from(partition.count) - 1;
    if first < within.first || last > within.last {
        return Err(TableError::Range {
            number,
            first,
            last,
            usable_first: within.first,
            usable_last: within.last,
        });
    }
    Ok(Extent {
        first,
        last,
        number,
    })
}

fn entry(partition: &Slot, extent: Extent) -> Entry {
    Entry {
        number: extent.number,
        start: extent.first * SECTOR,
        len: (extent.last - extent.first + 1) * SECTOR,
        kind: Kind::Mbr {
            code: partition.code,
            is_active: partition.is_active,
        },
    }
}
