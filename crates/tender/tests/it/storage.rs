//! Flushes, many blocks and holes on spt, where the filter is all that checks them: as the kernel applies it.

use std::fs;

use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY};

use crate::support::{Code, DATA, Ended, Guest, Reg, Scratch, Tender};

const SIGSYS: i32 = 31;
/// The descriptor is in the manifest entry: 1 (behind the reserved one), field `b`.
const DISK_FD: u64 = 0x1_1028 + 8 + 104 + 88;
const ALL: u16 = BLOCK_FLUSH | BLOCK_MANY | BLOCK_DISCARD;

const PREAD: u64 = 17;
const PWRITE: u64 = 18;
const FDATASYNC: u64 = 75;
const FALLOCATE: u64 = 285;
/// Bytes of the image.
const LENGTH: u64 = 4 << 20;
/// The longest transfer.
const MOST: u64 = 1 << 20;

/// Runs a guest that makes the call on its disk, with these arguments behind the descriptor, and ends with the low byte of
/// what it gave; and the image afterwards.
fn call(wanted: u16, number: u64, arguments: [u64; 3]) -> (Ended, Vec<u8>) {
    let scratch = Scratch::new();
    let image = scratch.image("disk.img", LENGTH as usize, 7);
    let [a, b, c] = arguments;
    let code = Code::new()
        .load(DISK_FD)
        .copy(Reg::Rdi, Reg::Rax)
        .set(Reg::Rsi, a)
        .set(Reg::Rdx, b)
        .set(Reg::R10, c)
        .set(Reg::Rax, number)
        .bytes(&[0x0f, 0x05])
        .copy(Reg::Rdi, Reg::Rax)
        .exit_rdi();
    let guest = Guest::spt(code).disk_wanting("disk", wanted);
    let kernel = guest.write(&scratch);
    let option = format!("--block:disk={}", image.display());
    let ended = Tender::Spt.run(["--mem=8".as_ref(), option.as_ref(), kernel.as_os_str()]);
    (ended, fs::read(image).unwrap())
}

#[test]
fn what_was_asked_for_is_let_through() {
    let (ended, _) = call(ALL, PREAD, [DATA, MOST - 1, LENGTH - MOST + 1]);
    assert_eq!(ended.code, Some(0xff), "{ended:?}");
    let (ended, image) = call(ALL, PWRITE, [DATA + 0x1000, MOST - 1, LENGTH - MOST + 1]);
    assert_eq!(ended.code, Some(0xff), "{ended:?}");
    assert_eq!(image.len() as u64, LENGTH);
    let (old, new) = image.split_at((LENGTH - MOST + 1) as usize);
    assert!(old.iter().all(|&octet| octet == 7) && new.iter().all(|&octet| octet == 0));

    let (ended, image) = call(ALL, FDATASYNC, [0; 3]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(image.iter().all(|&octet| octet == 7));

    let (ended, image) = call(ALL, FALLOCATE, [3, LENGTH - 8192, 8192]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(image.len() as u64, LENGTH);
    let (old, new) = image.split_at((LENGTH - 8192) as usize);
    assert!(old.iter().all(|&octet| octet == 7) && new.iter().all(|&octet| octet == 0));
}

#[test]
fn what_reaches_beyond_the_image_or_the_largest_transfer_kills() {
    let transfers = [
        (0, 0),
        (MOST + 1, 0),
        (MOST, LENGTH - MOST + 1),
        (1, LENGTH),
        (1, u64::MAX),
        (MOST, u64::MAX - MOST + 1),
        (512, 1 << 63),
        (512 | 1 << 32, 0),
    ];
    let holes = [
        (0, LENGTH + 1),
        (LENGTH - 512, 513),
        (LENGTH, 1),
        (u64::MAX, 1),
        (u64::MAX - 511, 1024),
        (512, u64::MAX - 511),
        (1 << 63, 1 << 63),
        (1 << 32, 512),
    ];
    let calls = transfers
        .iter()
        .flat_map(|&(size, offset)| [PREAD, PWRITE].map(|number| (number, [DATA, size, offset])))
        .chain(
            holes
                .iter()
                .map(|&(offset, size)| (FALLOCATE, [3, offset, size])),
        )
        // Other modes: to allocate, to make a hole and grow, to collapse, to fill with zeros.
        .chain([0, 1, 2, 8, 0x10, 0x13].map(|mode| (FALLOCATE, [mode, 0, 4096])));
    for (number, arguments) in calls {
        let (ended, image) = call(ALL, number, arguments);
        assert_eq!(
            ended.signal,
            Some(SIGSYS),
            "{number} {arguments:x?}: {ended:?}"
        );
        assert_eq!(image.len() as u64, LENGTH);
        assert!(image.iter().all(|&octet| octet == 7));
    }
}

#[test]
fn what_was_not_asked_for_kills() {
    for (wanted, number, arguments) in [
        (BLOCK_MANY | BLOCK_DISCARD, FDATASYNC, [0; 3]),
        (BLOCK_FLUSH | BLOCK_DISCARD, PREAD, [DATA, 1024, 0]),
        (BLOCK_FLUSH | BLOCK_DISCARD, PWRITE, [DATA, 1024, 0]),
        (BLOCK_FLUSH | BLOCK_MANY, FALLOCATE, [3, 0, 4096]),
    ] {
        let (ended, image) = call(wanted, number, arguments);
        assert_eq!(ended.signal, Some(SIGSYS), "{number}: {ended:?}");
        assert!(image.iter().all(|&octet| octet == 7));
    }
}
