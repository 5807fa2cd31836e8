//! Block devices.

use solo5_abi::api::BLOCK_MANY_MAX;
use solo5_abi::hvt::{BlockDiscard, BlockFlush, BlockIo};
use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY};

use super::*;

impl Guest {
    fn block(&self, call: Hypercall, io: BlockIo) -> Result<i32, Fault> {
        Ok(BlockIo::from_bytes(&self.call(call, io.to_bytes())?).ret)
    }

    fn flush(&self, handle: u64) -> i32 {
        let flush = BlockFlush { handle, ret: -1 };
        let done = self.call(Hypercall::BlockFlush, flush.to_bytes());
        BlockFlush::from_bytes(&done.unwrap()).ret
    }

    fn discard(&self, offset: u64, len: u64) -> i32 {
        let discard = BlockDiscard {
            handle: 1,
            offset,
            len,
            ret: -1,
        };
        let done = self.call(Hypercall::BlockDiscard, discard.to_bytes());
        BlockDiscard::from_bytes(&done.unwrap()).ret
    }
}

#[test]
fn blocks_are_read_and_written() {
    let (path, devices) = disk("rw");
    let guest = Guest::new(devices);
    let io = BlockIo {
        handle: 1,
        offset: 512,
        data: BUFFER,
        len: 512,
        ret: -1,
    };
    assert_eq!(guest.block(Hypercall::BlockRead, io), Ok(0));
    assert_eq!(
        copy::<512>(&guest.memory.slice(BUFFER, 512).unwrap()),
        [7; 512]
    );
    guest.memory.write(BUFFER, &[9; 512]);
    assert_eq!(guest.block(Hypercall::BlockWrite, io), Ok(0));
    let image = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(
        [&image[..512], &image[512..1024], &image[1024..]],
        [&[7; 512][..], &[9; 512], &[7; 1024]]
    );
}

/// What a guest may ask of its first disk.
const FIRST_BLOCK: BlockIo = BlockIo {
    handle: 1,
    offset: 0,
    data: BUFFER,
    len: 512,
    ret: -1,
};

#[test]
fn block_calls_check_device_and_range() {
    let (path, devices) = disk("range");
    fs::remove_file(path).unwrap();
    let guest = Guest::new(devices);
    let good = FIRST_BLOCK;
    let bad = [
        BlockIo { handle: 0, ..good },
        BlockIo { handle: 2, ..good },
        BlockIo {
            handle: u64::MAX,
            ..good
        },
        BlockIo {
            offset: 2048,
            ..good
        },
        BlockIo {
            offset: 1537,
            ..good
        },
        BlockIo {
            offset: u64::MAX,
            ..good
        },
        BlockIo {
            offset: u64::MAX - 511,
            ..good
        },
        BlockIo { len: 2049, ..good },
        BlockIo {
            len: u64::MAX,
            ..good
        },
        BlockIo {
            offset: 2048,
            len: 0,
            ..good
        },
    ];
    for io in bad {
        for call in [Hypercall::BlockRead, Hypercall::BlockWrite] {
            assert_eq!(
                guest.block(call, io),
                Ok(SolResult::Einval as i32),
                "{io:?}"
            );
        }
    }
}

#[test]
fn block_calls_check_the_buffer() {
    let (path, devices) = disk("buffer");
    fs::remove_file(path).unwrap();
    let guest = Guest::new(devices);
    let good = FIRST_BLOCK;
    for data in [LIMIT - 512, LIMIT, u64::MAX, u64::MAX - 511] {
        let fault = guest
            .block(Hypercall::BlockRead, BlockIo { data, ..good })
            .unwrap_err();
        assert!(matches!(
            fault,
            Fault::Pointer {
                what: "block buffer",
                ..
            }
        ));
    }
    let fault = guest
        .block(
            Hypercall::BlockRead,
            BlockIo {
                data: 0x2000,
                ..good
            },
        )
        .unwrap_err();
    assert!(matches!(
        fault,
        Fault::ReadOnly {
            what: "block buffer",
            ..
        }
    ));
    assert_eq!(
        guest.block(
            Hypercall::BlockWrite,
            BlockIo {
                data: 0x2000,
                ..good
            }
        ),
        Ok(0)
    );
}

#[test]
fn an_image_that_shrinks_is_an_error_and_stays_short() {
    let (path, devices) = disk("shrunk");
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(100)
        .unwrap();
    let guest = Guest::new(devices);
    let io = BlockIo {
        handle: 1,
        offset: 0,
        data: BUFFER,
        len: 512,
        ret: -1,
    };
    let read = guest.block(Hypercall::BlockRead, io);
    let written = guest.block(Hypercall::BlockWrite, io);
    let len = fs::metadata(&path).unwrap().len();
    fs::remove_file(path).unwrap();
    assert_eq!(
        (read, written),
        (Ok(SolResult::Eunspec as i32), Ok(SolResult::Eunspec as i32))
    );
    assert_eq!(len, 100, "the write made the image grow again");
}

#[test]
fn a_flush_is_for_those_who_ask_for_it() {
    let (path, devices) = disk_wanting("flush", BLOCK_FLUSH);
    fs::remove_file(path).unwrap();
    let guest = Guest::new(devices);
    assert_eq!(guest.flush(1), SolResult::Ok as i32);
    for handle in [0, 2, 1 << 32 | 1, u64::MAX] {
        assert_eq!(guest.flush(handle), SolResult::Einval as i32);
    }
    let (path, devices) = disk("noflush");
    fs::remove_file(path).unwrap();
    assert_eq!(Guest::new(devices).flush(1), SolResult::Einval as i32);
    let call = Hypercall::BlockFlush;
    let none = Guest::new(super::devices(&[], ""));
    assert_eq!(none.call(call, [0; 16]), Err(Fault::Absent { call }));
}

#[test]
fn no_flush_succeeds_after_the_image_was_cut_short() {
    let (path, devices) = disk_wanting("lost", BLOCK_FLUSH);
    let guest = Guest::new(devices);
    let file = fs::File::options().write(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(guest.flush(1), SolResult::Eshrunk as i32);
    file.set_len(2048).unwrap();
    assert_eq!(guest.flush(1), SolResult::Eunspec as i32);
    assert_eq!(guest.flush(1), SolResult::Eunspec as i32);
}

/// A disk of 4 MiB, and memory for the largest transfer.
fn large(name: &str, wanted: u16) -> (PathBuf, Guest) {
    let (path, devices) = disk_wanting(name, wanted);
    fs::remove_file(&path).unwrap();
    drop(devices);
    fs::write(&path, vec![7; 4 << 20]).unwrap();
    let entry = Entry::new("disk", DeviceType::BlockBasic).wanting(wanted);
    let devices = super::devices(&[entry], &format!("--block:disk={}", path.display()));
    let limit = 2 * LIMIT;
    let memory = GuestMemory::new(limit, limit).unwrap();
    (path, Guest { memory, devices })
}

#[test]
fn many_blocks_are_read_and_written_at_once() {
    let (path, guest) = large("many", BLOCK_MANY);
    let most = BLOCK_MANY_MAX as u64;
    let io = BlockIo {
        offset: 3 << 20,
        len: most,
        ..FIRST_BLOCK
    };
    assert_eq!(guest.block(Hypercall::BlockRead, io), Ok(0));
    let mut read = vec![0_u8; BLOCK_MANY_MAX];
    let buffer = guest.memory.slice(BUFFER, most).unwrap();
    buffer.copy_to(&mut read[..]);
    assert!(read.iter().all(|&octet| octet == 7));
    guest.memory.write(BUFFER, &vec![9; BLOCK_MANY_MAX]);
    let written = BlockIo {
        offset: 512,
        len: 1024,
        ..io
    };
    assert_eq!(guest.block(Hypercall::BlockWrite, written), Ok(0));
    assert_eq!(guest.block(Hypercall::BlockWrite, io), Ok(0));
    let image = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(image.len(), 4 << 20);
    for (at, octet) in image.iter().enumerate() {
        let inside = (512..1536).contains(&at) || at >= 3 << 20;
        assert_eq!(*octet, if inside { 9 } else { 7 }, "at {at}");
    }
}

#[test]
fn many_blocks_are_whole_ones_inside_and_not_too_many() {
    let most = BLOCK_MANY_MAX as u64;
    let (path, guest) = large("bounds", BLOCK_MANY);
    fs::remove_file(path).unwrap();
    let (path, plain) = large("plain", 0);
    fs::remove_file(path).unwrap();
    let bad = [
        (0, 0),
        (0, 511),
        (0, 513),
        (256, 512),
        (1, most),
        (0, most + 512),
        (0, 4 << 20),
        (3 << 20, most + 512),
        ((3 << 20) + 512, most),
        (4 << 20, 512),
        (u64::MAX - 511, 512),
        (u64::MAX - 1023, 1024),
        (512, u64::MAX - 511),
        (1 << 63, 512),
    ];
    let calls = [Hypercall::BlockRead, Hypercall::BlockWrite];
    for (offset, len) in bad {
        let io = BlockIo {
            offset,
            len,
            ..FIRST_BLOCK
        };
        for call in calls {
            let einval = Ok(SolResult::Einval as i32);
            assert_eq!(guest.block(call, io), einval, "{io:?}");
        }
    }
    let two = BlockIo {
        len: 1024,
        ..FIRST_BLOCK
    };
    for call in calls {
        assert_eq!(guest.block(call, two), Ok(0));
        assert_eq!(plain.block(call, two), Ok(SolResult::Einval as i32));
    }
    // The buffer is checked as for one block.
    let data = 2 * LIMIT - most + 1;
    let io = BlockIo {
        data,
        len: most,
        ..FIRST_BLOCK
    };
    for call in calls {
        let fault = guest.block(call, io).unwrap_err();
        assert!(matches!(
            fault,
            Fault::Pointer {
                what: "block buffer",
                ..
            }
        ));
    }
    let data = 0x10_0000 - 512;
    let tables = BlockIo { data, ..two };
    let fault = guest.block(Hypercall::BlockRead, tables).unwrap_err();
    assert!(matches!(fault, Fault::ReadOnly { .. }), "{fault}");
}

#[test]
fn what_befalls_a_transfer_is_told_to_who_asks() {
    let (path, devices) = disk_wanting("told", BLOCK_MANY);
    let guest = Guest::new(devices);
    let file = fs::File::options().write(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file.set_len(1000).unwrap();
    let io = BlockIo {
        len: 1536,
        ..FIRST_BLOCK
    };
    let shrunk = Ok(SolResult::Eshrunk as i32);
    assert_eq!(guest.block(Hypercall::BlockRead, io), shrunk);
    assert_eq!(guest.block(Hypercall::BlockWrite, io), shrunk);
    assert_eq!(file.metadata().unwrap().len(), 1000);
}

#[test]
fn whole_blocks_inside_are_discarded_for_those_who_ask() {
    let (path, devices) = disk_wanting("discard", BLOCK_DISCARD);
    let guest = Guest::new(devices);
    assert_eq!(guest.discard(512, 1024), SolResult::Ok as i32);
    let image = fs::read(&path).unwrap();
    assert_eq!(
        [&image[..512], &image[512..1536], &image[1536..]],
        [&[7; 512][..], &[0; 1024], &[7; 512]]
    );
    let bad = [
        (0, 0),
        (0, 511),
        (1, 512),
        (0, 2560),
        (2048, 512),
        (1536, 1024),
        (u64::MAX - 511, 512),
        (u64::MAX - 511, 1024),
        (512, u64::MAX - 511),
    ];
    for (offset, len) in bad {
        assert_eq!(guest.discard(offset, len), SolResult::Einval as i32);
    }
    assert_eq!(fs::read(&path).unwrap(), image);
    let file = fs::File::options().write(true).open(&path).unwrap();
    fs::remove_file(path).unwrap();
    file.set_len(100).unwrap();
    assert_eq!(guest.discard(0, 512), SolResult::Eshrunk as i32);
    assert_eq!(file.metadata().unwrap().len(), 100);

    let (path, devices) = disk("nodiscard");
    let plain = Guest::new(devices);
    assert_eq!(plain.discard(0, 512), SolResult::Einval as i32);
    assert_eq!(fs::read(&path).unwrap(), [7; 2048]);
    fs::remove_file(path).unwrap();
}
