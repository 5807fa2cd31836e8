//! Partitions, and what the tables say of them.

#[cfg(feature = "partitions")]
mod chain;
#[cfg(feature = "partitions")]
mod gpt;
#[cfg(feature = "partitions")]
mod hostile;
#[cfg(feature = "partitions")]
mod image;
#[cfg(feature = "partitions")]
mod invariants;
#[cfg(feature = "partitions")]
mod sfdisk;

use std::cell::RefCell;
use std::rc::Rc;

use blockdev::partition::Partition;
use blockdev::{BlockDevice, Error, MemoryDevice, SectorDevice};

use crate::recorder::Call::{Discard, Flush, Read, Write};
use crate::recorder::{BLOCK, Recorder};

#[test]
fn a_partition_is_a_device() {
    let mut recorder = Recorder::new(16);
    recorder.max_blocks = 3;
    recorder.can_discard = true;
    let partition = Partition::new(recorder, 4 * BLOCK as u64, 8 * BLOCK as u64).unwrap();
    assert_eq!(partition.start(), 4 * BLOCK as u64);
    let mut disk = BlockDevice::new(partition);
    assert_eq!(disk.capacity(), 8 * BLOCK as u64);
    disk.write_blocks(6 * BLOCK as u64, &[7; 2 * BLOCK])
        .unwrap();
    disk.read_blocks(0, &mut [0; 4 * BLOCK]).unwrap();
    disk.flush().unwrap();
    disk.discard(0, BLOCK as u64).unwrap();
    let outside = disk.write_at(8 * BLOCK as u64 - 1, b"ab").unwrap_err();
    assert!(matches!(outside, Error::OutOfBounds { .. }));
    let recorder = disk.into_inner().into_inner();
    let expected = [Write(10, 2), Read(4, 3), Read(7, 1), Flush, Discard(4, 1)];
    assert_eq!(recorder.calls, expected);
}

#[test]
fn partitions_are_whole_blocks_of_the_device() {
    let block = BLOCK as u64;
    for (start, len) in [
        (0, 17 * block),
        (16 * block, block),
        (u64::MAX - 511, block),
    ] {
        let error = Partition::new(Recorder::new(16), start, len).err().unwrap();
        assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    }
    for (start, len) in [(1, block), (0, 100), (block, 0)] {
        let error = Partition::new(Recorder::new(16), start, len).err().unwrap();
        assert!(matches!(error, Error::Misaligned { .. }), "{error}");
    }
    Partition::new(Recorder::new(16), 0, 16 * block).unwrap();
}

#[test]
#[should_panic(expected = "512 bytes at offset 1024 of a partition of 1024 bytes")]
fn what_lies_behind_it_is_another_s() {
    let mut partition = Partition::new(Recorder::new(16), 0, 2 * BLOCK as u64).unwrap();
    let _ = partition.write_blocks(2 * BLOCK as u64, &[0; BLOCK]);
}

#[test]
fn partitions_of_one_device_are_used_at_once() {
    let mut recorder = Recorder::new(8);
    recorder.can_discard = true;
    let shared = Rc::new(RefCell::new(recorder));
    let half = 4 * BLOCK as u64;
    let mut first = BlockDevice::new(Partition::new(shared.clone(), 0, half).unwrap());
    let mut second = BlockDevice::new(Partition::new(shared.clone(), half, half).unwrap());
    first.write_blocks(0, &[1; BLOCK]).unwrap();
    second.write_blocks(0, &[2; BLOCK]).unwrap();
    let mut bytes = [0; BLOCK];
    first.read_blocks(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; BLOCK]);
    second.flush().unwrap();
    second.discard(half - BLOCK as u64, BLOCK as u64).unwrap();
    let calls = &shared.borrow().calls;
    assert_eq!(
        *calls,
        [Write(0, 1), Write(4, 1), Read(0, 1), Flush, Discard(7, 1)]
    );
    let memory = Rc::new(RefCell::new(MemoryDevice::new(512, 1).unwrap()));
    assert_eq!(memory.max_transfer(), 1 << 20);
}
