//! Mutexes. What makes them and ends their use is nolibc's, and so are their attributes.

use core::ffi::{c_int, c_uint};

use libc::{
    CLOCK_REALTIME, EAGAIN, EBUSY, EDEADLK, EPERM, ETIMEDOUT, PTHREAD_MUTEX_ERRORCHECK,
    PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, pthread_mutex_t, timespec,
};
use miou_rs::Instant;

use super::threads::gettid;
use crate::parking::{ALL, park, unpark};
use crate::time::at;

/// What `pthread_mutex_t` begins with: as in nolibc, which leaves the words between the first and the last at zero.
#[repr(C)]
pub(super) struct Mutex {
    /// How many times it is locked.
    locked: c_uint,
    /// How many wait for it.
    waiting: c_uint,
    /// The number of the thread that has locked it.
    owner: c_int,
    _unused: c_uint,
    /// A `PTHREAD_MUTEX_` number.
    kind: c_int,
}

const _: () = assert!(size_of::<Mutex>() <= size_of::<pthread_mutex_t>());
const _: () = assert!(align_of::<Mutex>() <= align_of::<pthread_mutex_t>());

impl Mutex {
    /// Locks it unless another thread, or, where that is not allowed, this one, has locked it: then EBUSY.
    ///
    /// # Safety
    ///
    /// `this` is initialised.
    unsafe fn try_lock(this: *mut Self) -> Result<(), c_int> {
        // SAFETY: see above; nothing else refers to it meanwhile.
        let this = unsafe { &mut *this };
        let own = gettid();
        if this.locked == 0 {
            this.owner = own;
        } else if this.owner != own || this.kind != PTHREAD_MUTEX_RECURSIVE {
            return Err(EBUSY);
        }
        this.locked = this.locked.checked_add(1).ok_or(EAGAIN)?;
        Ok(())
    }

    /// # Safety
    ///
    /// `this` is initialised.
    pub(super) unsafe fn lock(this: *mut Self, deadline: Option<Instant>) -> c_int {
        // SAFETY: see above; no reference is held while others run. Who waits for it promises that it stays.
        unsafe {
            loop {
                match Self::try_lock(this) {
                    Ok(()) => return 0,
                    Err(EBUSY) => {}
                    Err(error) => return error,
                }
                if (*this).kind == PTHREAD_MUTEX_ERRORCHECK && (*this).owner == gettid() {
                    return EDEADLK;
                }
                (*this).waiting += 1;
                let woken = park("a mutex at", this.addr(), ALL, deadline);
                (*this).waiting -= 1;
                if !woken {
                    return ETIMEDOUT;
                }
            }
        }
    }

    /// # Safety
    ///
    /// `this` is initialised.
    pub(super) unsafe fn unlock(this: *mut Self) -> c_int {
        // SAFETY: see above; nothing else refers to it meanwhile.
        let this = unsafe { &mut *this };
        if this.locked == 0 || this.kind != PTHREAD_MUTEX_NORMAL && this.owner != gettid() {
            return EPERM;
        }
        this.locked -= 1;
        if this.locked == 0 && this.waiting > 0 {
            unpark(core::ptr::from_mut(this).addr(), 1, ALL);
        }
        0
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
pub(super) unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { Mutex::lock(mutex.cast(), None) }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { Mutex::try_lock(mutex.cast()) }.err().unwrap_or(0)
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_mutex_timedlock(
    mutex: *mut pthread_mutex_t,
    deadline: *const timespec,
) -> c_int {
    // SAFETY: the caller gives an initialised one, and a time.
    unsafe {
        match at(CLOCK_REALTIME, &*deadline) {
            Ok(deadline) => Mutex::lock(mutex.cast(), Some(deadline)),
            Err(error) => error,
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
pub(super) unsafe extern "C" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { Mutex::unlock(mutex.cast()) }
}

#[cfg(test)]
mod tests;
