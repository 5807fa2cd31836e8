//! Read-write locks. Who comes to read does not wait for those who wait to write, as in glibc unless a lock is made otherwise:
//! or a thread that reads already might wait for itself. What makes them and ends their use is nolibc's.

use core::ffi::{c_int, c_uint};

use libc::{EAGAIN, EBUSY, EDEADLK, EPERM, pthread_rwlock_t};

use super::threads::gettid;
use crate::parking::{ALL, park, unpark};

/// What `pthread_rwlock_t` begins with; the first two words are as in nolibc.
#[repr(C)]
struct ReadWriteLock {
    readers: c_uint,
    /// The number of the thread that writes, or 0.
    writer: c_int,
    /// How many wait for it to be free.
    waiting: c_uint,
}

const _: () = assert!(size_of::<ReadWriteLock>() <= size_of::<pthread_rwlock_t>());
const _: () = assert!(align_of::<ReadWriteLock>() <= align_of::<pthread_rwlock_t>());

impl ReadWriteLock {
    fn read(&mut self) -> c_int {
        if self.writer != 0 {
            return EBUSY;
        }
        match self.readers.checked_add(1) {
            Some(readers) => self.readers = readers,
            None => return EAGAIN,
        }
        0
    }

    fn write(&mut self) -> c_int {
        if self.writer != 0 || self.readers > 0 {
            return EBUSY;
        }
        self.writer = gettid();
        0
    }

    /// Tries until it is not EBUSY.
    ///
    /// # Safety
    ///
    /// `this` is initialised.
    unsafe fn lock(this: *mut Self, writes: bool) -> c_int {
        // SAFETY: see above; no reference is held while others run. Who waits for it promises that it stays.
        unsafe {
            if (*this).writer == gettid() {
                return EDEADLK;
            }
            loop {
                let result = match writes {
                    true => (*this).write(),
                    false => (*this).read(),
                };
                if result != EBUSY {
                    return result;
                }
                (*this).waiting += 1;
                park("a read-write lock at", this.addr(), ALL, None);
                (*this).waiting -= 1;
            }
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { ReadWriteLock::lock(lock.cast(), false) }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_rwlock_tryrdlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: the caller gives an initialised one; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).read() }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    unsafe { ReadWriteLock::lock(lock.cast(), true) }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_rwlock_trywrlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: the caller gives an initialised one; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).write() }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: the caller gives an initialised one; nothing else refers to it meanwhile.
    let this = unsafe { &mut *lock.cast::<ReadWriteLock>() };
    if this.writer != 0 {
        this.writer = 0;
    } else if let Some(readers) = this.readers.checked_sub(1) {
        this.readers = readers;
    } else {
        return EPERM;
    }
    if this.readers == 0 && this.waiting > 0 {
        unpark(lock.addr(), usize::MAX, ALL);
    }
    0
}

#[cfg(test)]
mod tests;
