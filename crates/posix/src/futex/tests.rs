use core::ptr;
use core::time::Duration;
use std::cell::Cell;
use std::rc::Rc;

use libc::FUTEX_PRIVATE_FLAG;
use miou_rs::Instant;

use super::*;
use crate::scheduler::inside;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

/// The call as std makes it; the error instead of -1.
fn call(word: &u32, operation: c_int, value: u32, time: Option<timespec>) -> c_int {
    call_with(word, operation, value, time, ALL)
}

fn call_with(word: &u32, operation: c_int, value: u32, time: Option<timespec>, mask: u32) -> c_int {
    let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = operation | FUTEX_PRIVATE_FLAG;
    // SAFETY: a word, and a time or null.
    or_error(unsafe { futex(word, operation, value, time, ptr::null(), mask) })
}

fn requeue(word: &u32, operation: c_int, counts: [usize; 2], other: &u32, expected: u32) -> c_int {
    let [woken, moved] = counts;
    let operation = operation | FUTEX_PRIVATE_FLAG;
    let moved = ptr::without_provenance(moved);
    // SAFETY: two words, and numbers where there are no times.
    or_error(unsafe { futex(word, operation, woken as u32, moved, other, expected) })
}

fn or_error(result: c_int) -> c_int {
    match result {
        // SAFETY: the address is valid.
        -1 => -unsafe { *libc::__errno_location() },
        _ => result,
    }
}

fn milliseconds(time: i64) -> timespec {
    timespec {
        tv_sec: 0,
        tv_nsec: time * 1_000_000,
    }
}

#[test]
fn a_word_that_has_changed_is_not_waited_for() {
    run(|| {
        assert_eq!(call(&1, FUTEX_WAIT, 0, None), -EAGAIN);
        assert_eq!(call(&1, FUTEX_WAIT_BITSET, 0, None), -EAGAIN);
    });
}

#[test]
fn times_are_relative_or_absolute() {
    run(|| {
        inside(|| assert_eq!(Instant::now(), Instant::from_nanos(0)));
        let after =
            |time| inside(Instant::now) == Instant::from_nanos(0) + Duration::from_millis(time);
        assert_eq!(call(&1, FUTEX_WAIT, 1, Some(milliseconds(3))), -ETIMEDOUT);
        assert!(after(3));
        assert_eq!(
            call(&1, FUTEX_WAIT_BITSET, 1, Some(milliseconds(5))),
            -ETIMEDOUT
        );
        assert!(after(5));
        assert_eq!(
            call(&1, FUTEX_WAIT_BITSET, 1, Some(milliseconds(2))),
            -ETIMEDOUT
        );
        assert!(after(5));
        assert_eq!(call(&1, FUTEX_WAIT, 1, Some(milliseconds(-1))), -EINVAL);
        assert_eq!(call(&1, FUTEX_WAIT, 1, Some(milliseconds(1_000))), -EINVAL);
    });
}

#[test]
fn masks_of_no_bits_and_unknown_operations_are_errors() {
    run(|| {
        assert_eq!(call_with(&1, FUTEX_WAIT_BITSET, 1, None, 0), -EINVAL);
        assert_eq!(call_with(&1, FUTEX_WAKE_BITSET, 1, None, 0), -EINVAL);
        assert_eq!(call(&1, libc::FUTEX_LOCK_PI, 1, None), -ENOSYS);
    });
}

#[test]
fn so_many_are_woken_as_wanted_and_the_others_moved() {
    run(|| {
        let words: &'static [u32; 2] = Box::leak(Box::new([7, 8]));
        let woken = Rc::new(Cell::new(0));
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let woken = woken.clone();
                spawn(move || {
                    assert_eq!(call(&words[0], FUTEX_WAIT, 7, None), 0);
                    woken.set(woken.get() + 1);
                })
            })
            .collect();
        give_way();
        let [word, other] = words;
        assert_eq!(call(word, FUTEX_WAKE, 2, None), 2);
        assert_eq!(requeue(word, FUTEX_CMP_REQUEUE, [1, 2], other, 0), -EAGAIN);
        assert_eq!(requeue(word, FUTEX_CMP_REQUEUE, [1, 2], other, 7), 3);
        assert_eq!(call(word, FUTEX_WAKE, u32::MAX >> 1, None), 1);
        give_way();
        assert_eq!(woken.get(), 4);
        assert_eq!(requeue(other, FUTEX_REQUEUE, [0, 9], word, 0), 2);
        assert_eq!(call(word, FUTEX_WAKE, 9, None), 2);
        together(threads);
        assert_eq!(woken.get(), 6);
    });
}
