//! Between C's pointers and Rust.

use core::ffi::{c_int, c_void};
use core::{ptr, slice};
use std::io::{IoSlice, IoSliceMut};

use libc::{EFAULT, EINVAL, iovec, size_t, ssize_t};

use crate::errno;
use crate::error::{Errno, Result, fail};
use crate::scheduler::inside;
use crate::signals;

/// Buffers in a call of `readv`, `writev` and the like, at most.
const MOST_BUFFERS: usize = 1024;

/// Calls `work` where it may call the stack and wake tasks. Handlers of signals run behind it that could not while it waited,
/// and a thread whose slice is over gives way.
pub(crate) fn call<T>(work: impl FnOnce() -> T) -> T {
    let result = inside(work);
    signals::catch_up();
    crate::slice::catch_up();
    result
}

/// Calls `work` as [`call`] does, and gives its result as C expects it.
pub(crate) fn number(work: impl FnOnce() -> Result<c_int>) -> c_int {
    // The thread's own `errno` is set, which is not that of `inside`.
    call(work).unwrap_or_else(|error| errno::fail(error.0))
}

/// As [`number`], for what gives nothing.
pub(crate) fn nothing(work: impl FnOnce() -> Result<()>) -> c_int {
    number(|| work().map(|()| 0))
}

/// As [`number`], for octets.
pub(crate) fn octets(work: impl FnOnce() -> Result<usize>) -> ssize_t {
    match call(work) {
        Ok(octets) => octets.cast_signed(),
        Err(error) => errno::fail(error.0) as ssize_t,
    }
}

/// As [`number`], for what is in memory: null if it fails.
pub(crate) fn pointer<T>(work: impl FnOnce() -> Result<*mut T>) -> *mut T {
    call(work).unwrap_or_else(|error| {
        errno::fail(error.0);
        ptr::null_mut()
    })
}

/// What is at a pointer.
///
/// # Safety
///
/// It is valid for reads, for as long as what it gives is used, or null.
///
/// # Errors
///
/// `EFAULT` if it is null, as on Linux.
pub(crate) unsafe fn value<'a, T>(pointer: *const T) -> Result<&'a T> {
    // SAFETY: the caller's promise is the same.
    unsafe { pointer.as_ref() }.ok_or(Errno(EFAULT))
}

/// A place to be written to.
///
/// # Errors
///
/// `EFAULT` if it is null, as on Linux.
pub(crate) fn place<T>(pointer: *mut T) -> Result<*mut T> {
    match pointer.is_null() {
        true => fail(EFAULT),
        false => Ok(pointer),
    }
}

/// Octets to be written to.
///
/// # Safety
///
/// `size` of them are valid for writes at `data`, for as long as they are used.
pub(crate) unsafe fn bytes_mut<'a>(data: *mut c_void, size: size_t) -> &'a mut [u8] {
    match data.is_null() || size == 0 {
        true => &mut [],
        // SAFETY: the caller's promise is the same. (What is not initialised is only written to.)
        false => unsafe { slice::from_raw_parts_mut(data.cast(), size) },
    }
}

/// Octets to be read.
///
/// # Safety
///
/// `size` of them are valid for reads at `data`, for as long as they are used.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, size: size_t) -> &'a [u8] {
    match data.is_null() || size == 0 {
        true => &[],
        // SAFETY: the caller's promise is the same.
        false => unsafe { slice::from_raw_parts(data.cast(), size) },
    }
}

/// Descriptions of buffers.
///
/// # Safety
///
/// There are `number` at `parts`, for as long as they are used.
unsafe fn described<'a>(parts: *const iovec, number: usize) -> Result<&'a [iovec]> {
    match number {
        0 => Ok(&[]),
        _ if parts.is_null() => fail(EFAULT),
        // SAFETY: the caller's promise is the same.
        1..=MOST_BUFFERS => Ok(unsafe { slice::from_raw_parts(parts, number) }),
        _ => fail(EINVAL),
    }
}

/// Buffers to be read into.
///
/// # Safety
///
/// `parts` are `number` descriptions of octets as [`bytes_mut`] expects them.
///
/// # Errors
///
/// `EINVAL` if there are too many.
pub(crate) unsafe fn scattered<'a>(
    parts: *const iovec,
    number: usize,
) -> Result<Vec<IoSliceMut<'a>>> {
    // SAFETY: the caller's promise is the same.
    let parts = unsafe { described(parts, number)? }.iter();
    // SAFETY: as above.
    let all = parts.map(|part| unsafe { bytes_mut(part.iov_base, part.iov_len) });
    Ok(all.map(IoSliceMut::new).collect())
}

/// Buffers to be written.
///
/// # Safety
///
/// As of [`scattered`], with octets as [`bytes`] expects them.
///
/// # Errors
///
/// `EINVAL` if there are too many.
pub(crate) unsafe fn gathered<'a>(parts: *const iovec, number: usize) -> Result<Vec<IoSlice<'a>>> {
    // SAFETY: the caller's promise is the same.
    let parts = unsafe { described(parts, number)? }.iter();
    // SAFETY: as above.
    let all = parts.map(|part| unsafe { bytes(part.iov_base, part.iov_len) });
    Ok(all.map(IoSlice::new).collect())
}

/// A count of buffers, as C has it.
///
/// # Errors
///
/// `EINVAL` if it is negative.
pub(crate) fn as_count(number: c_int) -> Result<usize> {
    usize::try_from(number).or(fail(EINVAL))
}
