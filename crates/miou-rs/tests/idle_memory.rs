//! What tasks that wait take: no more than 48 bytes each with a future of 16,
//! its promise included. And what stays when most of them go.

mod heap;

use std::future::poll_fn;
use std::task::Poll;

use miou_rs::{Builder, Promise, VirtualClock, spawn, yield_now};

const TASKS: usize = if cfg!(miri) { 2_000 } else { 100_000 };

/// A task with a future of 16 bytes that waits.
fn waits(number: usize) -> Promise<()> {
    let held = [number; 2];
    spawn(poll_fn(move |_| {
        std::hint::black_box(held);
        Poll::Pending
    }))
}

#[test]
fn a_task_that_waits_takes_little_and_those_that_are_gone_nothing() {
    let before = heap::in_use();
    Builder::new().run_with(VirtualClock::new(), async {
        let start = heap::in_use();
        let in_use = || heap::in_use() - start;
        // Three tasks do not pay for a page.
        let few: Vec<_> = (0..3).map(waits).collect();
        yield_now().await;
        assert!(in_use() < 1_000, "{} bytes for three tasks", in_use());
        drop(few);

        let mut promises = Vec::with_capacity(TASKS);
        promises.extend((0..TASKS).map(waits));
        let all = in_use();
        yield_now().await;
        let waiting = in_use();
        assert!(waiting < all, "the run queue gives back its memory");
        assert!(
            waiting <= 48 * TASKS,
            "{} bytes for each task",
            waiting as f64 / TASKS as f64
        );

        // One in a thousand lives on, and with it its page.
        let kept: Vec<_> = promises.drain(..).step_by(1_000).collect();
        drop(promises);
        let left = in_use();
        assert!(left <= kept.len() * 4096 + 32_768, "{left} bytes are left");
        // What comes takes the places of those that have gone.
        let more: Vec<_> = (0..kept.len() * 100).map(waits).collect();
        yield_now().await;
        let grown = in_use() - left - more.capacity() * 8;
        assert!(grown <= 8 * more.len() + 32_768, "{grown} bytes more");
        drop((kept, more));
        assert!(in_use() <= 32_768, "{} bytes for no task", in_use());
    });
    assert_eq!(heap::in_use(), before, "nothing stays");
}
