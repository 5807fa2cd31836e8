use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::testing::{run, spawn, together};

/// Whether others run while a thread is shown these times, in turn, by `show`.
fn gives_way(times: &'static [u64], show: fn(u64)) -> Vec<bool> {
    let given = Rc::new(Cell::new(Vec::new()));
    let ours = given.clone();
    run(move || {
        let turns = Rc::new(Cell::new(0_usize));
        let (counted, is_over) = (turns.clone(), Rc::new(Cell::new(false)));
        let has_ended = is_over.clone();
        let other = spawn(move || {
            while !is_over.get() {
                counted.set(counted.get() + 1);
                give_way();
            }
        });
        // The slice begins here.
        give_way();
        let seen = times.iter().map(|&now| {
            let before = turns.get();
            show(now);
            turns.get() != before
        });
        ours.set(seen.collect());
        has_ended.set(true);
        together([other]);
    });
    given.take()
}

#[test]
fn a_slice_begins_with_the_first_look_at_the_clock_and_ends_a_millisecond_later() {
    let times = &[7, 8, 1_000_006, 1_000_007, 1_000_008, 2_000_007, 2_000_008];
    let ways = gives_way(times, shown);
    assert_eq!(ways, [false, false, false, true, false, false, true]);
}

#[test]
fn nobody_gives_way_where_something_may_be_borrowed_or_no_thread_runs() {
    let times = &[1, 2_000_000, 4_000_000];
    assert_eq!(gives_way(times, |now| inside(|| shown(now))), [false; 3]);
    times.iter().for_each(|&now| shown(now));
    run(|| {
        let task = inside(|| miou_rs::spawn(async { times.iter().for_each(|&now| shown(now)) }));
        crate::block_on(task).unwrap();
    });
}

#[test]
fn who_makes_many_calls_that_succeed_at_once_is_as_who_looks_at_the_clock() {
    for _ in 0..2 {
        (1..MANY).for_each(|_| has_succeeded());
        assert!(!were_many());
        has_succeeded();
        assert!(were_many());
    }
}
