//! Reads, writes and holes of blocks: the part of the filter that compares a sum, the end of what is transferred or given up,
//! with the length of the image, which seccompiler's conditions cannot say.
//!
//! It stands in front of the rest, and lets every other call fall through to that. Words have 64 bits and the filter's
//! registers 32, so each is two halves.

use std::os::fd::AsRawFd;

use hostdev::PUNCH_HOLE;
use seccompiler::{BpfProgram, sock_filter};
use solo5_abi::manifest::BLOCK_DISCARD;

use crate::attach::BlockDevice;

/// `AUDIT_ARCH_X86_64` (linux/audit.h).
const X86_64: u32 = 0xc000_003e;

/// Where `struct seccomp_data` has them.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The instructions of linux/bpf_common.h that are used, between the accumulator, an index register and words of memory.
mod code {
    pub(super) const LOAD: u16 = 0x20;
    pub(super) const LOAD_WORD: u16 = 0x60;
    pub(super) const LOAD_WORD_TO_INDEX: u16 = 0x61;
    pub(super) const STORE_WORD: u16 = 0x02;
    pub(super) const TO_INDEX: u16 = 0x07;
    pub(super) const FROM_INDEX: u16 = 0x87;
    pub(super) const ADD: u16 = 0x04;
    pub(super) const ADD_INDEX: u16 = 0x0c;
    pub(super) const JUMP: u16 = 0x05;
    pub(super) const JUMP_EQUAL: u16 = 0x15;
    pub(super) const JUMP_GREATER: u16 = 0x25;
    pub(super) const JUMP_AT_LEAST: u16 = 0x35;
    pub(super) const JUMP_AT_LEAST_INDEX: u16 = 0x3d;
    pub(super) const RETURN: u16 = 0x06;
}

/// The words of memory in which the end of a transfer is.
const END_LOW: u32 = 0;
const END_HIGH: u32 = 1;

/// The filter's first part, for these images.
pub(super) fn filter(devices: &[BlockDevice]) -> BpfProgram {
    if devices.is_empty() {
        return BpfProgram::new();
    }
    let (transfer, discard) = (transfer(devices), discard(devices));
    let mut filter = vec![load(ARCH), equal(X86_64, 0, 5), load(NUMBER)];
    filter.extend([
        equal(libc::SYS_pread64 as u32, 4, 0),
        equal(libc::SYS_pwrite64 as u32, 3, 0),
        equal(libc::SYS_fallocate as u32, 0, 1),
        jump(1 + transfer.len()),
        jump(transfer.len() + discard.len()),
    ]);
    filter.extend(transfer);
    filter.extend(discard);
    filter
}

/// What decides about a call with the arguments descriptor, address, size and offset.
fn transfer(devices: &[BlockDevice]) -> BpfProgram {
    let mut part = end_of(2, 3);
    for device in devices {
        let most = u32::try_from(device.max_transfer()).expect("it is 1 MiB at most");
        let block = u32::from(device.image.block_size().get());
        // The size is in the index register: below 2^32, or the end had killed.
        let size = match most == block {
            true => vec![of(code::FROM_INDEX, 0), equal(block, 1, 0), kill()],
            false => vec![
                of(code::FROM_INDEX, 0),
                test(code::JUMP_GREATER, most, 0, 1),
                kill(),
            ],
        };
        part.extend(for_image(device, [size, inside(device)].concat()));
    }
    part.push(kill());
    part
}

/// What decides about a call with the arguments descriptor, mode, offset and size.
fn discard(devices: &[BlockDevice]) -> BpfProgram {
    let (mode, offset, size) = (1, 2, 3);
    let mut part = vec![
        load(low(mode)),
        equal(PUNCH_HOLE.cast_unsigned(), 1, 0),
        kill(),
        // No image ends there, and neither this sum nor one more wraps.
        load(high(offset)),
        test(code::JUMP_AT_LEAST, 1 << 31, 0, 1),
        kill(),
        of(code::STORE_WORD, END_HIGH),
        load(high(size)),
        test(code::JUMP_AT_LEAST, 1 << 31, 0, 1),
        kill(),
        of(code::LOAD_WORD_TO_INDEX, END_HIGH),
        of(code::ADD_INDEX, 0),
        of(code::STORE_WORD, END_HIGH),
    ];
    part.extend(add_low_halves(size, offset));
    for device in devices.iter().filter(|device| device.has(BLOCK_DISCARD)) {
        part.extend(for_image(device, inside(device)));
    }
    part.push(kill());
    part
}

/// Kills unless the size, an argument below 2^32, is not zero, and leaves it in the index register, and in memory the end
/// of that many bytes from the offset on, another argument.
fn end_of(size: u32, offset: u32) -> BpfProgram {
    let mut part = vec![
        load(high(size)),
        equal(0, 1, 0),
        kill(),
        load(low(size)),
        equal(0, 0, 1),
        kill(),
        // No image ends there, and the sum does not wrap.
        load(high(offset)),
        test(code::JUMP_AT_LEAST, 1 << 31, 0, 1),
        kill(),
        of(code::STORE_WORD, END_HIGH),
    ];
    part.extend(add_low_halves(size, offset));
    part
}

/// Adds the low halves of both arguments, and what they carry to the high half of the end, which is there; the size's stays in
/// the index register.
fn add_low_halves(size: u32, offset: u32) -> BpfProgram {
    vec![
        load(low(size)),
        of(code::TO_INDEX, 0),
        load(low(offset)),
        of(code::ADD_INDEX, 0),
        of(code::STORE_WORD, END_LOW),
        // A sum that is below one of its terms has wrapped.
        test(code::JUMP_AT_LEAST_INDEX, 0, 3, 0),
        of(code::LOAD_WORD, END_HIGH),
        of(code::ADD, 1),
        of(code::STORE_WORD, END_HIGH),
    ]
}

/// Lets through what ends within the image, and kills what does not.
fn inside(device: &BlockDevice) -> BpfProgram {
    let capacity = device.image.capacity();
    let (capacity_high, capacity_low) = ((capacity >> 32) as u32, capacity as u32);
    vec![
        of(code::LOAD_WORD, END_HIGH),
        test(code::JUMP_GREATER, capacity_high, 4, 0),
        equal(capacity_high, 0, 2),
        of(code::LOAD_WORD, END_LOW),
        test(code::JUMP_GREATER, capacity_low, 1, 0),
        of(code::RETURN, libc::SECCOMP_RET_ALLOW),
        kill(),
    ]
}

/// What decides if the first argument, an `int`, of which the kernel looks at the low half only, is the image's descriptor.
fn for_image(device: &BlockDevice, decide: BpfProgram) -> BpfProgram {
    let fd = device.image.as_raw_fd().cast_unsigned();
    let length = u8::try_from(decide.len()).expect("it is some ten instructions");
    let mut part = vec![load(low(0)), equal(fd, 0, length)];
    part.extend(decide);
    part
}

/// Where the low half of an argument is.
fn low(argument: u32) -> u32 {
    ARGUMENTS + 8 * argument
}

/// Where the high half of an argument is.
fn high(argument: u32) -> u32 {
    low(argument) + 4
}

fn load(at: u32) -> sock_filter {
    of(code::LOAD, at)
}

fn kill() -> sock_filter {
    of(code::RETURN, libc::SECCOMP_RET_KILL_PROCESS)
}

/// Skips so many instructions.
fn jump(over: usize) -> sock_filter {
    of(code::JUMP, u32::try_from(over).expect("a filter has 4096"))
}

/// Skips so many instructions if the accumulator is `k`, and so many if it is not.
fn equal(k: u32, if_equal: u8, otherwise: u8) -> sock_filter {
    test(code::JUMP_EQUAL, k, if_equal, otherwise)
}

fn test(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn of(code: u16, k: u32) -> sock_filter {
    test(code, k, 0, 0)
}
