//! Semaphores of one thread.

use std::ffi::c_int;
use std::mem::MaybeUninit;

use libc::{EAGAIN, EDEADLK, EINVAL, EOVERFLOW};
use nolibc::semaphores::{sem_destroy, sem_getvalue, sem_init, sem_post, sem_trywait, sem_wait};

/// The error of a call that failed.
fn error(result: c_int) -> c_int {
    assert_eq!(result, -1);
    std::io::Error::last_os_error().raw_os_error().unwrap()
}

#[test]
fn semaphores_count() {
    let mut memory = MaybeUninit::uninit();
    let semaphore = memory.as_mut_ptr();
    // SAFETY: the semaphore is initialised before it is used.
    unsafe {
        let value = || {
            let mut value = -1;
            assert_eq!(sem_getvalue(semaphore, &mut value), 0);
            value
        };
        assert_eq!(error(sem_init(semaphore, 0, 1 << 31)), EINVAL);
        assert_eq!(sem_init(semaphore, 0, 1), 0);
        assert_eq!(sem_post(semaphore), 0);
        assert_eq!(value(), 2);
        assert_eq!(sem_wait(semaphore), 0);
        assert_eq!(sem_trywait(semaphore), 0);
        assert_eq!(error(sem_wait(semaphore)), EDEADLK);
        assert_eq!(error(sem_trywait(semaphore)), EAGAIN);
        assert_eq!(value(), 0);

        assert_eq!(sem_init(semaphore, 0, (1 << 31) - 2), 0);
        assert_eq!(sem_post(semaphore), 0);
        assert_eq!(error(sem_post(semaphore)), EOVERFLOW);
        assert_eq!(value(), c_int::MAX);
        assert_eq!(sem_destroy(semaphore), 0);
    }
}
