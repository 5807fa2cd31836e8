//! The unnamed semaphores of `semaphore.h`, where there is one thread.
//!
//! They count. Waiting for one that is at zero would never end, because nobody else can post it, so it fails with
//! `EDEADLK`. Named ones are not there.

use crate::errno::fail;
use core::ffi::{c_int, c_uint};
use libc::{EAGAIN, EDEADLK, EINVAL, EOVERFLOW, sem_t};

/// `SEM_VALUE_MAX`.
const MAXIMUM: c_uint = c_int::MAX.cast_unsigned();

const _: () = assert!(size_of::<c_uint>() <= size_of::<sem_t>());
const _: () = assert!(align_of::<c_uint>() <= align_of::<sem_t>());

/// Makes a semaphore with the value `value`: `EINVAL` above 2³¹-1.
///
/// # Safety
///
/// `semaphore` is valid for writes.
pub unsafe extern "C" fn sem_init(semaphore: *mut sem_t, _shared: c_int, value: c_uint) -> c_int {
    if value > MAXIMUM {
        return fail(EINVAL);
    }
    // SAFETY: see above.
    unsafe { semaphore.cast::<c_uint>().write(value) };
    0
}

/// Ends the use of a semaphore.
pub extern "C" fn sem_destroy(_semaphore: *mut sem_t) -> c_int {
    0
}

/// Adds one: `EOVERFLOW` at 2³¹-1.
///
/// # Safety
///
/// `semaphore` is initialised.
pub unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    let value = unsafe { &mut *semaphore.cast::<c_uint>() };
    if *value >= MAXIMUM {
        return fail(EOVERFLOW);
    }
    *value += 1;
    0
}

/// Takes one, if there is one.
///
/// # Safety
///
/// `semaphore` is initialised.
unsafe fn take(semaphore: *mut sem_t) -> bool {
    // SAFETY: see above; nothing else refers to it meanwhile.
    let value = unsafe { &mut *semaphore.cast::<c_uint>() };
    let taken = value.checked_sub(1);
    *value = taken.unwrap_or(0);
    taken.is_some()
}

/// Takes one: `EDEADLK` at zero.
///
/// # Safety
///
/// `semaphore` is initialised.
pub unsafe extern "C" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    if unsafe { take(semaphore) } {
        0
    } else {
        fail(EDEADLK)
    }
}

/// Takes one: `EAGAIN` at zero.
///
/// # Safety
///
/// `semaphore` is initialised.
pub unsafe extern "C" fn sem_trywait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    if unsafe { take(semaphore) } {
        0
    } else {
        fail(EAGAIN)
    }
}

/// Tells the value.
///
/// # Safety
///
/// `semaphore` is initialised, `value` valid for writes.
pub unsafe extern "C" fn sem_getvalue(semaphore: *mut sem_t, value: *mut c_int) -> c_int {
    // SAFETY: see above; a value is at most 2³¹-1.
    unsafe { value.write((*semaphore.cast::<c_uint>()).cast_signed()) };
    0
}
