//! How functions fail.

use core::ffi::c_int;

/// Sets the thread's `errno` and gives -1, which is how most functions fail.
pub(crate) fn fail(error: c_int) -> c_int {
    // SAFETY: the address is valid as long as the thread lives, and nothing else refers to it while this function runs.
    unsafe { *libc::__errno_location() = error };
    -1
}
