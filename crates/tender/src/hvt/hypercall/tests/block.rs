//! Block devices.

use solo5_abi::hvt::{BlockFlush, BlockIo};
use solo5_abi::manifest::BLOCK_FLUSH;

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
