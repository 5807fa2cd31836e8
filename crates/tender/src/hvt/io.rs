//! System calls that move bytes between a descriptor and guest memory, with nothing in between.
//!
//! The kernel copies to or from the guest's pages itself, so that no reference to them ever exists.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use vm_memory::VolatileSlice;

/// Calls again what a signal has interrupted.
fn retry(mut call: impl FnMut() -> libc::ssize_t) -> Result<usize, i32> {
    loop {
        if let Ok(len) = usize::try_from(call()) {
            return Ok(len);
        }
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        if errno != libc::EINTR {
            return Err(errno);
        }
    }
}

/// `read(2)` into guest memory; the error is an errno.
pub(super) fn read(fd: BorrowedFd<'_>, to: &VolatileSlice<'_>) -> Result<usize, i32> {
    let guard = to.ptr_guard_mut();
    // SAFETY: the slice is mapped guest memory of this length, to which any bytes may be written.
    retry(|| unsafe { libc::read(fd.as_raw_fd(), guard.as_ptr().cast(), to.len()) })
}

/// `write(2)` from guest memory; the error is an errno.
pub(super) fn write(fd: BorrowedFd<'_>, from: &VolatileSlice<'_>) -> Result<usize, i32> {
    let guard = from.ptr_guard();
    // SAFETY: the slice is mapped guest memory of this length.
    retry(|| unsafe { libc::write(fd.as_raw_fd(), guard.as_ptr().cast(), from.len()) })
}

/// `pread(2)` into guest memory; the error is an errno.
pub(super) fn pread(fd: BorrowedFd<'_>, to: &VolatileSlice<'_>, offset: i64) -> Result<usize, i32> {
    let guard = to.ptr_guard_mut();
    // SAFETY: the slice is mapped guest memory of this length, to which any bytes may be written.
    retry(|| unsafe { libc::pread(fd.as_raw_fd(), guard.as_ptr().cast(), to.len(), offset) })
}

/// `pwrite(2)` from guest memory; the error is an errno.
pub(super) fn pwrite(
    fd: BorrowedFd<'_>,
    from: &VolatileSlice<'_>,
    offset: i64,
) -> Result<usize, i32> {
    let guard = from.ptr_guard();
    // SAFETY: the slice is mapped guest memory of this length.
    retry(|| unsafe { libc::pwrite(fd.as_raw_fd(), guard.as_ptr().cast(), from.len(), offset) })
}
