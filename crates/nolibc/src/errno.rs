//! How functions fail.

use core::ffi::c_int;

unsafe extern "C" {
    /// Where the thread's `errno` is: of this library in a unikernel, of the host's on a host.
    safe fn __errno_location() -> *mut c_int;
}

/// Sets `errno` and gives -1, which is how most functions fail.
pub(crate) fn fail(error: c_int) -> c_int {
    // SAFETY: the address is valid as long as the thread lives, and nothing else refers to it while this function runs.
    unsafe { *__errno_location() = error };
    -1
}
