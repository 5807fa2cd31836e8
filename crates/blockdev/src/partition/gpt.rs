//! GUID partition tables, section 5.3 of the UEFI specification.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::table::{Extent, check_apart, u32_at, u64_at};
use super::{Entry, Guid, Kind, Table, TableError};
use crate::{BlockDevice, SectorDevice};

/// Most bytes of all entries: eight times as many as there usually are.
const MOST: u64 = 128 << 10;

/// Bytes of a header at least.
const HEADER: usize = 92;

/// Bytes of an entry, of which there may be a multiple.
const ENTRY: usize = 128;

/// The sizes that sectors have.
const SECTORS: [u64; 2] = [512, 4096];

/// What is used of a header; sectors are counted from the start of the device.
struct Header {
    /// The first sector for partitions, and the last one.
    first: u64,
    last: u64,
    /// The first sector of the entries.
    entries: u64,
    count: u32,
    /// Bytes of an entry.
    size: u32,
    /// The checksum of the entries.
    checksum: u32,
}

/// Reads the first table, or if that is damaged the one at the end of the device.
pub(super) fn read<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
) -> Result<Table, TableError<D::Error>> {
    let first = read_any(disk, |_| Some(1));
    let capacity = disk.capacity();
    match first {
        Ok(_) | Err(TableError::Device(_)) => return first,
        Err(_) => {}
    }
    let last = read_any(disk, |sector_size| (capacity / sector_size).checked_sub(1));
    match last {
        Ok(table) => Ok(Table {
            is_backup: true,
            ..table
        }),
        Err(_) => first,
    }
}

/// Reads the table whose header is in the sector that `place` names for a size of sectors.
fn read_any<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    place: impl Fn(u64) -> Option<u64>,
) -> Result<Table, TableError<D::Error>> {
    for sector_size in SECTORS {
        let Some(sector) = place(sector_size) else {
            continue;
        };
        match read_table(disk, sector_size, sector) {
            Err(TableError::NoHeader) => {}
            other => return other,
        }
    }
    Err(TableError::NoHeader)
}

fn read_table<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    sector_size: u64,
    sector: u64,
) -> Result<Table, TableError<D::Error>> {
    let header = read_header(disk, sector_size, sector)?;
    let bytes = read_entries(disk, sector_size, &header)?;
    let mut entries = Vec::new();
    let mut extents = Vec::new();
    for (number, bytes) in (1..).zip(bytes.chunks_exact(header.size as usize)) {
        if bytes[..16] == [0; 16] {
            continue;
        }
        let extent = Extent {
            first: u64_at(bytes, 32),
            last: u64_at(bytes, 40),
            number,
        };
        let range = header.first..=header.last;
        if !range.contains(&extent.first) || !(extent.first..=header.last).contains(&extent.last) {
            return Err(TableError::Range {
                number,
                first: extent.first,
                last: extent.last,
                usable_first: header.first,
                usable_last: header.last,
            });
        }
        extents.push(extent);
        entries.push(Entry {
            number,
            start: extent.first * sector_size,
            len: (extent.last - extent.first + 1) * sector_size,
            kind: Kind::Gpt {
                type_guid: guid(&bytes[..16]),
                unique_guid: guid(&bytes[16..32]),
                name: name(&bytes[56..ENTRY]),
            },
        });
    }
    check_apart(extents)?;
    Ok(Table {
        entries,
        sector_size,
        is_backup: false,
    })
}

/// The header in a sector.
fn read_header<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    sector_size: u64,
    sector: u64,
) -> Result<Header, TableError<D::Error>> {
    let mut bytes = vec![0; sector_size as usize];
    let start = sector * sector_size;
    if !disk.geometry().contains(start, sector_size) {
        return Err(TableError::NoHeader);
    }
    disk.read_at(start, &mut bytes)?;
    if bytes[..8] != *b"EFI PART" {
        return Err(TableError::NoHeader);
    }
    let size = u32_at(&bytes, 12);
    let found = u32_at(&bytes, 16);
    // The checksum is that of the header with a checksum of 0.
    bytes[16..20].fill(0);
    let header = bytes.get(..size as usize);
    let Some(header) = header.filter(|header| header.len() >= HEADER) else {
        return Err(TableError::HeaderSize { size });
    };
    check_sum(found, header)?;
    let found = u64_at(header, 24);
    if found != sector {
        return Err(TableError::HeaderPlace {
            found,
            expected: sector,
        });
    }
    Ok(Header {
        first: u64_at(header, 40),
        last: u64_at(header, 48),
        entries: u64_at(header, 72),
        count: u32_at(header, 80),
        size: u32_at(header, 84),
        checksum: u32_at(header, 88),
    })
}

/// The bytes of all entries.
fn read_entries<D: SectorDevice>(
    disk: &mut BlockDevice<D>,
    sector_size: u64,
    header: &Header,
) -> Result<Vec<u8>, TableError<D::Error>> {
    let Header { count, size, .. } = *header;
    let total = u64::from(count) * u64::from(size);
    if total > MOST || size == 0 || !(size as usize).is_multiple_of(ENTRY) {
        return Err(TableError::Entries { count, size });
    }
    let Header {
        entries,
        first,
        last,
        ..
    } = *header;
    let sectors = disk.capacity() / sector_size;
    let behind = entries.saturating_add(total.div_ceil(sector_size));
    // Behind the first header, and either before the partitions or behind them.
    let apart = entries >= 2 && first >= 2 && (behind <= first || entries > last);
    if !apart || first > last || last >= sectors || behind > sectors {
        return Err(TableError::Layout {
            entries,
            first,
            last,
        });
    }
    // No more than MOST.
    let mut bytes = vec![0; total as usize];
    disk.read_at(entries * sector_size, &mut bytes)?;
    check_sum(header.checksum, &bytes)?;
    Ok(bytes)
}

fn guid(bytes: &[u8]) -> Guid {
    let mut guid = Guid([0; 16]);
    guid.0.copy_from_slice(bytes);
    guid
}

/// A name in UTF-16, up to the first 0.
fn name(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn check_sum<E>(found: u32, bytes: &[u8]) -> Result<(), TableError<E>> {
    let expected = crc32fast::hash(bytes);
    if found == expected {
        return Ok(());
    }
    Err(TableError::Checksum { found, expected })
}
