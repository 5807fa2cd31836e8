//! `errno` and the texts of its values.

use super::single_thread::SingleThread;
pub(super) use crate::errno::fail;
use core::ffi::{c_char, c_int};
use libc::{
    EAGAIN, EBADF, EEXIST, EINVAL, EIO, ENOENT, ENOMEM, ENOSYS, ENOTTY, ERANGE, ESRCH, ETIMEDOUT,
    size_t,
};

static ERRNO: SingleThread<c_int> = SingleThread::new(0);

#[unsafe(no_mangle)]
extern "C" fn __errno_location() -> *mut c_int {
    ERRNO.get()
}

/// The texts of the errors that this library gives; Rust's `io::Error` prints them.
fn text(error: c_int) -> &'static [u8] {
    match error {
        0 => b"Success",
        EAGAIN => b"Resource temporarily unavailable",
        EBADF => b"Bad file descriptor",
        EEXIST => b"File exists",
        EINVAL => b"Invalid argument",
        EIO => b"Input/output error",
        ENOENT => b"No such file or directory",
        ENOMEM => b"Cannot allocate memory",
        ENOSYS => b"Function not implemented",
        ENOTTY => b"Inappropriate ioctl for device",
        ERANGE => b"Numerical result out of range",
        ESRCH => b"No such process",
        ETIMEDOUT => b"Connection timed out",
        _ => b"Unknown error",
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __xpg_strerror_r(error: c_int, buffer: *mut c_char, size: size_t) -> c_int {
    let text = text(error);
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
