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

/// In place of an errno: there is nothing more to read.
pub(super) const END_OF_FILE: i32 = 0;

/// `pread(2)` into guest memory until it is full; the error is an errno, or [`END_OF_FILE`].
pub(super) fn pread_all(
    fd: BorrowedFd<'_>,
    to: &VolatileSlice<'_>,
    offset: i64,
) -> Result<(), i32> {
    all(to.len(), offset, |done, offset| {
        let guard = to.ptr_guard_mut();
        let rest = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: what follows `done` bytes of the slice is mapped guest memory of this length, to which any bytes may be
        // written.
        retry(|| unsafe { libc::pread(fd.as_raw_fd(), rest, to.len() - done, offset) })
    })
}

/// `pwrite(2)` from guest memory until all is written; the error is an errno.
pub(super) fn pwrite_all(
    fd: BorrowedFd<'_>,
    from: &VolatileSlice<'_>,
    offset: i64,
) -> Result<(), i32> {
    all(from.len(), offset, |done, offset| {
        let guard = from.ptr_guard();
        let rest = guard.as_ptr().wrapping_add(done).cast();
        // SAFETY: what follows `done` bytes of the slice is mapped guest memory of this length.
        retry(|| unsafe { libc::pwrite(fd.as_raw_fd(), rest, from.len() - done, offset) })
    })
}

/// Asks again for what a call has left, from where it stopped, so that it is known why.
fn all(
    len: usize,
    offset: i64,
    mut call: impl FnMut(usize, i64) -> Result<usize, i32>,
) -> Result<(), i32> {
    let mut done = 0;
    while done < len {
        // A buffer is no longer than guest memory.
        let at = offset.checked_add_unsigned(done as u64);
        done += match call(done, at.ok_or(libc::EINVAL)?)? {
            0 => return Err(END_OF_FILE),
            moved => moved,
        };
    }
    Ok(())
}
