//! Restartable sequences, of which the C library registers one area for each thread.

use std::arch::global_asm;
use std::io;

/// `RSEQ_FLAG_UNREGISTER` and the signature that the C library registers with, of `rseq(2)`.
const RSEQ_UNREGISTER: libc::c_int = 1;
const RSEQ_SIGNATURE: u32 = 0x5305_3053;
/// Octets of the area that the C library registers, whatever its `__rseq_size` says is in use: a multiple of this, and
/// more than one where the kernel has more to tell (`AT_RSEQ_FEATURE_SIZE`).
const RSEQ_UNIT: u32 = 32;
const RSEQ_UNITS_MAX: u32 = 16;

/// Ends the C library's registration of restartable sequences, whose area the kernel would otherwise write to after it
/// has been unmapped.
pub(super) fn end_restartable_sequences() -> io::Result<()> {
    let offset = rseq_offset();
    if offset.is_null() {
        return Ok(()); // No library that registers any.
    }
    let thread_pointer: u64;
    // SAFETY: the ABI has the thread pointer at FS:0, and the offset is the C library's, which never changes.
    let offset = unsafe {
        std::arch::asm!("mov {}, fs:[0]", out(reg) thread_pointer, options(nostack, preserves_flags, readonly));
        *offset
    };
    let area = thread_pointer.wrapping_add_signed(offset as i64);
    for len in (1..=RSEQ_UNITS_MAX).map(|units| units * RSEQ_UNIT) {
        // SAFETY: the call compares address and length with those registered, and forgets them; it writes nothing.
        let result =
            unsafe { libc::syscall(libc::SYS_rseq, area, len, RSEQ_UNREGISTER, RSEQ_SIGNATURE) };
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            _ if result == 0 => return Ok(()),
            Some(libc::ENOSYS) => return Ok(()),
            // Another length, or none is registered.
            Some(libc::EINVAL) => {}
            _ => return Err(error),
        }
    }
    Ok(())
}

/// The address of the C library's `__rseq_offset`, a `const ptrdiff_t`, if it has one.
fn rseq_offset() -> *const isize {
    // SAFETY: the name is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr()) };
    if !found.is_null() {
        return found.cast_const().cast();
    }
    let linked: *const isize;
    // SAFETY: it loads the address that the linker has put into the table of addresses, zero if there is none.
    unsafe {
        std::arch::asm!(
            "mov {}, qword ptr [rip + __rseq_offset@GOTPCREL]",
            out(reg) linked,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    linked
}

// The offset from the thread pointer of the area that the C library registers, if it is one that registers any: found by
// the linker in a statically linked tender, which has no table for `dlsym(3)` to look in.
global_asm!(".weak __rseq_offset");
