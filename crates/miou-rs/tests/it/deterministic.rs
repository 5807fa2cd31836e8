use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use miou_rs::{Builder, VirtualClock, sleep, spawn, testing, yield_now};

use crate::Trace;

/// Tasks that yield, sleep and wake one another.
fn schedule(seed: Option<u64>) -> Vec<String> {
    let trace = Trace::default();
    let mut builder = Builder::new();
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    builder.run_with(VirtualClock::new(), async {
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let trace = trace.clone();
                spawn(async move {
                    trace.add(format!("{number} begins"));
                    yield_now().await;
                    trace.add(format!("{number} goes on"));
                    sleep(Duration::from_millis(1)).await;
                    trace.add(format!("{number} ends"));
                })
            })
            .collect();
        miou_rs::await_all(tasks).await;
    });
    trace.take()
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    for seed in 0..if cfg!(miri) { 3 } else { 50 } {
        assert_eq!(schedule(Some(seed)), schedule(Some(seed)), "seed {seed}");
    }
}

#[test]
fn without_a_seed_the_schedule_is_first_in_first_out() {
    assert_eq!(
        schedule(None),
        [
            "0 begins",
            "1 begins",
            "2 begins",
            "0 goes on",
            "1 goes on",
            "2 goes on",
            "0 ends",
            "1 ends",
            "2 ends",
        ]
    );
}

#[test]
fn seeds_reach_every_order() {
    let seeds = if cfg!(miri) { 40 } else { 500 };
    let orders: BTreeSet<Vec<String>> = (0..seeds)
        .map(|seed| {
            let mut order = schedule(Some(seed));
            order.retain(|what| what.ends_with("ends"));
            order
        })
        .collect();
    // All permutations of three tasks that a timer wakes at the same time.
    assert_eq!(orders.len(), 6, "{orders:?}");
}

/// A program with a mistake that first in, first out does not show: it relies
/// on the first task to be polled before the second.
fn relies_on_the_order(seed: u64) {
    Builder::new()
        .seed(seed)
        .run_with(VirtualClock::new(), async {
            let trace = Trace::default();
            let tasks = ["first", "second"].map(|name| {
                let trace = trace.clone();
                spawn(async move { trace.add(name) })
            });
            miou_rs::await_all(tasks).await;
            trace.assert(&["first", "second"]);
        });
}

#[test]
fn a_seed_that_fails_fails_again() {
    let tried = Mutex::new(Vec::new());
    let failed = catch_unwind(AssertUnwindSafe(|| {
        testing::explore(0..100, |seed| {
            tried.lock().unwrap().push(seed);
            relies_on_the_order(seed);
        });
    }));
    assert!(failed.is_err());
    let failing = *tried.lock().unwrap().last().unwrap();
    for _ in 0..5 {
        let again = catch_unwind(|| relies_on_the_order(failing));
        assert!(again.is_err(), "seed {failing}");
    }
    // Those before it did not fail, and do not.
    for seed in 0..failing {
        relies_on_the_order(seed);
    }
}
