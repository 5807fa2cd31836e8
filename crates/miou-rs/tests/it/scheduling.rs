use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use miou_rs::{
    Builder, Deadlock, EventSource, Instant, VirtualClock, sleep, sleep_until, spawn, yield_now,
};
use proptest::prelude::*;

use crate::{Trace, run};

const fn us(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

const fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

#[test]
fn tasks_run_in_the_order_in_which_they_were_spawned() {
    let trace = Trace::default();
    run(async {
        let tasks: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let trace = trace.clone();
                spawn(async move { trace.add(name) })
            })
            .into();
        trace.add("main");
        miou_rs::await_all(tasks).await;
    });
    trace.assert(&["main", "a", "b", "c"]);
}

#[test]
fn a_task_that_yields_goes_behind_all_that_are_ready() {
    let trace = Trace::default();
    run(async {
        let tasks: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let trace = trace.clone();
                spawn(async move {
                    for round in 1..=2 {
                        trace.add(format!("{name}{round}"));
                        yield_now().await;
                    }
                })
            })
            .into();
        miou_rs::await_all(tasks).await;
    });
    trace.assert(&["a1", "b1", "c1", "a2", "b2", "c2"]);
}

#[test]
fn spawning_does_not_poll() {
    let trace = Trace::default();
    run(async {
        let promise = spawn({
            let trace = trace.clone();
            async move { trace.add("task") }
        });
        trace.add("spawned");
        promise.await.unwrap();
        trace.add("awaited");
    });
    trace.assert(&["spawned", "task", "awaited"]);
}

#[test]
fn a_task_woken_by_an_event_runs_before_those_that_yield() {
    let trace = Trace::default();
    let clock = VirtualClock::new();
    Builder::new().run_with(clock.clone(), async {
        let computing: Vec<_> = (0..3)
            .map(|n| {
                let (trace, clock) = (trace.clone(), clock.clone());
                spawn(async move {
                    for _ in 0..3 {
                        clock.advance(us(4));
                        trace.add(format!("compute{n}"));
                        yield_now().await;
                    }
                })
            })
            .collect();
        let waiting = spawn({
            let trace = trace.clone();
            async move {
                sleep_until(at(5)).await;
                trace.add("event");
            }
        });
        miou_rs::await_all(computing).await;
        waiting.await.unwrap();
    });
    // The quantum is 10 µs: the third poll of 4 µs ends it, at 12 µs. The
    // waiting task has not been polled yet, and finds that its time has come.
    assert_eq!(
        trace.take()[..5],
        ["compute0", "compute1", "compute2", "event", "compute0"]
    );
}

#[test]
fn the_scheduler_looks_for_events_when_the_quantum_has_passed() {
    // Polls of 4 µs each; the event happens at 1 µs.
    let polls_before_event = |quantum| {
        let clock = VirtualClock::new();
        let waker: Rc<Cell<Option<Waker>>> = Rc::default();
        clock.schedule(at(1), {
            let waker = waker.clone();
            move || waker.take().expect("the task waits").wake()
        });
        let polls = Rc::new(Cell::new(0));
        Builder::new().quantum(quantum).run_with(clock.clone(), {
            let polls = polls.clone();
            async move {
                let waiting = spawn(wait_for(waker));
                // Registered before time moves.
                yield_now().await;
                let _computing = spawn(async move {
                    loop {
                        clock.advance(us(4));
                        polls.set(polls.get() + 1);
                        yield_now().await;
                    }
                });
                waiting.await.unwrap();
            }
        });
        polls.get()
    };
    assert_eq!(polls_before_event(us(0)), 1);
    assert_eq!(polls_before_event(us(4)), 1);
    assert_eq!(polls_before_event(us(5)), 2);
    assert_eq!(polls_before_event(us(10)), 3);
    assert_eq!(polls_before_event(us(40)), 10);
}

/// Puts its waker there, and ends when it has been taken out.
async fn wait_for(slot: Rc<Cell<Option<Waker>>>) {
    let mut polled = false;
    std::future::poll_fn(move |context| {
        if polled {
            return std::task::Poll::Ready(());
        }
        polled = true;
        slot.set(Some(context.waker().clone()));
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn the_scheduler_looks_for_events_at_once_when_no_task_is_ready() {
    let clock = VirtualClock::new();
    // A quantum that never passes.
    Builder::new()
        .quantum(Duration::MAX)
        .run_with(clock.clone(), async {
            sleep(us(1)).await;
            sleep(us(1)).await;
        });
    assert_eq!(clock.now(), at(2));
}

#[test]
fn in_virtual_time_the_scheduler_looks_for_events_though_no_time_passes() {
    let clock = VirtualClock::new();
    let happened = Rc::new(Cell::new(false));
    clock.schedule(at(0), {
        let happened = happened.clone();
        move || happened.set(true)
    });
    Builder::new().run_with(clock, async {
        while !happened.get() {
            yield_now().await;
        }
    });
}

/// An event source in real time, so that the quantum is measured by the CPU's
/// counter where there is one; it notes each look.
struct Watched {
    start: std::time::Instant,
    trace: Trace,
}

impl EventSource for Watched {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.start.elapsed().as_nanos() as u64)
    }

    fn poll(&self) -> usize {
        self.trace.add("look");
        0
    }

    fn wait(&self, _deadline: Option<Instant>) -> Result<usize, Deadlock> {
        Ok(self.poll())
    }
}

#[test]
fn when_polls_turn_long_all_at_once_the_scheduler_looks_for_events_after_the_first() {
    let trace = Trace::default();
    let source = Watched {
        start: std::time::Instant::now(),
        trace: trace.clone(),
    };
    Builder::new().quantum(us(10)).run_with(source, async {
        let tasks = (0..3).map(|_| {
            let trace = trace.clone();
            spawn(async move {
                for _ in 0..if cfg!(miri) { 50 } else { 10_000 } {
                    yield_now().await;
                }
                for _ in 0..4 {
                    let begun = Instant::now();
                    while begun.elapsed() < us(100) {}
                    trace.add("long");
                    yield_now().await;
                }
            })
        });
        miou_rs::await_all(tasks).await;
    });
    let trace = trace.take();
    let first = trace.iter().position(|what| what == "long").unwrap();
    let polls: Vec<_> = trace[first..first + 24].iter().collect();
    assert_eq!(
        polls,
        ["long", "look"].repeat(12).iter().collect::<Vec<_>>()
    );
}

#[test]
fn what_an_event_task_wakes_or_spawns_runs_before_tasks_that_yield() {
    let trace = Trace::default();
    let clock = VirtualClock::new();
    Builder::new()
        .quantum(us(0))
        .run_with(clock.clone(), async {
            let busy: Vec<_> = (0..20)
                .map(|_| {
                    let clock = clock.clone();
                    spawn(async move {
                        loop {
                            clock.advance(us(1));
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let waker: Rc<Cell<Option<Waker>>> = Rc::default();
            let woken = spawn({
                let (trace, waker) = (trace.clone(), waker.clone());
                async move {
                    wait_for(waker).await;
                    trace.add("woken");
                }
            });
            let event = spawn({
                let (trace, clock) = (trace.clone(), clock.clone());
                async move {
                    sleep_until(at(100)).await;
                    trace.add(format!("event at {:?}", clock.now()));
                    waker.take().unwrap().wake();
                    let trace = trace.clone();
                    spawn(async move { trace.add("spawned") }).await.unwrap();
                }
            });
            event.await.unwrap();
            woken.await.unwrap();
            trace.add(format!("all at {:?}", clock.now()));
            drop(busy);
        });
    // Among twenty tasks that take 1 µs each, none of which runs in between.
    trace.assert(&["event at 100µs", "woken", "spawned", "all at 100µs"]);
}

#[test]
fn a_task_that_an_event_woke_and_that_yields_is_one_of_those_that_yield() {
    let trace = Trace::default();
    run(async {
        let event = spawn({
            let trace = trace.clone();
            async move {
                sleep(us(1)).await;
                trace.add("event");
                yield_now().await;
                trace.add("yielded");
            }
        });
        let other = spawn({
            let trace = trace.clone();
            async move {
                sleep(us(1)).await;
                trace.add("other event");
            }
        });
        event.await.unwrap();
        other.await.unwrap();
    });
    trace.assert(&["event", "other event", "yielded"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]

    /// The guarantee: from an event to the poll of its task no longer than the
    /// longest single poll, and the quantum, and the event tasks ahead.
    #[test]
    fn an_event_is_answered_in_time(
        quantum in 0..30_u64,
        longest in 1..50_u64,
        lengths in prop::collection::vec(1..1_000_u64, 1..40),
        events in prop::collection::vec(100..5_000_u64, 1..20),
        answer in 0..5_u64,
    ) {
        let clock = VirtualClock::new();
        let latencies: Vec<(u64, u64)> = Builder::new().quantum(us(quantum)).run_with(clock.clone(), async {
            let _busy: Vec<_> = lengths
                .iter()
                .map(|length| {
                    let (clock, length) = (clock.clone(), length % longest + 1);
                    spawn(async move {
                        loop {
                            clock.advance(us(length));
                            yield_now().await;
                        }
                    })
                })
                .collect();
            let waiting: Vec<_> = events
                .iter()
                .map(|&event| {
                    let clock = clock.clone();
                    spawn(async move {
                        // Polled, and so registered, before the first event
                        // only if the busy tasks take turns: they do.
                        sleep_until(at(event)).await;
                        let late = clock.now().saturating_duration_since(at(event));
                        clock.advance(us(answer));
                        (event, late.as_micros() as u64)
                    })
                })
                .collect();
            let mut latencies = Vec::new();
            for result in miou_rs::await_all(waiting).await {
                latencies.push(result.unwrap());
            }
            latencies
        });
        // A task is registered once it has been polled for the first time.
        let registered = lengths.iter().map(|length| length % longest + 1).sum::<u64>();
        for (event, late) in latencies {
            // Those ahead of it, and a task that yields for each sixteen.
            let ahead = events.len() as u64;
            let between = ahead / u64::from(Builder::EVENT_BOUND) + 1;
            // While it answers, more events come: they are behind it.
            let bound = longest + quantum + ahead * answer + between * longest;
            prop_assert!(event < registered + bound || late <= bound, "{late} > {bound} at {event}");
        }
    }
}

#[test]
#[should_panic(expected = "every task waits, no timer is set")]
fn a_program_that_waits_for_nothing_is_told_so() {
    run(std::future::pending::<()>());
}

#[test]
#[should_panic(expected = "a scheduler runs on this thread already")]
fn a_task_cannot_start_a_scheduler() {
    run(async { run(async {}) });
}

#[test]
#[should_panic(expected = "no scheduler runs on this thread")]
fn nothing_is_spawned_outside_of_a_scheduler() {
    drop(spawn(async {}));
}

#[test]
fn schedulers_run_one_after_another_on_the_same_thread() {
    for number in 0..3 {
        assert_eq!(
            run(async move { spawn(async move { number }).await.unwrap() }),
            number
        );
    }
}

#[test]
fn the_main_future_may_borrow() {
    let mut text = String::from("Hello");
    run(async {
        yield_now().await;
        text.push_str(" World");
    });
    assert_eq!(text, "Hello World");
}

#[test]
fn an_event_source_may_be_shared() {
    let clock = Rc::new(VirtualClock::new());
    Builder::new().run_with(clock.clone(), async { sleep(us(7)).await });
    assert_eq!(EventSource::now(&clock), at(7));
}
