//! The locks of `pthread.h`, where there is one thread.
//!
//! A lock that is free is taken and counts who holds it, so that C code and crates find what they
//! check for. One that is held is held by the thread that asks: waiting would never end, so it is
//! refused with the error that POSIX has for that, `EDEADLK`, also where POSIX lets the thread wait
//! for ever (mutexes of the type `PTHREAD_MUTEX_NORMAL`).
//!
//! Objects have the sizes of glibc's `pthread_mutex_t` and so on. All zeros is a free one, as glibc's
//! static initialisers have it; that of a recursive mutex has its type in the fifth word.

use core::ffi::{c_int, c_uint};
use libc::{
    EAGAIN, EBUSY, EDEADLK, EINVAL, EPERM, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_NORMAL,
    PTHREAD_MUTEX_RECURSIVE, PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED, pthread_mutex_t,
    pthread_mutexattr_t, pthread_once_t, pthread_rwlock_t, pthread_rwlockattr_t,
};

/// What `pthread_mutex_t` begins with.
#[repr(C)]
struct Mutex {
    /// How many times it is locked.
    locked: c_uint,
    _unused: [c_uint; 3],
    /// A `PTHREAD_MUTEX_` number.
    kind: c_int,
}

/// What `pthread_rwlock_t` begins with.
#[repr(C)]
struct ReadWriteLock {
    readers: c_uint,
    /// One if it is locked for writing.
    writers: c_uint,
}

const _: () = assert!(size_of::<Mutex>() <= size_of::<pthread_mutex_t>());
const _: () = assert!(align_of::<Mutex>() <= align_of::<pthread_mutex_t>());
const _: () = assert!(size_of::<ReadWriteLock>() <= size_of::<pthread_rwlock_t>());
const _: () = assert!(align_of::<ReadWriteLock>() <= align_of::<pthread_rwlock_t>());
const _: () = assert!(size_of::<c_int>() <= size_of::<pthread_mutexattr_t>());

impl Mutex {
    /// `held` is the error for one that is held and not recursive.
    fn lock(&mut self, held: c_int) -> c_int {
        if self.locked > 0 && self.kind != PTHREAD_MUTEX_RECURSIVE {
            return held;
        }
        match self.locked.checked_add(1) {
            Some(locked) => self.locked = locked,
            None => return EAGAIN,
        }
        0
    }

    fn unlock(&mut self) -> c_int {
        match self.locked.checked_sub(1) {
            Some(locked) => self.locked = locked,
            None => return EPERM,
        }
        0
    }
}

impl ReadWriteLock {
    /// `held` is the error for one that is held for writing.
    fn read(&mut self, held: c_int) -> c_int {
        if self.writers > 0 {
            return held;
        }
        match self.readers.checked_add(1) {
            Some(readers) => self.readers = readers,
            None => return EAGAIN,
        }
        0
    }

    /// `held` is the error for one that is held in any way.
    fn write(&mut self, held: c_int) -> c_int {
        if self.readers > 0 || self.writers > 0 {
            return held;
        }
        self.writers = 1;
        0
    }

    fn unlock(&mut self) -> c_int {
        if self.writers > 0 {
            self.writers = 0;
        } else if let Some(readers) = self.readers.checked_sub(1) {
            self.readers = readers;
        } else {
            return EPERM;
        }
        0
    }
}

/// Makes a free mutex of the type in `attributes`, which may be null.
///
/// # Safety
///
/// `mutex` is valid for writes; `attributes` is null or initialised.
pub unsafe extern "C" fn pthread_mutex_init(
    mutex: *mut pthread_mutex_t,
    attributes: *const pthread_mutexattr_t,
) -> c_int {
    // SAFETY: see above; attributes begin with the type.
    unsafe {
        let kind = attributes.cast::<c_int>().as_ref();
        mutex.write_bytes(0, 1);
        (*mutex.cast::<Mutex>()).kind = kind.copied().unwrap_or(PTHREAD_MUTEX_NORMAL);
    }
    0
}

/// Ends the use of a mutex: `EBUSY` if it is held.
///
/// # Safety
///
/// `mutex` is initialised.
pub unsafe extern "C" fn pthread_mutex_destroy(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: see above.
    let locked = unsafe { (*mutex.cast::<Mutex>()).locked };
    if locked == 0 { 0 } else { EBUSY }
}

/// Takes a mutex: `EDEADLK` if it is held and not recursive, `EAGAIN` if a recursive one is held 2³²-1 times.
///
/// # Safety
///
/// `mutex` is initialised.
pub unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*mutex.cast::<Mutex>()).lock(EDEADLK) }
}

/// As [`pthread_mutex_lock`], but with `EBUSY` if the mutex is held and not recursive.
///
/// # Safety
///
/// `mutex` is initialised.
pub unsafe extern "C" fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*mutex.cast::<Mutex>()).lock(EBUSY) }
}

/// Releases a mutex once: `EPERM` if it is not held.
///
/// # Safety
///
/// `mutex` is initialised.
pub unsafe extern "C" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*mutex.cast::<Mutex>()).unlock() }
}

/// Makes the attributes of a `PTHREAD_MUTEX_NORMAL` mutex.
///
/// # Safety
///
/// `attributes` is valid for writes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn pthread_mutexattr_init(attributes: *mut pthread_mutexattr_t) -> c_int {
    // SAFETY: see above.
    unsafe { attributes.cast::<c_int>().write(PTHREAD_MUTEX_NORMAL) };
    0
}

/// Ends the use of attributes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub extern "C" fn pthread_mutexattr_destroy(_attributes: *mut pthread_mutexattr_t) -> c_int {
    0
}

/// Chooses the type: `EINVAL` if there is none of this number.
///
/// # Safety
///
/// `attributes` is initialised.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn pthread_mutexattr_settype(
    attributes: *mut pthread_mutexattr_t,
    kind: c_int,
) -> c_int {
    match kind {
        PTHREAD_MUTEX_NORMAL | PTHREAD_MUTEX_RECURSIVE | PTHREAD_MUTEX_ERRORCHECK => {
            // SAFETY: see above.
            unsafe { attributes.cast::<c_int>().write(kind) };
            0
        }
        _ => EINVAL,
    }
}

/// Tells the type.
///
/// # Safety
///
/// `attributes` is initialised, `kind` valid for writes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn pthread_mutexattr_gettype(
    attributes: *const pthread_mutexattr_t,
    kind: *mut c_int,
) -> c_int {
    // SAFETY: see above.
    unsafe { kind.write(*attributes.cast()) };
    0
}

/// Whether other processes may use the mutex, which makes no difference where there are none: `EINVAL` if it is
/// neither number that POSIX has for that.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub extern "C" fn pthread_mutexattr_setpshared(
    _attributes: *mut pthread_mutexattr_t,
    shared: c_int,
) -> c_int {
    match shared {
        PTHREAD_PROCESS_PRIVATE | PTHREAD_PROCESS_SHARED => 0,
        _ => EINVAL,
    }
}

/// Makes a free read-write lock. Attributes are those of other processes and of who waits first: there is nobody.
///
/// # Safety
///
/// `lock` is valid for writes.
pub unsafe extern "C" fn pthread_rwlock_init(
    lock: *mut pthread_rwlock_t,
    _attributes: *const pthread_rwlockattr_t,
) -> c_int {
    // SAFETY: see above.
    unsafe { lock.write_bytes(0, 1) };
    0
}

/// Ends the use of a read-write lock: `EBUSY` if it is held.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_destroy(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above.
    let ReadWriteLock { readers, writers } = unsafe { &*lock.cast() };
    if *readers == 0 && *writers == 0 {
        0
    } else {
        EBUSY
    }
}

/// Takes a read-write lock for reading: `EDEADLK` if it is held for writing, `EAGAIN` if by 2³²-1 readers.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).read(EDEADLK) }
}

/// As [`pthread_rwlock_rdlock`], but with `EBUSY` if the lock is held for writing.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_tryrdlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).read(EBUSY) }
}

/// Takes a read-write lock for writing: `EDEADLK` if it is held.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).write(EDEADLK) }
}

/// As [`pthread_rwlock_wrlock`], but with `EBUSY` if the lock is held.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_trywrlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).write(EBUSY) }
}

/// Releases a read-write lock once: `EPERM` if it is not held.
///
/// # Safety
///
/// `lock` is initialised.
pub unsafe extern "C" fn pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int {
    // SAFETY: see above; nothing else refers to it meanwhile.
    unsafe { (*lock.cast::<ReadWriteLock>()).unlock() }
}

/// Calls `routine` unless an earlier call with the same `once` has returned. From within `routine`, where POSIX has the
/// call never return, it is refused with `EDEADLK`.
///
/// # Safety
///
/// `once` was `PTHREAD_ONCE_INIT` at first, and `routine` may be called.
pub unsafe extern "C" fn pthread_once(
    once: *mut pthread_once_t,
    routine: Option<unsafe extern "C" fn()>,
) -> c_int {
    const FRESH: pthread_once_t = libc::PTHREAD_ONCE_INIT;
    const RUNNING: pthread_once_t = 1;
    const DONE: pthread_once_t = 2;
    let Some(routine) = routine else {
        return EINVAL;
    };
    // SAFETY: see above; no reference is held while the routine runs.
    unsafe {
        match once.read() {
            FRESH => {
                once.write(RUNNING);
                routine();
                once.write(DONE);
                0
            }
            DONE => 0,
            RUNNING => EDEADLK,
            _ => EINVAL,
        }
    }
}
