//! Bounds, splitting, what the device is asked for, failures.

use std::error::Error as _;

use blockdev::{
    BlockDevice, Error, Geometry, GeometryError, MemoryDevice, Operation, SectorDevice,
};

use crate::recorder::Call::{Discard, Flush, Read, Write};
use crate::recorder::{BLOCK, Broken, Call, Recorder};

/// A device of eight blocks that keeps a trace.
fn disk() -> BlockDevice<Recorder> {
    BlockDevice::new(Recorder::new(8))
}

/// The same, of a device that takes so many blocks at a time.
fn many_at_a_time(blocks: usize) -> BlockDevice<Recorder> {
    let mut recorder = Recorder::new(8);
    recorder.max_blocks = blocks;
    BlockDevice::new(recorder)
}

fn calls(disk: &mut BlockDevice<Recorder>) -> Vec<Call> {
    std::mem::take(&mut disk.get_mut().calls)
}

#[test]
fn whole_blocks_are_transferred_without_detour() {
    let mut disk = disk();
    disk.write_at(BLOCK as u64, &[7; 2 * BLOCK]).unwrap();
    assert_eq!(calls(&mut disk), [Write(1, 1), Write(2, 1)]);
    let mut bytes = [0; 3 * BLOCK];
    disk.read_at(0, &mut bytes).unwrap();
    assert_eq!(calls(&mut disk), [Read(0, 1), Read(1, 1), Read(2, 1)]);
    assert_eq!(bytes[..BLOCK], [0; BLOCK]);
    assert_eq!(bytes[BLOCK..], [7; 2 * BLOCK]);
}

#[test]
fn as_many_blocks_as_the_device_takes_are_one_transfer() {
    let mut disk = many_at_a_time(3);
    disk.write_at(BLOCK as u64 - 2, &[7; 5 * BLOCK + 4])
        .unwrap();
    assert_eq!(
        calls(&mut disk),
        [
            Read(0, 1),
            Write(0, 1),
            Write(1, 3),
            Write(4, 2),
            Read(6, 1),
            Write(6, 1)
        ]
    );
    let mut bytes = [0; 8 * BLOCK];
    disk.read_blocks(0, &mut bytes).unwrap();
    assert_eq!(calls(&mut disk), [Read(0, 3), Read(3, 3), Read(6, 2)]);
    let mut expected = [7; 8 * BLOCK];
    expected[..BLOCK - 2].fill(0);
    expected[6 * BLOCK + 2..].fill(0);
    assert_eq!(bytes, expected);

    disk.get_mut().broken = Some(Write(3, 3));
    let error = disk.write_blocks(0, &[1; 8 * BLOCK]).unwrap_err();
    let expected = Error::Device {
        operation: Operation::Write,
        offset: 3 * BLOCK as u64,
        len: 3 * BLOCK as u64,
        source: Broken,
    };
    assert_eq!(error, expected);
}

#[test]
fn blocks_that_change_in_part_are_read_first() {
    let mut disk = disk();
    disk.write_at(BLOCK as u64 - 2, &[7; BLOCK + 4]).unwrap();
    assert_eq!(
        calls(&mut disk),
        [
            Read(0, 1),
            Write(0, 1),
            Write(1, 1),
            Read(2, 1),
            Write(2, 1)
        ]
    );
    let mut bytes = [0; BLOCK + 8];
    disk.read_at(BLOCK as u64 - 4, &mut bytes).unwrap();
    assert_eq!(calls(&mut disk), [Read(0, 1), Read(1, 1), Read(2, 1)]);
    let mut expected = [7; BLOCK + 8];
    expected[..2].fill(0);
    expected[BLOCK + 6..].fill(0);
    assert_eq!(bytes, expected);
}

#[test]
fn a_request_within_a_block_keeps_the_rest_of_it() {
    let mut disk = disk();
    disk.write_blocks(0, &[1; BLOCK]).unwrap();
    disk.write_at(100, b"within").unwrap();
    let bytes = disk.get_ref().memory.as_bytes();
    assert_eq!((&bytes[99..106], bytes[106]), (&b"\x01within"[..], 1));
    assert_eq!(bytes[BLOCK], 0);
}

#[test]
fn requests_of_nothing_ask_for_nothing() {
    let mut disk = disk();
    for offset in [0, 1, 8 * BLOCK as u64] {
        disk.read_at(offset, &mut []).unwrap();
        disk.write_at(offset, &[]).unwrap();
    }
    assert_eq!(calls(&mut disk), []);
}

#[test]
fn requests_beyond_the_end_are_refused_and_change_nothing() {
    let mut disk = disk();
    let capacity = 8 * BLOCK as u64;
    for (offset, len) in [
        (capacity, 1),
        (capacity - 1, 2),
        (0, 8 * BLOCK + 1),
        (capacity + 1, 0),
        (u64::MAX, 1),
        (u64::MAX, 0),
        (u64::MAX - 3, 4),
    ] {
        let expected = Error::OutOfBounds {
            offset,
            len: len as u64,
            capacity,
        };
        assert_eq!(disk.read_at(offset, &mut vec![0; len]), Err(expected));
        assert_eq!(disk.write_at(offset, &vec![1; len]), Err(expected));
    }
    assert_eq!(calls(&mut disk), []);
    disk.write_at(capacity - 1, &[1]).unwrap();
    disk.read_at(0, &mut [0; 8 * BLOCK]).unwrap();
}

#[test]
fn whole_block_requests_take_whole_blocks_only() {
    let mut disk = disk();
    for (offset, len) in [(1, BLOCK), (0, 1), (BLOCK as u64, BLOCK - 1)] {
        let expected = Error::Misaligned {
            offset,
            len: len as u64,
            block_size: BLOCK,
        };
        assert_eq!(disk.read_blocks(offset, &mut vec![0; len]), Err(expected));
        assert_eq!(disk.write_blocks(offset, &vec![0; len]), Err(expected));
    }
    assert_eq!(calls(&mut disk), []);
    disk.write_blocks(512, &[3; 1024]).unwrap();
    disk.read_blocks(1024, &mut [0; 512]).unwrap();
    assert_eq!(calls(&mut disk), [Write(1, 1), Write(2, 1), Read(2, 1)]);
    assert!(matches!(
        disk.read_blocks(8 * 512, &mut [0; 512]),
        Err(Error::OutOfBounds { .. })
    ));
}

#[test]
fn a_failure_names_the_operation_and_the_block() {
    let mut disk = disk();
    disk.get_mut().broken = Some(Write(2, 1));
    let error = disk.write_at(600, &[9; 1024]).unwrap_err();
    let expected = Error::Device {
        operation: Operation::Write,
        offset: 1024,
        len: 512,
        source: Broken,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        "write of 512 bytes at offset 1024 failed: broken on purpose"
    );
    assert_eq!(error.source().unwrap().to_string(), "broken on purpose");
    // Blocks in front have been written, those from there on have not.
    assert_eq!(calls(&mut disk), [Read(1, 1), Write(1, 1), Write(2, 1)]);
    let bytes = disk.get_ref().memory.as_bytes();
    assert_eq!(
        (bytes[599], bytes[600], bytes[1023], bytes[1024]),
        (0, 9, 9, 0)
    );

    disk.get_mut().broken = Some(Read(3, 1));
    let expected = Error::Device {
        operation: Operation::Read,
        offset: 1536,
        len: 512,
        source: Broken,
    };
    assert_eq!(disk.read_at(1024, &mut [0; 1024]), Err(expected));
    // A block that cannot be read is not written in part.
    assert_eq!(disk.write_at(1540, &[1]), Err(expected));
    assert_eq!(calls(&mut disk), [Read(2, 1), Read(3, 1), Read(3, 1)]);
}

#[test]
fn flush_reaches_the_device() {
    let mut disk = disk();
    disk.flush().unwrap();
    assert_eq!(calls(&mut disk), [Flush]);
    disk.get_mut().broken = Some(Flush);
    let error = disk.flush().unwrap_err();
    assert_eq!(error.to_string(), "flush failed: broken on purpose");
}

#[test]
fn a_flush_that_the_device_cannot_do_is_refused() {
    let mut disk = disk();
    disk.get_mut().can_flush = false;
    assert_eq!(disk.flush(), Err(Error::CannotFlush));
    assert_eq!(calls(&mut disk), []);
    assert!(Error::<Broken>::CannotFlush.source().is_none());
}

#[test]
fn blocks_are_discarded_where_the_device_has_a_use_for_it() {
    let mut disk = disk();
    disk.discard(512, 1024).unwrap();
    assert_eq!(calls(&mut disk), [], "it has none");
    disk.get_mut().can_discard = true;
    disk.discard(512, 1024).unwrap();
    disk.discard(1024, 0).unwrap();
    assert_eq!(calls(&mut disk), [Discard(1, 2)]);
    for (offset, len) in [(1, 512), (512, 100)] {
        let error = disk.discard(offset, len).unwrap_err();
        assert!(matches!(error, Error::Misaligned { .. }), "{error}");
    }
    for (offset, len) in [(8 * 512, 512), (0, 9 * 512), (512, u64::MAX - 511)] {
        let error = disk.discard(offset, len).unwrap_err();
        assert!(matches!(error, Error::OutOfBounds { .. }), "{error}");
    }
    disk.get_mut().broken = Some(Discard(0, 1));
    assert_eq!(
        disk.discard(0, 512).unwrap_err().to_string(),
        "discard of 512 bytes at offset 0 failed: broken on purpose"
    );

    let mut memory = BlockDevice::new(MemoryDevice::from_bytes(4, vec![7; 16]).unwrap());
    memory.discard(4, 8).unwrap();
    memory.flush().unwrap();
    assert_eq!(
        memory.get_ref().as_bytes(),
        [7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7]
    );
}

#[test]
fn sizes_are_checked() {
    let geometry = Geometry::new(4096, 1 << 40).unwrap();
    assert_eq!(geometry.block_size(), 4096);
    assert_eq!((geometry.capacity(), geometry.blocks()), (1 << 40, 1 << 28));
    for block_size in [0, 3, 521] {
        assert_eq!(
            Geometry::new(block_size, 4096),
            Err(GeometryError::BlockSize { block_size })
        );
    }
    for capacity in [0, 1, 511, 513, u64::MAX] {
        let error = Geometry::new(512, capacity).unwrap_err();
        assert_eq!(
            error,
            GeometryError::Capacity {
                capacity,
                block_size: 512
            }
        );
        assert!(error.to_string().contains(&capacity.to_string()));
    }
    assert!(MemoryDevice::new(512, 0).is_err());
    assert!(MemoryDevice::from_bytes(512, vec![0; 700]).is_err());
}

#[test]
fn a_borrowed_device_is_a_device() {
    let mut memory = MemoryDevice::new(16, 4).unwrap();
    let mut disk = BlockDevice::new(&mut memory);
    disk.write_at(15, b"ab").unwrap();
    disk.flush().unwrap();
    assert_eq!((disk.block_size(), disk.capacity()), (16, 64));
    assert_eq!(memory.as_bytes()[15..17], *b"ab");
    assert_eq!(memory.geometry().blocks(), 4);
    let mut recorder = Recorder::new(4);
    recorder.memory = MemoryDevice::from_bytes(BLOCK, vec![7; 4 * BLOCK]).unwrap();
    recorder.max_blocks = 3;
    recorder.can_discard = true;
    let mut disk = BlockDevice::new(&mut recorder);
    let mut bytes = [0; 3 * BLOCK];
    disk.read_at(BLOCK as u64, &mut bytes).unwrap();
    disk.flush().unwrap();
    disk.discard(0, BLOCK as u64).unwrap();
    assert_eq!(bytes, [7; 3 * BLOCK]);
    assert_eq!(recorder.calls, [Read(1, 3), Flush, Discard(0, 1)]);
}
