use core::mem::MaybeUninit;
use std::cell::Cell;
use std::rc::Rc;

use libc::{EAGAIN, EOVERFLOW};
use nolibc::semaphores::{sem_getvalue, sem_init, sem_trywait};

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

type Semaphore = Rc<Cell<MaybeUninit<sem_t>>>;

fn semaphore(value: u32) -> Semaphore {
    let semaphore = Rc::new(Cell::new(MaybeUninit::uninit()));
    // SAFETY: a place.
    assert_eq!(unsafe { sem_init(semaphore.as_ptr().cast(), 0, value) }, 0);
    semaphore
}

/// Calls a function with an initialised semaphore; the error instead of -1.
fn call(function: unsafe extern "C" fn(*mut sem_t) -> c_int, semaphore: &Semaphore) -> c_int {
    // SAFETY: `semaphore` has initialised it. The address of `errno` is valid.
    unsafe {
        match function(semaphore.as_ptr().cast()) {
            -1 => *libc::__errno_location(),
            result => result,
        }
    }
}

#[test]
fn as_many_go_on_as_it_counts() {
    run(|| {
        let semaphore = semaphore(2);
        let within = Rc::new(Cell::new(0));
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let (semaphore, within) = (semaphore.clone(), within.clone());
                spawn(move || {
                    assert_eq!(call(sem_wait, &semaphore), 0);
                    within.set(within.get() + 1);
                    assert!(within.get() <= 2);
                    give_way();
                    within.set(within.get() - 1);
                    assert_eq!(call(sem_post, &semaphore), 0);
                })
            })
            .collect();
        together(threads);
        assert_eq!(call(sem_trywait, &semaphore), 0);
        assert_eq!(call(sem_trywait, &semaphore), 0);
        assert_eq!(call(sem_trywait, &semaphore), EAGAIN);
        let mut value = 7;
        // SAFETY: initialised, and a place.
        let result = unsafe { sem_getvalue(semaphore.as_ptr().cast(), &raw mut value) };
        assert_eq!(result, 0);
        assert_eq!(value, 0);
    });
}

#[test]
fn a_deadline_that_has_passed_and_too_great_a_value_are_errors() {
    run(|| {
        let full = semaphore(i32::MAX.cast_unsigned());
        assert_eq!(call(sem_post, &full), EOVERFLOW);
        let empty = semaphore(0);
        let past = timespec {
            tv_sec: -1,
            tv_nsec: 0,
        };
        // SAFETY: initialised, and a time. The address of `errno` is valid.
        let error = unsafe {
            assert_eq!(sem_timedwait(empty.as_ptr().cast(), &raw const past), -1);
            *libc::__errno_location()
        };
        assert_eq!(error, ETIMEDOUT);
    });
}
