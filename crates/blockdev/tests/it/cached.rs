//! The cache: what reaches the device and when, room, failures.

mod model;

use blockdev::{
    BlockDevice, CacheConfig, Cached, Error, Fault, FaultyDevice, MemoryDevice, Operation,
    SectorDevice, Unsynced,
};

use crate::recorder::Call::{Discard, Flush, Read, Write};
use crate::recorder::{BLOCK, Broken, Call, Recorder};

/// Blocks of a page.
const PAGE: u64 = 8;

/// A device of 1000 blocks behind a cache of so many pages.
fn disk(pages: usize, read_ahead: usize) -> BlockDevice<Cached<Recorder>> {
    let mut recorder = Recorder::new(1000);
    recorder.max_blocks = 256;
    recorder.can_discard = true;
    let config = CacheConfig {
        bytes: pages * PAGE as usize * BLOCK,
        read_ahead,
    };
    BlockDevice::new(Cached::new(recorder, config))
}

fn calls(disk: &mut BlockDevice<Cached<Recorder>>) -> Vec<Call> {
    std::mem::take(&mut disk.get_mut().get_mut().calls)
}

fn at(block: u64) -> u64 {
    block * BLOCK as u64
}

fn read(disk: &mut BlockDevice<Cached<Recorder>>, block: u64, blocks: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; blocks * BLOCK];
    disk.read_blocks(at(block), &mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_read_is_not_read_again() {
    let mut disk = disk(4, 0);
    read(&mut disk, 3, 2);
    read(&mut disk, 4, 1);
    read(&mut disk, 2, 5);
    assert_eq!(calls(&mut disk), [Read(3, 2), Read(2, 1), Read(5, 2)]);
    read(&mut disk, 0, 20);
    assert_eq!(calls(&mut disk), [Read(0, 2), Read(7, 13)]);
    assert_eq!(disk.get_ref().cached_bytes(), 3 * 8 * BLOCK);
}

#[test]
fn what_is_written_reaches_the_device_at_the_flush_and_together() {
    let mut disk = disk(8, 0);
    for block in [9, 7, 8, 40, 6] {
        disk.write_blocks(at(block), &[block as u8; BLOCK]).unwrap();
    }
    assert_eq!(disk.get_ref().dirty_bytes(), 5 * BLOCK);
    assert_eq!(read(&mut disk, 7, 2)[..BLOCK], [7; BLOCK]);
    assert_eq!(calls(&mut disk), [], "nothing is read to be overwritten");
    disk.flush().unwrap();
    assert_eq!(calls(&mut disk), [Write(6, 4), Write(40, 1), Flush]);
    assert_eq!(disk.get_ref().dirty_bytes(), 0);
    disk.flush().unwrap();
    assert_eq!(calls(&mut disk), [Flush]);
    // The rest of a block that changes in part is read once.
    disk.write_at(at(50) + 1, b"part").unwrap();
    disk.write_at(at(50) + 9, b"part").unwrap();
    assert_eq!(calls(&mut disk), [Read(50, 1)]);
    let device = disk.into_inner().into_inner().unwrap();
    assert_eq!(device.calls, [Write(50, 1)]);
    assert_eq!(
        device.memory.as_bytes()[at(50) as usize + 1..][..12],
        *b"part\0\0\0\0part"
    );
}

#[test]
fn what_is_read_in_sequence_is_read_ahead() {
    let mut disk = disk(64, 64 * BLOCK);
    for block in 0..112 {
        read(&mut disk, block, 1);
    }
    // Four pages at first, then twice as many, as far as it may be.
    let ahead = [Read(0, 32), Read(32, 64), Read(96, 64)];
    assert_eq!(calls(&mut disk), ahead);
    read(&mut disk, 500, 1);
    read(&mut disk, 300, 1);
    assert_eq!(
        calls(&mut disk),
        [Read(500, 1), Read(300, 1)],
        "not in sequence"
    );
    read(&mut disk, 601, 1);
    read(&mut disk, 602, 1);
    assert_eq!(
        calls(&mut disk),
        [Read(601, 1), Read(602, 30)],
        "as at first"
    );
    read(&mut disk, 300, 1);
    // Neither beyond the end nor over what is there, which is dirty perhaps.
    disk.write_blocks(at(310), &[7; BLOCK]).unwrap();
    read(&mut disk, 301, 1);
    read(&mut disk, 990, 1);
    read(&mut disk, 991, 1);
    assert_eq!(calls(&mut disk), [Read(301, 9), Read(990, 1), Read(991, 9)]);
    assert_eq!(read(&mut disk, 310, 1), [7; BLOCK]);
}

#[test]
fn blocks_ahead_that_cannot_be_read_are_nobodys_error() {
    let mut disk = disk(64, 64 * BLOCK);
    disk.get_mut().get_mut().broken = Some(Read(0, 32));
    read(&mut disk, 0, 1);
    assert_eq!(calls(&mut disk), [Read(0, 32), Read(0, 1)]);
    disk.get_mut().get_mut().broken = Some(Read(200, 1));
    let error = disk.read_blocks(at(200), &mut [0; BLOCK]).unwrap_err();
    let expected = Error::Device {
        operation: Operation::Read,
        offset: at(200),
        len: BLOCK as u64,
        source: Broken,
    };
    assert_eq!(error, expected);
    disk.get_mut().get_mut().broken = None;
    assert_eq!(read(&mut disk, 200, 1), [0; BLOCK]);
}

#[test]
fn a_cache_has_the_size_that_it_was_given() {
    let mut disk = disk(4, 64 * BLOCK);
    for block in 0..400 {
        disk.write_blocks(at(block), &[block as u8; BLOCK]).unwrap();
        let pages = disk.get_ref().cached_bytes() / BLOCK;
        assert!(pages <= 4 * PAGE as usize);
    }
    // Neighbours have gone together.
    let writes = calls(&mut disk);
    assert!(writes.len() <= 400 / 32 + 1, "{writes:?}");
    for block in 0..400 {
        assert_eq!(read(&mut disk, block, 1), [block as u8; BLOCK]);
    }
    assert_eq!(disk.get_ref().cached_bytes() / BLOCK, 4 * PAGE as usize);
    let tiny = CacheConfig {
        bytes: 0,
        read_ahead: usize::MAX,
    };
    let mut disk = BlockDevice::new(Cached::new(Recorder::new(100), tiny));
    for block in 0..100 {
        disk.write_at(at(block) + 7, b"tiny").unwrap();
    }
    assert_eq!(
        disk.get_ref().cached_bytes(),
        8 * BLOCK,
        "a page is always kept"
    );
}

#[test]
fn what_is_used_stays_longer() {
    let mut disk = disk(4, 0);
    for page in 0..5 {
        read(&mut disk, page * PAGE, 1);
    }
    // The hand has come by all of them and has taken page 0. Of 1 to 3 only this is used again:
    read(&mut disk, PAGE, 1);
    read(&mut disk, 5 * PAGE, 1);
    calls(&mut disk);
    read(&mut disk, PAGE, 1);
    assert_eq!(calls(&mut disk), [], "it is still there");
    read(&mut disk, 2 * PAGE, 1);
    assert_eq!(calls(&mut disk), [Read(2 * PAGE, 1)]);
}

#[test]
fn large_requests_go_past_the_cache() {
    let mut disk = disk(16, 0);
    disk.write_blocks(at(10), &[1; BLOCK]).unwrap();
    disk.write_blocks(at(200), &[1; BLOCK]).unwrap();
    let bytes = read(&mut disk, 0, 300);
    let dirty = |block| bytes[block * BLOCK] == 1;
    assert!(dirty(10) && dirty(200) && !dirty(11));
    assert_eq!(
        calls(&mut disk),
        [Read(0, 10), Read(11, 189), Read(201, 99)]
    );
    assert!(disk.get_ref().cached_bytes() <= 5 * 8 * BLOCK);

    // What is written past it replaces what is there, which need not be written any more.
    disk.write_blocks(at(8), &[2; 128 * BLOCK]).unwrap();
    assert_eq!(calls(&mut disk), [Write(8, 128)]);
    assert_eq!(read(&mut disk, 10, 1), [2; BLOCK]);
    assert_eq!(disk.get_ref().dirty_bytes(), BLOCK);
    disk.get_mut().get_mut().broken = Some(Write(150, 128));
    disk.write_blocks(at(150), &[3; 128 * BLOCK]).unwrap_err();
    disk.flush().unwrap();
    assert_eq!(
        calls(&mut disk)[1..],
        [Write(200, 1), Flush],
        "still to be written"
    );
}

#[test]
fn after_a_failure_past_the_cache_the_device_is_asked() {
    let memory = MemoryDevice::new(BLOCK, 300).unwrap();
    let config = CacheConfig::default();
    let mut disk = BlockDevice::new(Cached::new(FaultyDevice::new(memory), config));
    let mut bytes = [0; BLOCK];
    disk.read_blocks(at(3), &mut bytes).unwrap();
    disk.write_blocks(at(4), &[1; BLOCK]).unwrap();
    let device = disk.get_mut().get_mut();
    device.inject(Fault::Block(Operation::Write, at(100)));
    disk.write_blocks(0, &[2; 200 * BLOCK]).unwrap_err();
    disk.read_blocks(at(3), &mut bytes).unwrap();
    assert_eq!(bytes, [2; BLOCK], "it was written");
    disk.read_blocks(at(4), &mut bytes).unwrap();
    assert_eq!(bytes, [1; BLOCK], "that is still to be written");
    disk.flush().unwrap();
    let memory = disk.into_inner().into_inner().unwrap().into_inner();
    assert_eq!(memory.as_bytes()[at(4) as usize], 1);
}

#[test]
fn discarded_blocks_are_neither_known_nor_written() {
    let mut disk = disk(16, 0);
    disk.write_blocks(at(6), &[1; 4 * BLOCK]).unwrap();
    disk.discard(at(7), at(2)).unwrap();
    disk.flush().unwrap();
    assert_eq!(
        calls(&mut disk),
        [Discard(7, 2), Write(6, 1), Write(9, 1), Flush]
    );
    read(&mut disk, 6, 4);
    assert_eq!(calls(&mut disk), [Read(7, 2)]);
}

#[test]
fn what_cannot_be_written_stays_and_each_flush_says_so() {
    let config = CacheConfig {
        bytes: 2 * 4096,
        read_ahead: 0,
    };
    let memory = MemoryDevice::new(BLOCK, 100).unwrap();
    let mut disk = BlockDevice::new(Cached::new(FaultyDevice::new(memory), config));
    disk.get_mut()
        .get_mut()
        .inject(Fault::Block(Operation::Write, at(1)));
    disk.write_blocks(0, &[1; 3 * BLOCK]).unwrap();
    for _ in 0..2 {
        let error = disk.flush().unwrap_err();
        assert_eq!(
            error.to_string(),
            "flush failed: write of the block at offset 512 fails on demand"
        );
        // The others have been written.
        assert_eq!(disk.get_ref().dirty_bytes(), BLOCK);
    }
    // It keeps its page, and all else goes on with the other.
    for block in 8..100 {
        disk.write_blocks(at(block), &[2; BLOCK]).unwrap();
    }
    let mut bytes = [0; 3 * BLOCK];
    disk.read_blocks(0, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 3 * BLOCK]);
    disk.flush().unwrap_err();

    // When all pages are such, requests go past the cache.
    let device = disk.get_mut().get_mut();
    device.inject(Fault::All(Operation::Write));
    disk.write_blocks(at(20), &[3; BLOCK]).unwrap();
    let error = disk.write_blocks(at(40), &[3; BLOCK]).unwrap_err();
    assert!(
        matches!(error, Error::Device { offset: 20_480, .. }),
        "{error}"
    );
    disk.read_blocks(at(60), &mut bytes).unwrap();
    assert_eq!(bytes, [2; 3 * BLOCK]);
    let failed = disk.into_inner().into_inner().unwrap_err();
    assert_eq!(
        failed.to_string(),
        "1024 bytes could not be written back: write of the block at offset 512 fails on demand"
    );
    let mut cached = failed.cached;
    cached.get_mut().repair();
    cached.flush().unwrap();
    let memory = cached.into_inner().unwrap().into_inner();
    assert_eq!(memory.as_bytes()[..3 * BLOCK], [1; 3 * BLOCK]);
    assert_eq!(memory.as_bytes()[at(20) as usize], 3);
}

#[test]
fn without_a_flush_of_the_device_there_is_none() {
    let mut disk = disk(4, 0);
    disk.get_mut().get_mut().can_flush = false;
    disk.write_blocks(0, &[1; BLOCK]).unwrap();
    assert_eq!(disk.flush(), Err(Error::CannotFlush));
    assert_eq!(calls(&mut disk), []);
    disk.get_mut().write_back().unwrap();
    assert_eq!(calls(&mut disk), [Write(0, 1)]);

    let mut recorder = Recorder::new(8);
    recorder.can_flush = false;
    let device = Cached::new(Unsynced::new(recorder), CacheConfig::default());
    let mut disk = BlockDevice::new(device);
    disk.write_at(3, b"accepted").unwrap();
    disk.flush().unwrap();
    let mut recorder = disk.into_inner().into_inner().unwrap();
    assert_eq!(recorder.get_mut().calls, [Read(0, 1), Write(0, 1)]);
    recorder.get_mut().can_flush = true;
    recorder.flush().unwrap();
    assert_eq!(recorder.into_inner().calls[2..], [Flush]);
}
