//! Waiting for unnamed semaphores. How they count, and what has nothing to do with waiting, is nolibc's.

use core::ffi::c_int;

use libc::{CLOCK_REALTIME, ETIMEDOUT, sem_t, timespec};
use miou_rs::Instant;
use nolibc::semaphores;

use crate::errno::fail;
use crate::parking::{ALL, park, unpark};
use crate::time::at;

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: the caller's promise is the same.
    let result = unsafe { semaphores::sem_post(semaphore) };
    if result == 0 {
        unpark(semaphore.addr(), 1, ALL);
    }
    result
}

/// Takes one, when there is one.
///
/// # Safety
///
/// `semaphore` is initialised.
unsafe fn wait(semaphore: *mut sem_t, deadline: Option<Instant>) -> c_int {
    // SAFETY: the caller's promise is the same.
    while unsafe { semaphores::sem_trywait(semaphore) } != 0 {
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

#[cfg(test)]
mod tests;
