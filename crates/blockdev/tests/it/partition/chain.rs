//! Master boot records, and chains of logical partitions, also such as cannot be.

use std::convert::Infallible;

use blockdev::partition::{Entry, Kind, Table, TableError};
use blockdev::{BlockDevice, MemoryDevice};

use super::image::{Slot, record};

const SECTORS: usize = 1000;

/// Primary partitions, and records in other sectors.
fn read(
    primary: &[Slot],
    records: &[(usize, &[Slot])],
) -> Result<Vec<Entry>, TableError<Infallible>> {
    let mut image = vec![0; SECTORS * 512];
    record(&mut image, 0, primary);
    for (sector, slots) in records {
        record(&mut image, *sector, slots);
    }
    let device = MemoryDevice::from_bytes(512, image).unwrap();
    Ok(Table::read(&mut BlockDevice::new(device))?.entries)
}

/// Numbers, first sectors and how many.
fn places(entries: &[Entry]) -> Vec<(u32, u64, u64)> {
    let places = entries.iter();
    places
        .map(|it| (it.number, it.start / 512, it.len / 512))
        .collect()
}

const EXTENDED: Slot = (0, 0x0f, 100, 500);

#[test]
fn primary_and_logical_partitions_are_found() {
    let primary = [
        (0x80, 0x83, 1, 99),
        EXTENDED,
        (0, 0, 7, 7),
        (0, 0x0c, 600, 400),
    ];
    let entries = read(
        &primary,
        &[
            (100, &[(0, 0x83, 1, 50), (0, 5, 200, 100)]),
            (300, &[(0, 0x82, 2, 98), (0, 5, 400, 10)]),
            (500, &[(0, 0x83, 9, 1)]),
        ],
    )
    .unwrap();
    let expected = [
        (1, 1, 99),
        (4, 600, 400),
        (5, 101, 50),
        (6, 302, 98),
        (7, 509, 1),
    ];
    assert_eq!(places(&entries), expected);
    let kind = |code, is_active| Kind::Mbr { code, is_active };
    assert_eq!(entries[0].kind, kind(0x83, true));
    assert_eq!(entries[3].kind, kind(0x82, false));
}

#[test]
fn there_may_be_no_partitions_but_there_must_be_a_table() {
    assert_eq!(read(&[], &[]), Ok(Vec::new()));
    assert_eq!(read(&[EXTENDED], &[]), Ok(Vec::new()), "not made yet");
    assert_eq!(read(&[(1, 0x83, 1, 1)], &[]), Err(TableError::NoTable));
    let read = |image| {
        Table::read(&mut BlockDevice::new(
            MemoryDevice::from_bytes(256, image).unwrap(),
        ))
    };
    assert_eq!(read(vec![0; 4096]), Err(TableError::NoTable));
    assert_eq!(read(vec![0x55; 256]), Err(TableError::NoTable));
    let mut image = vec![0; 4096];
    record(&mut image, 0, &[(0, 0xee, 1, 7)]);
    let error = read(image).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a protective MBR, but no header of a GPT"
    );
}

#[test]
fn what_lies_outside_is_refused() {
    for (first, count) in [(0, 5), (990, 11), (1000, 1), (u32::MAX, u32::MAX)] {
        let error = read(&[(0, 0x83, first, count)], &[]).unwrap_err();
        let expected = TableError::Range {
            number: 1,
            first: u64::from(first),
            last: u64::from(first) + u64::from(count) - 1,
            usable_first: 1,
            usable_last: 999,
        };
        assert_eq!(error, expected);
    }
    // A logical one outside of the extended one, which has sectors 100 to 599.
    for (first, count) in [(1, 500), (u32::MAX, 1)] {
        let error = read(&[EXTENDED], &[(100, &[(0, 0x83, first, count)])]).unwrap_err();
        assert!(
            matches!(error, TableError::Range { number: 5, .. }),
            "{error}"
        );
    }
}

#[test]
fn what_overlaps_is_refused() {
    let overlap = |first, second| Err(TableError::Overlap { first, second });
    let two = [(0, 0x83, 10, 10), (0, 0x83, 19, 10)];
    assert_eq!(read(&two, &[]), overlap(1, 2));
    assert_eq!(read(&[EXTENDED, (0, 0x83, 599, 1)], &[]), overlap(1, 2));
    let first = [(0, 0x83, 1, 300), (0, 5, 300, 10)];
    let second = [(0, 0x83, 1, 9)];
    // The first one has the sector of the second one's record.
    let logical = read(&[EXTENDED], &[(100, &first), (400, &second)]);
    assert_eq!(logical, overlap(5, 6));
    // A partition on its own record.
    let own = read(&[EXTENDED], &[(100, &[(0, 0x83, 0, 9)])]);
    assert_eq!(own, overlap(5, 5));
}

#[test]
fn a_chain_that_goes_wrong_ends() {
    let chain = |sector| Err(TableError::Chain { sector });
    let link = |to| [(0, 0x83, 1, 9), (0, 5, to, 10)];
    // To itself, back, outside, and to where there is no record.
    assert_eq!(read(&[EXTENDED], &[(100, &link(0))]), chain(100));
    let back = read(&[EXTENDED], &[(100, &link(50)), (150, &link(0))]);
    assert_eq!(back, chain(100));
    let outside = read(&[EXTENDED], &[(100, &link(500)), (600, &link(0))]);
    assert_eq!(outside, chain(600));
    let far = read(&[EXTENDED], &[(100, &link(u32::MAX))]);
    assert_eq!(far, chain(100 + u64::from(u32::MAX)));
    assert_eq!(read(&[EXTENDED], &[(100, &link(20))]), chain(120));
}

#[test]
fn a_chain_has_an_end() {
    let all: Vec<[Slot; 2]> = (0..200)
        .map(|index| [(0, 0x83, 1, 1), (0, 5, 2 * (index + 1), 2)])
        .collect();
    let chain = |count: usize, data: bool| {
        let mut slots = all[..count].to_vec();
        slots[count - 1][1] = (0, 0, 0, 0);
        if !data {
            for slot in &mut slots {
                slot[0] = (0, 0, 0, 0);
            }
        }
        let records = slots.iter().enumerate();
        let records: Vec<(usize, &[Slot])> = records
            .map(|(index, slots)| (100 + 2 * index, &slots[..]))
            .collect();
        read(&[EXTENDED], &records)
    };
    assert_eq!(chain(128, true).unwrap().len(), 128);
    assert_eq!(chain(129, true), Err(TableError::TooMany { most: 128 }));
    assert_eq!(chain(128, false), Ok(Vec::new()));
    assert_eq!(chain(200, false), Err(TableError::TooMany { most: 128 }));
}
