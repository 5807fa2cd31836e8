//! Condition variables.

use core::ffi::c_int;

use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, EINVAL, ETIMEDOUT, clockid_t, pthread_cond_t,
    pthread_condattr_t, pthread_mutex_t, timespec,
};
use miou_rs::Instant;

use super::mutexes::Mutex;
use crate::parking::{ALL, park, unpark};
use crate::time::at;

/// What `pthread_cond_t` and `pthread_condattr_t` begin with.
#[repr(C)]
struct Condition {
    /// By which deadlines are told.
    clock: clockid_t,
}

const _: () = assert!(size_of::<Condition>() <= size_of::<pthread_cond_t>());
const _: () = assert!(size_of::<Condition>() <= size_of::<pthread_condattr_t>());
const _: () = assert!(align_of::<Condition>() <= align_of::<pthread_condattr_t>());

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_cond_init(
    condition: *mut pthread_cond_t,
    attributes: *const pthread_condattr_t,
) -> c_int {
    // SAFETY: the caller gives a place, and initialised attributes or null.
    unsafe {
        let clock = attributes.cast::<Condition>().as_ref().map(|it| it.clock);
        let clock = clock.unwrap_or(CLOCK_REALTIME);
        condition.cast::<Condition>().write(Condition { clock });
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_cond_destroy(_condition: *mut pthread_cond_t) -> c_int {
    0
}

/// Waits to be woken, without the mutex meanwhile.
///
/// # Safety
///
/// Both are initialised.
unsafe fn wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    deadline: Option<Instant>,
) -> c_int {
    let mutex = mutex.cast::<Mutex>();
    // SAFETY: see above. Nobody runs between the two calls, so nobody wakes before this thread waits.
    unsafe {
        match Mutex::unlock(mutex) {
            0 => {}
            error => return error,
        }
        let woken = park("a condition at", condition.addr(), ALL, deadline);
        match Mutex::lock(mutex, None) {
            0 if woken => 0,
            0 => ETIMEDOUT,
            error => error,
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: the caller gives initialised ones.
    unsafe { wait(condition, mutex, None) }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    deadline: *const timespec,
) -> c_int {
    // SAFETY: the caller gives initialised ones, and a time.
    unsafe {
        match at((*condition.cast::<Condition>()).clock, &*deadline) {
            Ok(deadline) => wait(condition, mutex, Some(deadline)),
            Err(error) => error,
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_cond_signal(condition: *mut pthread_cond_t) -> c_int {
    unpark(condition.addr(), 1, ALL);
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_cond_broadcast(condition: *mut pthread_cond_t) -> c_int {
    unpark(condition.addr(), usize::MAX, ALL);
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_condattr_init(attributes: *mut pthread_condattr_t) -> c_int {
    let clock = CLOCK_REALTIME;
    // SAFETY: the caller gives a place.
    unsafe { attributes.cast::<Condition>().write(Condition { clock }) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_condattr_destroy(_attributes: *mut pthread_condattr_t) -> c_int {
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_condattr_setclock(
    attributes: *mut pthread_condattr_t,
    clock: clockid_t,
) -> c_int {
    if !matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC) {
        return EINVAL;
    }
    // SAFETY: the caller gives initialised ones.
    unsafe { (*attributes.cast::<Condition>()).clock = clock };
    0
}

#[cfg(test)]
mod tests;
