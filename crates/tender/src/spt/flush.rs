//! The thread that flushes an image while the guest goes on.
//!
//! It runs in the guest's address space, as [`watch`](super::watch) does and under the same rules: no stack, what changes in
//! registers alone, the rest read from pages that are never writable again. The kernel has to write down the count that it
//! reads, where the guest can write too: nothing depends on it. Its filter lets it wait for the guest's call, flush this
//! image, and say what came of it; the guest's filter lets the guest call, and hear.

use std::arch::global_asm;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, RawFd};

use seccompiler::{BackendError, BpfProgram};

use super::seccomp::flush_filter;
use super::trampoline::{Placed, Program, Resident, between, octets};
use crate::attach::Devices;
use crate::flush::{FAILED, SUCCEEDED};

/// What the code is told, by R15.
#[repr(C)]
struct Data {
    /// Descriptors: the guest's calls, the image, and where to say what came of it.
    begin: u64,
    image: u64,
    end: u64,
    /// What is said.
    succeeded: u64,
    failed: u64,
    program: Program,
}

global_asm!(
    ".pushsection .rodata.spt_flush, \"a\", @progbits",
    ".globl spt_flush_start, spt_flush_end",
    ".hidden spt_flush_start, spt_flush_end",
    "spt_flush_start:",
    "xor esp, esp",
    "mov eax, {seccomp}",
    "mov edi, {set_mode_filter}",
    "xor esi, esi",
    "lea rdx, [r15 + {program}]",
    "syscall",
    "test rax, rax",
    "jnz 6f",
    "2:",
    "xor eax, eax", // read(2)
    "mov edi, [r15 + {begin}]",
    "mov rsi, rbx",
    "mov edx, 8",
    "syscall",
    "cmp rax, {interrupted}",
    "je 2b",
    "cmp rax, 8",
    "jne 6f",
    "3:",
    "mov eax, {fdatasync}",
    "mov edi, [r15 + {image}]",
    "syscall",
    "cmp rax, {interrupted}",
    "je 3b",
    "lea rsi, [r15 + {succeeded}]",
    "lea rcx, [r15 + {failed}]",
    "test rax, rax",
    "cmovnz rsi, rcx",
    // A count that is full, of a guest that does not read it, takes no more: that guest has no answer.
    "mov eax, {write}",
    "mov edi, [r15 + {end}]",
    "mov edx, 8",
    "syscall",
    "jmp 2b",
    "6:",
    "mov eax, {exit_group}",
    "mov edi, 1",
    "syscall",
    "ud2",
    "spt_flush_end:",
    ".popsection",
    seccomp = const libc::SYS_seccomp,
    set_mode_filter = const libc::SECCOMP_SET_MODE_FILTER,
    program = const offset_of!(Data, program),
    begin = const offset_of!(Data, begin),
    interrupted = const -libc::EINTR,
    fdatasync = const libc::SYS_fdatasync,
    image = const offset_of!(Data, image),
    succeeded = const offset_of!(Data, succeeded),
    failed = const offset_of!(Data, failed),
    write = const libc::SYS_write,
    end = const offset_of!(Data, end),
    exit_group = const libc::SYS_exit_group,
);

unsafe extern "C" {
    static spt_flush_start: u8;
    static spt_flush_end: u8;
}

/// The code, as it stands in this program.
fn code() -> &'static [u8] {
    // SAFETY: both symbols are labels of the same section above, the second behind the first; what lies between them is
    // never written.
    unsafe { between(&raw const spt_flush_start, &raw const spt_flush_end) }
}

/// The thread, before it has a place.
pub(super) struct Flusher {
    fds: [RawFd; 3],
    filter: BpfProgram,
}

impl Flusher {
    /// One for each image that can be flushed while the guest goes on.
    pub(super) fn of(devices: &Devices) -> Result<Vec<Self>, BackendError> {
        let flushed = devices.block.iter().filter_map(|device| {
            let background = device.background.as_ref()?;
            Some((device.image.as_raw_fd(), background))
        });
        let flushers = flushed.map(|(image, background)| {
            Ok(Self {
                fds: [
                    background.begin.as_raw_fd(),
                    image,
                    background.end.as_raw_fd(),
                ],
                filter: flush_filter(image, background)?,
            })
        });
        flushers.collect()
    }
}

impl Resident for Flusher {
    /// Code, data and filter, one behind the other.
    fn placed(&self, address: u64) -> io::Result<Placed> {
        let mut bytes = code().to_vec();
        bytes.resize(bytes.len().next_multiple_of(align_of::<Data>()), 0);
        let data = address + bytes.len() as u64;
        let [begin, image, end] = self.fds.map(|fd| u64::from(fd.cast_unsigned()));
        let program = Program {
            len: u16::try_from(self.filter.len()).map_err(io::Error::other)?,
            filter: data + size_of::<Data>() as u64,
        };
        let words = [
            begin,
            image,
            end,
            SUCCEEDED,
            FAILED,
            // Six octets of padding follow the count.
            program.len.into(),
            program.filter,
        ];
        const { assert!(size_of::<Data>() == 7 * 8) };
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        bytes.extend(octets(&self.filter));
        Ok(Placed { bytes, data })
    }
}
