//! Unnamed semaphores.

use core::ffi::{c_int, c_uint};

use libc::{CLOCK_REALTIME, EAGAIN, EINVAL, EOVERFLOW, ETIMEDOUT, sem_t, timespec};
use miou_rs::Instant;

use crate::errno::fail;
use crate::parking::{ALL, park, unpark};
use crate::time::at;

/// `SEM_VALUE_MAX`.
const MAXIMUM: c_uint = c_int::MAX.cast_unsigned();

const _: () = assert!(size_of::<c_uint>() <= size_of::<sem_t>());
const _: () = assert!(align_of::<c_uint>() <= align_of::<sem_t>());

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_init(semaphore: *mut sem_t, _shared: c_int, value: c_uint) -> c_int {
    if value > MAXIMUM {
        return fail(EINVAL);
    }
    // SAFETY: the caller gives a place.
    unsafe { semaphore.cast::<c_uint>().write(value) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn sem_destroy(_semaphore: *mut sem_t) -> c_int {
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller gives an initialised one; nothing else refers to it meanwhile.
    let value = unsafe { &mut *semaphore.cast::<c_uint>() };
    if *value >= MAXIMUM {
        return fail(EOVERFLOW);
    }
    *value += 1;
    unpark(semaphore.addr(), 1, ALL);
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

/// Takes one, when there is one.
///
/// # Safety
///
/// `semaphore` is initialised.
unsafe fn wait(semaphore: *mut sem_t, deadline: Option<Instant>) -> c_int {
    // SAFETY: the caller's promise is the same.
    while !unsafe { take(semaphore) } {
        if !park("a semaphore at", semaphore.addr(), ALL, deadline) {
            return fail(ETIMEDOUT);
        }
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { wait(semaphore, None) }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_timedwait(semaphore: *mut sem_t, deadline: *const timespec) -> c_int {
    // SAFETY: the caller gives an initialised one, and a time.
    unsafe {
        match at(CLOCK_REALTIME, &*deadline) {
            Ok(deadline) => wait(semaphore, Some(deadline)),
            Err(error) => fail(error),
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_trywait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    match unsafe { take(semaphore) } {
        true => 0,
        false => fail(EAGAIN),
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_getvalue(semaphore: *mut sem_t, value: *mut c_int) -> c_int {
    // SAFETY: the caller gives an initialised one, and a place. A value is at most 2³¹-1.
    unsafe { value.write((*semaphore.cast::<c_uint>()).cast_signed()) };
    0
}

#[cfg(test)]
mod tests;
