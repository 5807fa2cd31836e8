//! The last steps of the tender: signals, filter, jump.

use std::arch::asm;

use seccompiler::{BpfProgramRef, apply_filter};

use super::SptError;

/// Gives the signals that Rust's runtime handles their default action back.
///
/// Its SIGSEGV handler would return through a system call that the filter forbids, and so turn every fault of the
/// guest into a SIGSYS.
pub(super) fn reset_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE] {
        // SAFETY: SIG_DFL is a valid disposition, and no other thread exists that could rely on another.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Installs the filter and jumps to the guest; comes back only if the filter cannot be installed.
///
/// Once it is installed, the tender can neither allocate nor print.
///
/// # Safety
///
/// `entry` and `stack` must be addresses of mapped guest memory; the rest of the process must not rely on anything
/// but its descriptors afterwards.
pub(super) unsafe fn enter(
    filter: BpfProgramRef<'_>,
    entry: u64,
    stack: u64,
    boot_info: u64,
) -> SptError {
    if let Err(error) = apply_filter(filter) {
        return SptError::Install(error);
    }
    // SAFETY: the jump never comes back, so no state of the compiler's has to be kept; the caller vouches for the
    // addresses. The other registers are cleared to give the guest no addresses of this process.
    unsafe {
        asm!(
            "mov rsp, rsi",
            "mov rbp, rax",
            "xor eax, eax",
            "xor ebx, ebx",
            "xor ecx, ecx",
            "xor edx, edx",
            "xor esi, esi",
            "xor r8d, r8d",
            "xor r9d, r9d",
            "xor r10d, r10d",
            "xor r11d, r11d",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "push rbp",
            "xor ebp, ebp",
            "ret",
            in("rax") entry,
            in("rsi") stack,
            in("rdi") boot_info,
            options(noreturn)
        )
    }
}
