//! GUID partition tables, also such as cannot be.

use std::convert::Infallible;

use blockdev::partition::{Entry, Guid, Kind, Table, TableError};
use blockdev::{BlockDevice, Fault, FaultyDevice, MemoryDevice, Operation};

use super::image::Gpt;
use super::invariants::correct_all;

const TWO: [(u64, u64, &str); 2] = [(40, 99, "the first"), (100, 159, "\u{1f9ea}")];

fn read(image: Vec<u8>) -> Result<Table, TableError<Infallible>> {
    Table::read(&mut BlockDevice::new(
        MemoryDevice::from_bytes(512, image).unwrap(),
    ))
}

/// Why a table is refused, the one in front and the one at the end alike.
fn refused(gpt: &Gpt) -> TableError<Infallible> {
    read(gpt.image()).unwrap_err()
}

#[test]
fn partitions_are_found_with_sectors_of_both_sizes() {
    for sector_size in [512, 4096] {
        let table = read(Gpt::new(sector_size, &TWO).image()).unwrap();
        let size = sector_size as u64;
        assert_eq!((table.sector_size, table.is_backup), (size, false));
        let places: Vec<_> = table
            .entries
            .iter()
            .map(|it| (it.number, it.start, it.len))
            .collect();
        assert_eq!(
            places,
            [(1, 40 * size, 60 * size), (2, 100 * size, 60 * size)]
        );
        let Kind::Gpt {
            type_guid,
            unique_guid,
            name,
        } = &table.entries[1].kind
        else {
            panic!("{table:?}");
        };
        assert_eq!(
            (*type_guid, *unique_guid),
            (Guid([0xa1; 16]), Guid([0xb1; 16]))
        );
        assert_eq!(name, "\u{1f9ea}");
        assert_eq!(
            type_guid.to_string(),
            "A1A1A1A1-A1A1-A1A1-A1A1-A1A1A1A1A1A1"
        );
    }
}

#[test]
fn larger_entries_and_headers_are_read() {
    let mut gpt = Gpt::new(512, &TWO);
    gpt.entry_size = 256;
    gpt.count = 64;
    gpt.header_size = 512;
    assert_eq!(read(gpt.image()).unwrap().entries.len(), 2);
}

#[test]
fn where_the_first_is_damaged_the_one_at_the_end_is_read() {
    for at in [512, 512 + 16, 512 + 80, 1024 + 40] {
        let mut image = Gpt::new(512, &TWO).image();
        image[at] ^= 1;
        let table = read(image.clone()).unwrap();
        assert_eq!((table.is_backup, table.entries.len()), (true, 2));
        // Both are: what is wrong with the first is said.
        let end = 199 * 512;
        image[end + 88] ^= 1;
        let error = read(image).unwrap_err();
        match at {
            512 => assert_eq!(error, TableError::NoHeader),
            _ => assert!(matches!(error, TableError::Checksum { .. }), "{error}"),
        }
    }
    let mut image = Gpt::new(4096, &TWO).image();
    image[4096..8192].fill(0);
    assert!(read(image).unwrap().is_backup);
}

#[test]
fn what_cannot_be_is_refused() {
    let good = Gpt::new(512, &TWO);
    for header_size in [0, 91, 513, u32::MAX] {
        let gpt = Gpt {
            header_size,
            ..good.clone()
        };
        assert_eq!(refused(&gpt), TableError::HeaderSize { size: header_size });
    }
    for (count, size) in [
        (u32::MAX, 128),
        (1025, 128),
        (1, 0),
        (1, 127),
        (4, 192),
        (1, u32::MAX),
    ] {
        let gpt = Gpt {
            count,
            entry_size: size,
            entries: Vec::new(),
            ..good.clone()
        };
        assert_eq!(refused(&gpt), TableError::Entries { count, size });
    }
    for (table, first, last) in [
        (1, 40, 159),
        (2, 33, 159),
        (2, 1, 159),
        (2, 40, 39),
        (2, 40, 200),
        (2, 40, u64::MAX),
        (190, 40, 159),
        (u64::MAX, 40, 159),
        (50, 40, 159),
    ] {
        let gpt = Gpt {
            table,
            first,
            last,
            entries: Vec::new(),
            sectors: 300,
            ..good.clone()
        };
        // Without the one at the end.
        let mut image = gpt.image();
        image.truncate(200 * 512);
        let expected = TableError::Layout {
            entries: table,
            first,
            last,
        };
        assert_eq!(read(image), Err(expected));
    }
    for (first, last) in [(39, 50), (150, 160), (60, 50), (0, u64::MAX), (u64::MAX, 0)] {
        let gpt = Gpt {
            entries: vec![(40, 49, ""), (first, last, "")],
            ..good.clone()
        };
        let expected = TableError::Range {
            number: 2,
            first,
            last,
            usable_first: 40,
            usable_last: 159,
        };
        assert_eq!(refused(&gpt), expected);
    }
}

#[test]
fn partitions_that_overlap_are_refused() {
    for (first, last) in [(40, 40), (99, 120), (40, 159), (50, 60)] {
        let gpt = Gpt::new(512, &[(120, 159, ""), (40, 99, ""), (first, last, "")]);
        let TableError::Overlap { first, second } = refused(&gpt) else {
            panic!("{:?}", refused(&gpt));
        };
        assert!(
            first != second && [first, second].contains(&3),
            "{first} {second}"
        );
    }
}

#[test]
fn a_header_says_where_it_is() {
    let mut image = Gpt::new(512, &TWO).image();
    image[512 + 24] = 2;
    image[199 * 512 + 24] = 2;
    correct_all(&mut image);
    let expected = TableError::HeaderPlace {
        found: 2,
        expected: 1,
    };
    assert_eq!(read(image), Err(expected));
}

#[test]
fn an_image_that_was_cut_short_says_so() {
    let mut image = Gpt::new(512, &TWO).image();
    image.truncate(150 * 512);
    let error = read(image).unwrap_err();
    assert_eq!(
        error.to_string(),
        "GPT with entries from sector 2 on and partitions in sectors 40 to 159, expected them apart and on the device"
    );
}

#[test]
fn a_device_that_cannot_be_read_says_so() {
    for at in [0, 512, 1024] {
        let image = MemoryDevice::from_bytes(512, Gpt::new(512, &TWO).image()).unwrap();
        let mut device = FaultyDevice::new(image);
        device.inject(Fault::Block(Operation::Read, at));
        let error = Table::read(&mut BlockDevice::new(device)).unwrap_err();
        assert!(matches!(error, TableError::Device(_)), "{error}");
    }
}

#[test]
fn a_partition_is_opened_where_it_is() {
    let mut image = Gpt::new(512, &TWO).image();
    image[100 * 512..100 * 512 + 3].copy_from_slice(b"abc");
    let mut disk = BlockDevice::new(MemoryDevice::from_bytes(512, image).unwrap());
    let table = Table::read(&mut disk).unwrap();
    let mut partition = BlockDevice::new(table.entries[1].open(disk.get_mut()).unwrap());
    let mut bytes = [0; 3];
    partition.read_at(0, &mut bytes).unwrap();
    assert_eq!((&bytes, partition.capacity()), (b"abc", 60 * 512));
    // Sectors of 512 bytes on blocks of 4096 need not fit.
    let image = Gpt::new(512, &[(48, 63, ""), (65, 80, "")]).image();
    let mut disk = BlockDevice::new(MemoryDevice::from_bytes(4096, image).unwrap());
    let table = Table::read(&mut disk).unwrap();
    let open = |entry: &Entry| entry.open(MemoryDevice::new(4096, 25).unwrap()).is_ok();
    assert!(open(&table.entries[0]) && !open(&table.entries[1]));
}
