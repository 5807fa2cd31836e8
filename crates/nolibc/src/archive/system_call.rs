//! `syscall`, through which std and crates reach what glibc has, or had, no function for.

use super::errno::fail;
use super::random::fill;
use super::threads::futex;
use core::ffi::{c_int, c_long, c_uint};
use libc::{ENOSYS, SYS_futex, SYS_getpid, SYS_getrandom, SYS_gettid};

weak! { syscall }

/// The process, and its one thread.
pub(super) const PROCESS: c_int = 1;

/// Declared with as many arguments as are used here, which on x86_64 a caller of the variadic C
/// function passes in the same registers.
#[expect(non_upper_case_globals, reason = "libc's names of the system calls")]
unsafe extern "C" fn syscall(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
) -> c_long {
    match number {
        SYS_getrandom => {
            // SAFETY: the caller gives a buffer and its size.
            unsafe { fill(first as *mut u8, second) };
            second.cast_signed() as c_long
        }
        // SAFETY: the caller gives what the system call expects; the words are 32 bits wide.
        SYS_futex => c_long::from(unsafe {
            futex(
                first as *const u32,
                second as c_int,
                third as c_uint,
                fourth as *const _,
            )
        }),
        SYS_gettid | SYS_getpid => c_long::from(PROCESS),
        _ => c_long::from(fail(ENOSYS)),
    }
}
