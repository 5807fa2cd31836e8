//! What says that the stack is full: a handler of SIGSEGV.
//!
//! The stack of a unikernel's own grows down to pages that may not be written to, so running over is a fault. The handler is
//! some code behind the trampoline's, which the guest cannot change; the kernel puts its frame into guest memory, of which
//! nothing is needed any more. It prints, and faults in its turn while the signal is blocked: the process ends as it would
//! without.
//!
//! Of other faults a program may say something itself, such as that a thread's stack has run over: if the lowest word of its
//! own stack is [`HOOK`], the handler calls what the second points to, with the stack pointer at the fault, and then faults.
//! That is code of the guest's, which can do nothing there that it cannot do elsewhere.

use std::arch::global_asm;
use std::io;
use std::ops::Range;
use std::ptr;

use crate::kernel::{MORE_STACK, THREADS, overflow};

/// Room for the kernel's frame, with the widest vector registers, and for what the guest calls.
const FRAME: u64 = 32 << 10;
/// What the lowest word of the stack is if the second is a function; `solo5-posix` knows it too.
const HOOK: u64 = 0x6b6f_6f68_5f74_7073;
/// `SA_RESTORER` of Linux on x86: there is an address to return to, without which the kernel makes no frame.
const SA_RESTORER: u64 = 0x0400_0000;
/// The stack pointer in `struct ucontext`: behind flags, link and `stack_t`, the seventeenth of the registers from R8.
const RSP_AT: usize = 40 + 15 * 8;

global_asm!(
    ".pushsection .rodata.spt_overflow, \"a\", @progbits",
    ".globl spt_overflow_start, spt_overflow_end",
    ".hidden spt_overflow_start, spt_overflow_end",
    // RDX: the context.
    "spt_overflow_start:",
    "mov rax, [rdx + {rsp}]",
    "mov rdi, rax",
    "sub rax, [rip + spt_overflow_end]",
    "cmp rax, [rip + spt_overflow_end + 8]",
    "jae 2f",
    "mov eax, {write}",
    "mov edi, 1",
    "lea rsi, [rip + spt_overflow_end + 32]",
    "mov rdx, [rip + spt_overflow_end + 16]",
    "syscall",
    "hlt",
    "2:",
    "mov rax, [rip + spt_overflow_end + 24]",
    "movabs rcx, {hook}",
    "cmp [rax], rcx",
    "jne 3f",
    "and rsp, -16",
    "call qword ptr [rax + 8]",
    "3: hlt",
    ".balign 8",
    // Here follow the lowest stack pointer that is meant, how many there are, the text's length, where the stack ends and the
    // text.
    "spt_overflow_end:",
    ".popsection",
    rsp = const RSP_AT,
    write = const libc::SYS_write,
    hook = const HOOK,
);

unsafe extern "C" {
    static spt_overflow_start: u8;
    static spt_overflow_end: u8;
}

/// The handler for a guest whose stack this is.
pub(super) fn code(stack: &Range<u64>) -> Vec<u8> {
    // SAFETY: both symbols are labels of the same section above, the second behind the first; what lies between them is
    // never written.
    let mut code = unsafe {
        let start = &raw const spt_overflow_start;
        let len = (&raw const spt_overflow_end).offset_from_unsigned(start);
        std::slice::from_raw_parts(start, len).to_vec()
    };
    let text = format!(
        "{}: stack overflow: the unikernel's {} KiB are full ({MORE_STACK}), or {THREADS}\n",
        crate::Tender::Spt.program(),
        (stack.end - stack.start) >> 10
    );
    let meant = overflow(stack);
    let numbers = [
        meant.start,
        meant.end - meant.start,
        text.len() as u64,
        stack.start,
    ];
    for number in numbers {
        code.extend(number.to_le_bytes());
    }
    code.extend(text.into_bytes());
    code
}

/// Has the kernel call the handler at `address`, on the end of guest memory.
pub(super) fn install(address: u64, memory_end: u64) -> io::Result<()> {
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(memory_end.saturating_sub(FRAME) as usize),
        ss_flags: 0,
        ss_size: FRAME as usize,
    };
    // SAFETY: the structure is whole; the kernel writes to the memory when the handler is called, which ends the process.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let flags = libc::SA_SIGINFO as u32 | libc::SA_ONSTACK as u32 | libc::SA_RESETHAND as u32;
    // `struct sigaction` of the kernel: handler, flags, where to return to (it never does), and what is blocked besides.
    let action: [u64; 4] = [address, u64::from(flags) | SA_RESTORER, address, 0];
    let size = size_of::<u64>();
    let nothing = ptr::null_mut::<u64>();
    // SAFETY: the structure is the kernel's, and stays for the call, which writes nothing.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            libc::SIGSEGV,
            action.as_ptr(),
            nothing,
            size,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
