//! `pthread_once`.

use core::ffi::c_int;

use libc::{EINVAL, pthread_once_t};

use crate::parking::{ALL, park, unpark};

/// Calls `routine` unless a call with the same `once` has; waits for one that is under way in another thread.
#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_once(
    once: *mut pthread_once_t,
    routine: Option<unsafe extern "C" fn()>,
) -> c_int {
    const FRESH: pthread_once_t = libc::PTHREAD_ONCE_INIT;
    const RUNNING: pthread_once_t = 1;
    const DONE: pthread_once_t = 2;
    let Some(routine) = routine else {
        return EINVAL;
    };
    // SAFETY: the caller gives one that was initialised, and a function that may be called; no reference is held while that
    // or others run.
    unsafe {
        loop {
            match once.read() {
                FRESH => {
                    once.write(RUNNING);
                    routine();
                    once.write(DONE);
                    unpark(once.addr(), usize::MAX, ALL);
                    return 0;
                }
                DONE => return 0,
                RUNNING => park("pthread_once at", once.addr(), ALL, None),
                _ => return EINVAL,
            };
        }
    }
}

#[cfg(test)]
mod tests;
