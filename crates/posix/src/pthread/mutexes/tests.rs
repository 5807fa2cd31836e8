use std::cell::Cell;
use std::rc::Rc;

use nolibc::locks::{pthread_mutex_destroy, pthread_mutex_init};

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

type Lock = Rc<Cell<pthread_mutex_t>>;

fn lock(kind: c_int) -> Lock {
    let lock = Rc::new(Cell::new(libc::PTHREAD_MUTEX_INITIALIZER));
    // SAFETY: a place, and attributes that begin with the type.
    unsafe {
        let attributes = [kind, 0];
        assert_eq!(
            pthread_mutex_init(lock.as_ptr(), attributes.as_ptr().cast()),
            0
        );
    }
    lock
}

/// Calls a function with an initialised mutex.
fn call(function: unsafe extern "C" fn(*mut pthread_mutex_t) -> c_int, lock: &Lock) -> c_int {
    // SAFETY: `lock` has initialised it, and nothing else refers to it.
    unsafe { function(lock.as_ptr()) }
}

#[test]
fn kinds_differ_in_what_their_owner_may_do() {
    run(|| {
        for (kind, again, trying) in [
            (PTHREAD_MUTEX_ERRORCHECK, EDEADLK, EBUSY),
            (PTHREAD_MUTEX_RECURSIVE, 0, 0),
        ] {
            let lock = lock(kind);
            assert_eq!(call(pthread_mutex_unlock, &lock), EPERM);
            assert_eq!(call(pthread_mutex_lock, &lock), 0);
            assert_eq!(call(pthread_mutex_lock, &lock), again);
            assert_eq!(call(pthread_mutex_trylock, &lock), trying);
            assert_eq!(call(pthread_mutex_destroy, &lock), EBUSY);
            for _ in 0..1 + 2 * usize::from(again == 0) {
                assert_eq!(call(pthread_mutex_unlock, &lock), 0);
            }
            assert_eq!(call(pthread_mutex_destroy, &lock), 0);
        }
    });
}

#[test]
fn only_the_owner_unlocks_where_that_is_looked_at() {
    run(|| {
        for (kind, result) in [(PTHREAD_MUTEX_RECURSIVE, EPERM), (PTHREAD_MUTEX_NORMAL, 0)] {
            let lock = lock(kind);
            assert_eq!(call(pthread_mutex_lock, &lock), 0);
            let other = lock.clone();
            together([spawn(move || {
                assert_eq!(call(pthread_mutex_trylock, &other), EBUSY);
                assert_eq!(call(pthread_mutex_unlock, &other), result);
            })]);
        }
    });
}

#[test]
fn a_deadline_ends_waiting_and_an_unlock_before_it_does_too() {
    run(|| {
        let lock = lock(PTHREAD_MUTEX_NORMAL);
        assert_eq!(call(pthread_mutex_lock, &lock), 0);
        let timed = |seconds| {
            let lock = lock.clone();
            move || {
                let deadline = timespec {
                    tv_sec: seconds,
                    tv_nsec: 0,
                };
                // SAFETY: initialised, and a time.
                unsafe { pthread_mutex_timedlock(lock.as_ptr(), &raw const deadline) }
            }
        };
        let (early, late) = (timed(0), timed(i64::MAX));
        together([spawn(move || assert_eq!(early(), ETIMEDOUT))]);
        let late = spawn(move || assert_eq!(late(), 0));
        give_way();
        assert_eq!(call(pthread_mutex_unlock, &lock), 0);
        together([late]);
    });
}
