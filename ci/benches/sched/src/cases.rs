//! What is measured.

mod availability;
mod slots;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::{Measures, Subject, heap};
use slots::Slots;

/// Runs a case once.
pub fn measure<S: Subject>(case: &str, compute_loops: u64) -> Option<Measures> {
    match case {
        "spawn" if S::JOINS => Some(ns_per_op(spawn::<S>(1_000_000))),
        "yield-2" => Some(ns_per_op(yields::<S>(2, 1_000_000))),
        "yield-1000" => Some(ns_per_op(yields::<S>(1_000, 2_000))),
        "yield-100000" => Some(ns_per_op(yields::<S>(100_000, 20))),
        "wake" => Some(ns_per_op(wakes::<S>(100_000, 1_000_000))),
        "timer" if S::TIMERS => Some(ns_per_op(timers::<S>(1_000_000))),
        "idle-task" => Some(vec![("memory", "bytes", idle_bytes::<S>(100_000))]),
        "availability-1" if S::IO => Some(availability::measure::<S>(1, compute_loops)),
        "availability-100" if S::IO => Some(availability::measure::<S>(100, compute_loops)),
        "availability-10000" if S::IO => Some(availability::measure::<S>(10_000, compute_loops)),
        _ => None,
    }
}

pub use availability::calibrate;

/// The time that at least `count` operations of a case take, scaled to
/// `count`; `None` for the cases that are not counted in operations, and if the
/// executor cannot express it.
pub fn time<S: Subject>(case: &str, count: u64) -> Option<Duration> {
    // Enough of them that what the first cost in cache misses does not count.
    let (time, operations) = match case {
        "spawn" if S::JOINS => spawn::<S>(count),
        "yield-2" => yields::<S>(2, count.div_ceil(2)),
        "yield-1000" => yields::<S>(1_000, count.div_ceil(1_000).max(100)),
        "yield-100000" => yields::<S>(100_000, count.div_ceil(100_000).max(5)),
        "wake" => wakes::<S>(100_000, count.max(100_000)),
        _ => return None,
    };
    Some(time.mul_f64(count as f64 / operations as f64))
}

fn ns_per_op((time, operations): (Duration, u64)) -> Measures {
    let value = time.as_nanos() as f64 / operations as f64;
    vec![("ns_per_op", "ns", value)]
}

/// Runs `main` on a new executor, and gives its result.
fn run<S: Subject, T: 'static>(main: impl Future<Output = T> + 'static) -> T {
    let result = Rc::new(Cell::new(None));
    S::run({
        let result = result.clone();
        async move { result.set(Some(main.await)) }
    });
    result.take().expect("the executor runs main to its end")
}

/// Spawns a task that does nothing and awaits it, again and again.
fn spawn<S: Subject>(count: u64) -> (Duration, u64) {
    run::<S, _>(async move {
        let start = Instant::now();
        for _ in 0..count {
            S::join(S::spawn(async {})).await;
        }
        (start.elapsed(), count)
    })
}

/// `tasks` tasks each yield `rounds` times.
fn yields<S: Subject>(tasks: u64, rounds: u64) -> (Duration, u64) {
    run::<S, _>(async move {
        let left = Rc::new(Left::new(tasks));
        let mut handles = Vec::new();
        for _ in 0..tasks {
            let left = left.clone();
            handles.push(S::spawn(async move {
                // All have been spawned and polled once before the first goes
                // on.
                S::yield_now().await;
                left.start();
                for _ in 0..rounds {
                    S::yield_now().await;
                }
                left.done();
            }));
        }
        let time = left.wait().await;
        for handle in handles {
            S::join(handle).await;
        }
        (time, tasks * rounds)
    })
}

/// Counts tasks down, and tells the time from the first start to the last end.
struct Left {
    count: Cell<u64>,
    start: Cell<Option<Instant>>,
    time: Cell<Duration>,
    waker: RefCell<Option<std::task::Waker>>,
}

impl Left {
    fn new(count: u64) -> Self {
        Self {
            count: Cell::new(count),
            start: Cell::new(None),
            time: Cell::default(),
            waker: RefCell::default(),
        }
    }

    fn start(&self) {
        if self.start.get().is_none() {
            self.start.set(Some(Instant::now()));
        }
    }

    fn done(&self) {
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            let start = self.start.get().expect("a task has started");
            self.time.set(start.elapsed());
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }

    async fn wait(&self) -> Duration {
        poll_fn(|context| {
            if self.count.get() == 0 {
                return Poll::Ready(self.time.get());
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

/// Of `tasks` tasks that sleep, one is woken, runs, and sleeps again; `count`
/// times.
fn wakes<S: Subject>(tasks: usize, count: u64) -> (Duration, u64) {
    run::<S, _>(async move {
        let slots = Slots::leak(tasks);
        let handles: Vec<_> = (0..tasks)
            .map(|index| S::spawn(slots.sleep_and_count(index)))
            .collect();
        while slots.asleep() < tasks {
            S::yield_now().await;
        }
        let mut random = 1_u64;
        let start = Instant::now();
        for woken in 0..count {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            slots.wake((random >> 33) as usize % tasks);
            while slots.woken() <= woken {
                S::yield_now().await;
            }
        }
        let time = start.elapsed();
        std::mem::forget(handles);
        (time, count)
    })
}

/// Sets `count` timers, cancels every other, and lets the rest fire. The time
/// until they are due is not counted.
fn timers<S: Subject>(count: u64) -> (Duration, u64) {
    run::<S, _>(async move {
        let begun = Instant::now();
        let mut random = 1_u64;
        let mut timers: Vec<Option<S::Sleep>> = Vec::with_capacity(count as usize);
        for _ in 0..count {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let mut sleep = S::sleep(Duration::from_micros(
                2_000_000 + (random >> 33) % 1_000_000,
            ));
            poll_fn(|context| {
                assert!(Pin::new(&mut sleep).poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            timers.push(Some(sleep));
        }
        for timer in timers.iter_mut().step_by(2) {
            *timer = None;
        }
        let mut last = S::sleep(Duration::from_secs(3));
        let set_and_cancelled = begun.elapsed();
        std::thread::sleep(Duration::from_millis(3_100).saturating_sub(begun.elapsed()));
        let due = Instant::now();
        poll_fn(|context| Pin::new(&mut last).poll(context)).await;
        for timer in timers.iter_mut().flatten() {
            poll_fn(|context| Pin::new(&mut *timer).poll(context)).await;
        }
        (set_and_cancelled + due.elapsed(), count)
    })
}

/// What a task that waits takes, with the handle that awaits it.
fn idle_bytes<S: Subject>(tasks: usize) -> f64 {
    run::<S, _>(async move {
        let slots = Slots::leak(tasks);
        // Whatever the executor sets up for the first task.
        let first = S::spawn(async {});
        S::yield_now().await;
        heap::start_counting();
        let before = heap::in_use();
        let mut handles = Vec::with_capacity(tasks);
        for index in 0..tasks {
            handles.push(S::spawn(slots.sleep_and_count(index)));
        }
        while slots.asleep() < tasks {
            S::yield_now().await;
        }
        let bytes = heap::in_use().wrapping_sub(before);
        std::mem::forget((first, handles));
        bytes as f64 / tasks as f64
    })
}
