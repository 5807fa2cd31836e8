//! The locks of one thread.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{EBUSY, EDEADLK, EINVAL, EPERM, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE};
use nolibc::locks::{
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_trylock,
    pthread_mutex_unlock, pthread_mutexattr_gettype, pthread_mutexattr_init,
    pthread_mutexattr_setpshared, pthread_mutexattr_settype, pthread_once, pthread_rwlock_destroy,
    pthread_rwlock_init, pthread_rwlock_rdlock, pthread_rwlock_tryrdlock, pthread_rwlock_trywrlock,
    pthread_rwlock_unlock, pthread_rwlock_wrlock,
};

/// One that is held is refused, and stays held.
fn is_not_recursive(mutex: &mut libc::pthread_mutex_t) {
    // SAFETY: the mutex is initialised.
    unsafe {
        assert_eq!(pthread_mutex_unlock(mutex), EPERM);
        for _ in 0..2 {
            assert_eq!(pthread_mutex_lock(mutex), 0);
            assert_eq!(pthread_mutex_lock(mutex), EDEADLK);
            assert_eq!(pthread_mutex_trylock(mutex), EBUSY);
            assert_eq!(pthread_mutex_destroy(mutex), EBUSY);
            assert_eq!(pthread_mutex_unlock(mutex), 0);
            assert_eq!(pthread_mutex_unlock(mutex), EPERM);
        }
        assert_eq!(pthread_mutex_trylock(mutex), 0);
        assert_eq!(pthread_mutex_unlock(mutex), 0);
        assert_eq!(pthread_mutex_destroy(mutex), 0);
    }
}

fn is_recursive(mutex: &mut libc::pthread_mutex_t) {
    // SAFETY: the mutex is initialised.
    unsafe {
        assert_eq!(pthread_mutex_lock(mutex), 0);
        assert_eq!(pthread_mutex_lock(mutex), 0);
        assert_eq!(pthread_mutex_trylock(mutex), 0);
        for _ in 0..3 {
            assert_eq!(pthread_mutex_destroy(mutex), EBUSY);
            assert_eq!(pthread_mutex_unlock(mutex), 0);
        }
        assert_eq!(pthread_mutex_unlock(mutex), EPERM);
        assert_eq!(pthread_mutex_destroy(mutex), 0);
    }
}

#[test]
fn mutexes_of_the_static_initialisers() {
    let [mut normal, mut checking, mut recursive] = [
        libc::PTHREAD_MUTEX_INITIALIZER,
        libc::PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
        libc::PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
    ];
    is_not_recursive(&mut normal);
    is_not_recursive(&mut checking);
    is_recursive(&mut recursive);
}

/// What was in the memory before does not count.
#[test]
fn mutexes_with_attributes() {
    let mut attributes = MaybeUninit::uninit();
    let attributes = attributes.as_mut_ptr();
    let mut memory = MaybeUninit::<libc::pthread_mutex_t>::uninit();
    // SAFETY: the attributes are initialised first, and the mutex before it is used.
    unsafe {
        assert_eq!(pthread_mutexattr_init(attributes), 0);
        assert_eq!(pthread_mutexattr_settype(attributes, 99), EINVAL);
        assert_eq!(pthread_mutexattr_setpshared(attributes, 1), 0);
        assert_eq!(pthread_mutexattr_setpshared(attributes, 2), EINVAL);
        let mut fresh = |attributes| {
            memory.as_mut_ptr().write_bytes(0xff, 1);
            assert_eq!(pthread_mutex_init(memory.as_mut_ptr(), attributes), 0);
            memory.assume_init()
        };
        is_not_recursive(&mut fresh(ptr::null()));
        is_not_recursive(&mut fresh(attributes));
        for kind in [PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK] {
            assert_eq!(pthread_mutexattr_settype(attributes, kind), 0);
            let mut told = -1;
            assert_eq!(pthread_mutexattr_gettype(attributes, &mut told), 0);
            assert_eq!(told, kind);
            match kind {
                PTHREAD_MUTEX_RECURSIVE => is_recursive(&mut fresh(attributes)),
                _ => is_not_recursive(&mut fresh(attributes)),
            }
        }
    }
}

#[test]
fn read_write_locks_count() {
    let mut memory = MaybeUninit::<libc::pthread_rwlock_t>::uninit();
    let lock = memory.as_mut_ptr();
    // SAFETY: the lock is initialised first.
    unsafe {
        lock.write_bytes(0xff, 1);
        assert_eq!(pthread_rwlock_init(lock, ptr::null()), 0);
        assert_eq!(pthread_rwlock_unlock(lock), EPERM);

        assert_eq!(pthread_rwlock_rdlock(lock), 0);
        assert_eq!(pthread_rwlock_tryrdlock(lock), 0);
        for _ in 0..2 {
            assert_eq!(pthread_rwlock_wrlock(lock), EDEADLK);
            assert_eq!(pthread_rwlock_trywrlock(lock), EBUSY);
            assert_eq!(pthread_rwlock_destroy(lock), EBUSY);
            assert_eq!(pthread_rwlock_unlock(lock), 0);
        }
        assert_eq!(pthread_rwlock_unlock(lock), EPERM);

        for write in [pthread_rwlock_wrlock, pthread_rwlock_trywrlock] {
            assert_eq!(write(lock), 0);
            assert_eq!(pthread_rwlock_rdlock(lock), EDEADLK);
            assert_eq!(pthread_rwlock_tryrdlock(lock), EBUSY);
            assert_eq!(pthread_rwlock_wrlock(lock), EDEADLK);
            assert_eq!(pthread_rwlock_trywrlock(lock), EBUSY);
            assert_eq!(pthread_rwlock_destroy(lock), EBUSY);
            assert_eq!(pthread_rwlock_unlock(lock), 0);
            assert_eq!(pthread_rwlock_unlock(lock), EPERM);
        }
        assert_eq!(pthread_rwlock_destroy(lock), 0);
    }
}

#[test]
fn once_runs_once() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static mut ONCE: libc::pthread_once_t = libc::PTHREAD_ONCE_INIT;

    fn call() -> c_int {
        unsafe extern "C" fn routine() {
            CALLS.fetch_add(1, Ordering::Relaxed);
            assert_eq!(call(), EDEADLK, "from within");
        }
        // SAFETY: only this test's thread uses the static, and the routine may be called.
        unsafe { pthread_once(&raw mut ONCE, Some(routine)) }
    }
    for _ in 0..3 {
        assert_eq!(call(), 0);
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    }
    // SAFETY: without a routine, nothing is called.
    assert_eq!(unsafe { pthread_once(&mut 0, None) }, EINVAL);
}
