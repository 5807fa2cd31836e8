//! `errno` and the texts of its values.

use super::hypercall::console_write;
use super::threads::__solo5_thread_state;
pub(super) use crate::errno::fail;
use core::ffi::{CStr, c_char, c_int};
use libc::{
    EAGAIN, EBADF, EBUSY, EDEADLK, EEXIST, EINVAL, EIO, ENOENT, ENOMEM, ENOSYS, ENOTTY, EOVERFLOW,
    EPERM, ERANGE, ESRCH, ETIMEDOUT, size_t,
};

weak! { strerror __xpg_strerror_r }

#[unsafe(no_mangle)]
extern "C" fn __errno_location() -> *mut c_int {
    // SAFETY: this makes an address of a field; it reads nothing.
    unsafe { &raw mut (*__solo5_thread_state.get()).errno }
}

/// The texts of the errors that this library gives; Rust's `io::Error` prints them.
fn text(error: c_int) -> &'static CStr {
    match error {
        0 => c"Success",
        EAGAIN => c"Resource temporarily unavailable",
        EBADF => c"Bad file descriptor",
        EBUSY => c"Device or resource busy",
        EDEADLK => c"Resource deadlock avoided",
        EEXIST => c"File exists",
        EINVAL => c"Invalid argument",
        EIO => c"Input/output error",
        ENOENT => c"No such file or directory",
        ENOMEM => c"Cannot allocate memory",
        // What std's sockets, files and threads give where solo5-posix is not linked.
        ENOSYS => c"Function not implemented: sockets, files and threads need mkernel's feature `posix`, and the line `use mkernel as _;`",
        ENOTTY => c"Inappropriate ioctl for device",
        EOVERFLOW => c"Value too large for defined data type",
        EPERM => c"Operation not permitted",
        ERANGE => c"Numerical result out of range",
        ESRCH => c"No such process",
        ETIMEDOUT => c"Connection timed out",
        _ => c"Unknown error",
    }
}

extern "C" fn strerror(error: c_int) -> *const c_char {
    text(error).as_ptr()
}

/// Prints the text before a colon, unless it is empty or null, and what `errno` means.
#[unsafe(no_mangle)]
unsafe extern "C" fn perror(before: *const c_char) {
    // SAFETY: nothing else refers to `errno` while this function runs; the caller gives a C string, or null; and
    // `strerror`, which may be another's than ours, gives one.
    let meaning = unsafe {
        if !before.is_null() && *before != 0 {
            console_write(CStr::from_ptr(before).to_bytes());
            console_write(b": ");
        }
        CStr::from_ptr(libc::strerror(*__errno_location()))
    };
    console_write(meaning.to_bytes());
    console_write(b"\n");
}

unsafe extern "C" fn __xpg_strerror_r(error: c_int, buffer: *mut c_char, size: size_t) -> c_int {
    let text = text(error).to_bytes();
    let Some(room) = size.checked_sub(1) else {
        return ERANGE;
    };
    let length = text.len().min(room);
    // SAFETY: the caller gives `size` writable bytes, more than `length`.
    unsafe {
        buffer.copy_from_nonoverlapping(text.as_ptr().cast(), length);
        buffer.add(length).write(0);
    }
    if length == text.len() { 0 } else { ERANGE }
}
