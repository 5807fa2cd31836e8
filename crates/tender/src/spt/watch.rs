//! The thread that takes SIGTERM and SIGINT for a guest that asked to be told, and ends it.
//!
//! It runs in the guest's address space, so that nothing it relies on is where the guest can write: it has no stack, keeps
//! what changes in registers, and reads the rest from behind its code, on pages that are never writable again. Its filter
//! lets it wait for signals, add to the guest's count, say why it ends, and end; the guest's filter lets the guest neither
//! mask a signal nor touch the count.

use std::arch::global_asm;
use std::io;
use std::mem::offset_of;
use std::os::fd::AsRawFd;

use seccompiler::{BackendError, BpfProgram};

use super::seccomp::watch_filter;
use super::trampoline::{Placed, Program, Resident, between, octets};
use crate::Tender;
use crate::shutdown::{STATUS, Shutdown, WINDOW_NS};

/// A text, for `write(2)`.
#[repr(C)]
struct Text {
    address: u64,
    len: u64,
}

/// What the code is told, by R15.
#[repr(C)]
struct Data {
    /// The kernel's set of the signals.
    signals: u64,
    /// `struct timespec`: one second, the time in which signals are one, what then remains of the first second, and none.
    second: [u64; 2],
    window: [u64; 2],
    rest: [u64; 2],
    none: [u64; 2],
    /// The set without a signal.
    nothing: u64,
    /// What is added to the guest's count.
    one: u64,
    /// How many seconds the guest has.
    seconds: u64,
    /// Descriptors: the guest's count, and where to say why the guest is ended if standard error is no socket.
    told: u64,
    notice: u64,
    late: Text,
    again: Text,
    program: Program,
}

global_asm!(
    ".pushsection .rodata.spt_watch, \"a\", @progbits",
    ".globl spt_watch_start, spt_watch_end",
    ".hidden spt_watch_start, spt_watch_end",
    "spt_watch_start:",
    "xor esp, esp",
    "mov eax, {seccomp}",
    "mov edi, {set_mode_filter}",
    "xor esi, esi",
    "lea rdx, [r15 + {program}]",
    "syscall",
    "test rax, rax",
    "jnz 6f",
    // The first signal.
    "2:",
    "mov eax, {sigtimedwait}",
    "lea rdi, [r15 + {signals}]",
    "xor esi, esi",
    "xor edx, edx",
    "mov r10d, 8",
    "syscall",
    "cmp rax, {interrupted}",
    "je 2b",
    "test rax, rax",
    "js 6f",
    "mov eax, {write}",
    "mov edi, [r15 + {told}]",
    "lea rsi, [r15 + {one}]",
    "mov edx, 8",
    "syscall",
    // What comes at once is the first one again: a while, and then whatever of the two waits. (SIGCONT interrupts.)
    "7:",
    "mov eax, {sigtimedwait}",
    "lea rdi, [r15 + {nothing}]",
    "xor esi, esi",
    "lea rdx, [r15 + {window}]",
    "mov r10d, 8",
    "syscall",
    "cmp rax, {interrupted}",
    "je 7b",
    "mov r12d, 2",
    "8:",
    "mov eax, {sigtimedwait}",
    "lea rdi, [r15 + {signals}]",
    "xor esi, esi",
    "lea rdx, [r15 + {none}]",
    "mov r10d, 8",
    "syscall",
    "dec r12d",
    "jnz 8b",
    // The second one, or as many seconds as the guest has: one after the other, so that a wait that SIGCONT interrupts
    // begins anew for a second at most, with nothing to be kept in memory.
    "mov r12d, [r15 + {seconds}]",
    "lea r13, [r15 + {rest}]",
    "3:",
    "lea r14, [r15 + {late}]",
    "test r12d, r12d",
    "jz 5f",
    "mov eax, {sigtimedwait}",
    "lea rdi, [r15 + {signals}]",
    "xor esi, esi",
    "mov rdx, r13",
    "mov r10d, 8",
    "syscall",
    "cmp rax, {interrupted}",
    "je 3b",
    "cmp rax, {timed_out}",
    "jne 4f",
    "lea r13, [r15 + {second}]",
    "dec r12d",
    "jmp 3b",
    "4:",
    "lea r14, [r15 + {again}]",
    // Says why, where that keeps nobody waiting: a socket is told by its flags, anything else is open without waiting.
    "5:",
    "mov eax, {sendto}",
    "mov edi, 2",
    "mov rsi, [r14]",
    "mov rdx, [r14 + 8]",
    "mov r10d, {no_wait}",
    "xor r8d, r8d",
    "xor r9d, r9d",
    "syscall",
    "test rax, rax",
    "jns 6f",
    "mov eax, {write}",
    "mov edi, [r15 + {notice}]",
    "mov rsi, [r14]",
    "mov rdx, [r14 + 8]",
    "syscall",
    "6:",
    "mov eax, {exit_group}",
    "mov edi, {status}",
    "syscall",
    "ud2",
    "spt_watch_end:",
    ".popsection",
    seccomp = const libc::SYS_seccomp,
    set_mode_filter = const libc::SECCOMP_SET_MODE_FILTER,
    program = const offset_of!(Data, program),
    sigtimedwait = const libc::SYS_rt_sigtimedwait,
    signals = const offset_of!(Data, signals),
    interrupted = const -libc::EINTR,
    timed_out = const -libc::EAGAIN,
    write = const libc::SYS_write,
    told = const offset_of!(Data, told),
    one = const offset_of!(Data, one),
    seconds = const offset_of!(Data, seconds),
    second = const offset_of!(Data, second),
    window = const offset_of!(Data, window),
    rest = const offset_of!(Data, rest),
    none = const offset_of!(Data, none),
    nothing = const offset_of!(Data, nothing),
    late = const offset_of!(Data, late),
    again = const offset_of!(Data, again),
    sendto = const libc::SYS_sendto,
    no_wait = const libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
    notice = const offset_of!(Data, notice),
    exit_group = const libc::SYS_exit_group,
    status = const STATUS,
);

unsafe extern "C" {
    static spt_watch_start: u8;
    static spt_watch_end: u8;
}

/// The code, as it stands in this program.
fn code() -> &'static [u8] {
    // SAFETY: both symbols are labels of the same section above, the second behind the first; what lies between them is
    // never written.
    unsafe { between(&raw const spt_watch_start, &raw const spt_watch_end) }
}

/// The thread, before it has a place.
pub(super) struct Watch {
    seconds: u32,
    signals: u64,
    told: i32,
    notice: i32,
    late: String,
    again: String,
    filter: BpfProgram,
}

impl Watch {
    pub(super) fn new(shutdown: &Shutdown) -> Result<Self, BackendError> {
        let (told, notice) = (shutdown.told.as_raw_fd(), shutdown.notice);
        Ok(Self {
            seconds: shutdown.seconds,
            signals: shutdown.signals,
            told,
            notice,
            late: shutdown.late(Tender::Spt),
            again: Shutdown::again(Tender::Spt),
            filter: watch_filter(told, notice)?,
        })
    }
}

impl Resident for Watch {
    /// Code, data, texts and filter, one behind the other.
    fn placed(&self, address: u64) -> io::Result<Placed> {
        let mut bytes = code().to_vec();
        bytes.resize(bytes.len().next_multiple_of(align_of::<Data>()), 0);
        let data = address + bytes.len() as u64;
        let filter = octets(&self.filter);
        let filter_at = data + size_of::<Data>() as u64;
        let late_at = filter_at + filter.len() as u64;
        let again_at = late_at + self.late.len() as u64;
        let text = |address, text: &str| Text {
            address,
            len: text.len() as u64,
        };
        let structure = Data {
            signals: self.signals,
            second: [1, 0],
            window: [0, WINDOW_NS.into()],
            rest: [0, (1_000_000_000 - WINDOW_NS).into()],
            none: [0, 0],
            nothing: 0,
            one: 1,
            seconds: self.seconds.into(),
            told: u64::from(self.told.cast_unsigned()),
            notice: u64::from(self.notice.cast_unsigned()),
            late: text(late_at, &self.late),
            again: text(again_at, &self.again),
            program: Program {
                len: u16::try_from(self.filter.len()).map_err(io::Error::other)?,
                filter: filter_at,
            },
        };
        bytes.extend(structure.to_bytes());
        for part in [&filter, self.late.as_bytes(), self.again.as_bytes()] {
            bytes.extend(part);
        }
        Ok(Placed { bytes, data })
    }
}

impl Data {
    /// The structure as it lies in memory.
    fn to_bytes(&self) -> [u8; size_of::<Self>()] {
        let words = [
            self.signals,
            self.second[0],
            self.second[1],
            self.window[0],
            self.window[1],
            self.rest[0],
            self.rest[1],
            self.none[0],
            self.none[1],
            self.nothing,
            self.one,
            self.seconds,
            self.told,
            self.notice,
            self.late.address,
            self.late.len,
            self.again.address,
            self.again.len,
            // Six octets of padding follow the count.
            self.program.len.into(),
            self.program.filter,
        ];
        let mut bytes = [0; size_of::<Self>()];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

const _: () = assert!(size_of::<Data>() == 20 * 8);
