//! The filter for all system calls, asked without installing it. (That the kernel does as it says is tested on guests.)

use std::fs::File;

use hostdev::{BlockImage, BlockSize};
use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_MANY, MAX_ENTRIES};

use super::*;
use crate::filters::{self, Call, assert_fits, sweep};

const EPOLL: RawFd = 100;
const TIMER: RawFd = 101;

/// The guest's whole interface to the host, written down once more.
fn allowed(devices: &Devices, call: &Call) -> bool {
    let [a, b, c, d, e, _] = call.arguments;
    let [fd, int_b, int_c] = [a, b, c].map(|word| word as i32);
    let is_tap = |fd| {
        devices
            .net
            .iter()
            .any(|device| device.interface.as_raw_fd() == fd)
    };
    let image = devices
        .block
        .iter()
        .find(|device| device.image.as_raw_fd() == fd);
    let is_image = image.is_some();
    let [begins, ends] = filters::count_of(devices, fd);
    let has = |feature| image.is_some_and(|device| device.has(feature));
    match libc::c_long::from(call.number) {
        libc::SYS_read => is_tap(fd) || ends,
        libc::SYS_write => fd == 1 || is_tap(fd) || begins,
        libc::SYS_lseek => is_image && b == 0 && int_c == libc::SEEK_END,
        // One block, or any part, of an image of 2048 bytes.
        libc::SYS_pread64 | libc::SYS_pwrite64 => {
            let size = c == 512 || has(BLOCK_MANY) && (1..=1 << 20).contains(&c);
            is_image && size && d.checked_add(c).is_some_and(|end| end <= 2048)
        }
        libc::SYS_fdatasync => has(BLOCK_FLUSH),
        // FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE.
        libc::SYS_fallocate => {
            has(BLOCK_DISCARD) && int_b == 3 && c.checked_add(d).is_some_and(|end| end <= 2048)
        }
        libc::SYS_arch_prctl => a == ARCH_SET_FS,
        libc::SYS_clock_gettime => fd == libc::CLOCK_REALTIME || fd == libc::CLOCK_MONOTONIC,
        libc::SYS_exit_group => true,
        libc::SYS_epoll_ctl => {
            let operation = int_b == libc::EPOLL_CTL_ADD || int_b == libc::EPOLL_CTL_DEL;
            fd == EPOLL && operation && is_tap(int_c)
        }
        libc::SYS_epoll_pwait => fd == EPOLL && e == 0,
        libc::SYS_timerfd_settime => fd == TIMER,
        _ => false,
    }
}

#[test]
fn nothing_but_the_list_is_let_through() {
    for (taps, images) in [(0, 0), (2, 2)] {
        let devices = filters::devices(taps, images);
        let filter = filter(&devices, EPOLL, TIMER).unwrap();
        let mut values = [512, 1536, 1 << 20, ARCH_SET_FS, EPOLL as u64, TIMER as u64].to_vec();
        values.extend(
            devices
                .net
                .iter()
                .map(|device| device.interface.as_raw_fd() as u64),
        );
        values.extend(
            devices
                .block
                .iter()
                .map(|device| device.image.as_raw_fd() as u64),
        );
        values.extend(filters::counts(&devices));
        sweep(&filter, &values, |call| allowed(&devices, call));
    }
}

#[test]
fn nothing_but_its_list_is_let_through_for_the_signals() {
    for notice in [TIMER, -1] {
        let filter = watch_filter(EPOLL, notice).unwrap();
        let allowed = |call: &Call| {
            let fd = call.arguments[0] as i32;
            match libc::c_long::from(call.number) {
                libc::SYS_exit_group | libc::SYS_rt_sigtimedwait => true,
                libc::SYS_write => fd == EPOLL || fd == notice,
                libc::SYS_sendto => fd == libc::STDERR_FILENO,
                _ => false,
            }
        };
        sweep(&filter, &[EPOLL as u64, TIMER as u64], allowed);
    }
}

#[test]
fn nothing_but_its_list_is_let_through_for_flushes() {
    let devices = filters::devices(1, 3);
    let image = devices.block[1].image.as_raw_fd();
    let background = devices.block[1].background.as_ref().unwrap();
    let filter = flush_filter(image, background).unwrap();
    let allowed = |call: &Call| {
        let fd = call.arguments[0] as i32;
        match libc::c_long::from(call.number) {
            libc::SYS_exit_group => true,
            libc::SYS_read => fd == background.begin.as_raw_fd(),
            libc::SYS_fdatasync => fd == image,
            libc::SYS_write => fd == background.end.as_raw_fd(),
            _ => false,
        }
    };
    let mut values: Vec<u64> = filters::counts(&devices).collect();
    values.extend(devices.block.iter().map(|it| it.image.as_raw_fd() as u64));
    sweep(&filter, &values, allowed);
}

#[test]
fn the_kernel_takes_the_filter_of_as_many_devices_as_a_manifest_holds() {
    let most = MAX_ENTRIES - 1;
    for (taps, images) in [(most, 0), (0, most)] {
        let devices = filters::devices(taps, images);
        assert_fits(&filter(&devices, EPOLL, TIMER).unwrap());
    }
}

/// Images of lengths around those at which the halves of a word carry, and transfers that end just within and just behind.
#[test]
fn a_transfer_ends_within_an_image_of_any_length() {
    let folder = std::env::temp_dir().join(format!("transfers-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let edges = [
        1 << 20,
        (1 << 32) - (1 << 20),
        1 << 32,
        (5 << 32) + (1 << 31),
    ];
    let lengths = edges
        .iter()
        .flat_map(|edge| [edge - 512, *edge, edge + 512]);
    for (index, length) in lengths.chain([512]).enumerate() {
        let path = folder.join(index.to_string());
        File::create(&path).unwrap().set_len(length).unwrap();
        let image = BlockImage::open(&path, BlockSize::default()).unwrap();
        let fd = image.as_raw_fd() as u64;
        let granted = BLOCK_MANY | BLOCK_DISCARD;
        let devices = [crate::attach::BlockDevice {
            handle: 1,
            image,
            granted,
            background: None,
        }];
        let filter = transfers::filter(&devices);
        let check = |call: Call, offset: u64, size: u64| {
            let inside = offset.checked_add(size).is_some_and(|end| end <= length);
            assert_eq!(
                filters::allows(&filter, &call),
                inside,
                "{length}: {call:?}"
            );
        };
        let most = 1 << 20;
        for size in [
            1,
            511,
            512,
            4096,
            most - 1,
            most,
            1 << 32,
            (1 << 32) + 1,
            3 << 31,
        ] {
            for distance in [0, 1, 511, 512, 4096, 1 << 20, 1 << 31, 1 << 32, 3 << 32] {
                for end in [length.wrapping_sub(distance), length.wrapping_add(distance)] {
                    let offset = end.wrapping_sub(size);
                    let call = |number: libc::c_long, arguments| Call {
                        number: number as u32,
                        arguments,
                    };
                    if size <= most {
                        let arguments = [fd, 0, size, offset, 0, 0];
                        check(call(libc::SYS_pwrite64, arguments), offset, size);
                    }
                    let arguments = [fd, 3, offset, size, 0, 0];
                    check(call(libc::SYS_fallocate, arguments), offset, size);
                }
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
