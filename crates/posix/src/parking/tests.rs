use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::testing::{run, spawn, together};
use crate::wait::give_way;

const PLACE: usize = 0x1000;
const OTHER: usize = 0x2000;

type Log = Rc<RefCell<Vec<u32>>>;

/// Threads that wait at `PLACE`, with masks, and then log the number that they have among them.
fn parked(masks: &[u32], log: &Log) -> Vec<&'static Thread> {
    let threads = masks.iter().zip(0..).map(|(&mask, number)| {
        let log = log.clone();
        spawn(move || {
            assert!(park("a test", PLACE, mask, None));
            log.borrow_mut().push(number);
        })
    });
    let threads = threads.collect();
    give_way();
    threads
}

#[test]
fn who_has_waited_longest_is_woken_first() {
    run(|| {
        let log = Log::default();
        let threads = parked(&[ALL; 4], &log);
        assert_eq!(unpark(OTHER, 9, ALL), 0);
        assert_eq!(unpark(PLACE, 2, ALL), 2);
        give_way();
        assert_eq!(*log.borrow(), [0, 1]);
        assert_eq!(unpark(PLACE, 9, ALL), 2);
        assert_eq!(unpark(PLACE, 9, ALL), 0);
        together(threads);
        assert_eq!(*log.borrow(), [0, 1, 2, 3]);
    });
}

#[test]
fn only_who_waits_with_a_bit_is_woken() {
    run(|| {
        let log = Log::default();
        let threads = parked(&[1, 2, 3, 4], &log);
        assert_eq!(unpark(PLACE, 9, 2), 2);
        give_way();
        assert_eq!(*log.borrow(), [1, 2]);
        assert_eq!(unpark(PLACE, 9, 8), 0);
        assert_eq!(unpark(PLACE, 9, ALL), 2);
        together(threads);
    });
}

#[test]
fn who_is_moved_is_woken_at_the_other_place() {
    run(|| {
        let log = Log::default();
        let threads = parked(&[ALL; 3], &log);
        assert_eq!(requeue(PLACE, 2, OTHER), 2);
        assert_eq!(unpark(PLACE, 9, ALL), 1);
        give_way();
        assert_eq!(*log.borrow(), [2]);
        assert_eq!(unpark(OTHER, 9, ALL), 2);
        together(threads);
        assert_eq!(*log.borrow(), [2, 0, 1]);
    });
}

#[test]
fn who_waits_for_a_time_goes_on_in_the_order_of_these() {
    run(|| {
        let log = Log::default();
        let threads = [30, 10, 20].map(|milliseconds| {
            let log = log.clone();
            spawn(move || {
                let deadline = inside(Instant::now) + Duration::from_millis(milliseconds);
                assert!(!park("a test", PLACE, ALL, Some(deadline)));
                log.borrow_mut().push(milliseconds as u32);
            })
        });
        together(threads);
        assert_eq!(*log.borrow(), [10, 20, 30]);
    });
}

#[test]
fn who_waited_too_long_is_not_there_any_more() {
    run(|| {
        let soon = || Some(inside(Instant::now) + Duration::from_millis(1));
        let start = inside(Instant::now);
        let thread = spawn(move || assert!(!park("a test", PLACE, ALL, soon())));
        assert!(!park("a test", PLACE, ALL, soon()));
        together([thread]);
        assert_eq!(inside(Instant::now), start + Duration::from_millis(1));
        assert_eq!(unpark(PLACE, 9, ALL), 0);
    });
}

/// What another thread does is seen by who only ever asks for what is past.
#[test]
fn who_waits_until_a_time_that_has_passed_lets_others_run() {
    run(|| {
        let other = spawn(|| assert_eq!(unpark(PLACE, 1, ALL), 1));
        let past = Some(inside(Instant::now));
        let tries = (0..100).map(|_| park("a test", PLACE, ALL, past));
        assert_eq!(tries.filter(|woken| *woken).count(), 1);
        together([other]);
    });
}
