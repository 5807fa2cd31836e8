use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use miou_rs::{Promise, sleep, spawn, stats, yield_now};

use crate::{Trace, run};

#[test]
fn dropping_a_promise_drops_the_future_at_once() {
    let trace = Trace::default();
    run(async {
        let promise = spawn({
            let guard = trace.on_drop("future");
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        });
        yield_now().await;
        trace.add("before");
        drop(promise);
        trace.add("after");
    });
    trace.assert(&["before", "future", "after"]);
}

#[test]
fn a_task_that_was_never_polled_can_be_cancelled() {
    let trace = Trace::default();
    run(async {
        let guard = trace.on_drop("future");
        drop(spawn(async move {
            let _guard = guard;
            unreachable!("its promise is gone before its turn");
        }));
        trace.add("after");
        yield_now().await;
    });
    trace.assert(&["future", "after"]);
}

#[test]
fn cancel_says_that_the_task_was_cancelled() {
    run(async {
        let promise = spawn(pending::<()>());
        assert!(promise.cancel().await.unwrap_err().is_cancelled());
    });
}

#[test]
fn cancel_gives_the_result_of_a_task_that_had_ended() {
    run(async {
        let promise = spawn(async { 42 });
        yield_now().await;
        assert_eq!(promise.cancel().await.unwrap(), 42);
    });
}

#[test]
fn after_cancel_the_task_and_its_children_are_gone() {
    let trace = Trace::default();
    run(async {
        let parent = spawn({
            let trace = trace.clone();
            async move {
                let _guard = trace.on_drop("parent");
                let _children: Vec<_> = (0..3)
                    .map(|n| {
                        let trace = trace.clone();
                        spawn(async move {
                            let _guard = trace.on_drop(format!("child {n}"));
                            let trace = trace.clone();
                            let _grandchild = spawn(async move {
                                let _guard = trace.on_drop(format!("grandchild {n}"));
                                pending::<()>().await;
                            });
                            pending::<()>().await;
                        })
                    })
                    .collect();
                pending::<()>().await;
            }
        });
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(stats().alive, 8);
        assert!(parent.cancel().await.unwrap_err().is_cancelled());
        assert_eq!(stats().alive, 1);
        trace.add("cancelled");
    });
    trace.assert(&[
        "grandchild 0",
        "child 0",
        "grandchild 1",
        "child 1",
        "grandchild 2",
        "child 2",
        "parent",
        "cancelled",
    ]);
}

#[test]
fn a_cancelled_task_leaves_no_timer() {
    run(async {
        let promises: Vec<_> = (0..100)
            .map(|_| spawn(sleep(Duration::from_secs(3600))))
            .collect();
        yield_now().await;
        assert_eq!(stats().timers, 100);
        drop(promises);
        assert_eq!(stats().timers, 0);
    });
}

#[test]
fn a_task_that_drops_its_own_promise_ends_when_it_suspends() {
    let trace = Trace::default();
    run(async {
        let own: Rc<RefCell<Option<Promise<()>>>> = Rc::default();
        let promise = spawn({
            let (own, trace) = (own.clone(), trace.clone());
            async move {
                let _guard = trace.on_drop("dropped");
                drop(own.take());
                trace.add("still runs");
                yield_now().await;
                trace.add("never");
            }
        });
        own.replace(Some(promise));
        yield_now().await;
        yield_now().await;
        assert_eq!(stats().alive, 1);
    });
    trace.assert(&["still runs", "dropped"]);
}

#[test]
fn a_task_that_cancels_itself_and_then_ends_has_a_result_nobody_sees() {
    run(async {
        let own: Rc<RefCell<Option<Promise<Rc<()>>>>> = Rc::default();
        let value = Rc::new(());
        let promise = spawn({
            let (own, value) = (own.clone(), value.clone());
            async move {
                drop(own.take());
                value
            }
        });
        own.replace(Some(promise));
        yield_now().await;
        assert_eq!(Rc::strong_count(&value), 1);
    });
}

#[test]
fn a_task_may_await_its_own_cancellation() {
    run(async {
        let own: Rc<RefCell<Option<Promise<()>>>> = Rc::default();
        let promise = spawn({
            let own = own.clone();
            async move {
                let own = own.take().unwrap();
                let _ = own.cancel().await;
                unreachable!("it is gone when its cancellation is complete");
            }
        });
        own.replace(Some(promise));
        yield_now().await;
        yield_now().await;
        assert_eq!(stats().alive, 1);
    });
}

#[test]
fn waking_a_cancelled_task_does_nothing() {
    let waker = Rc::new(Cell::new(None));
    run(async {
        let promise = spawn({
            let waker = waker.clone();
            std::future::poll_fn(move |context| {
                waker.set(Some(context.waker().clone()));
                std::task::Poll::<()>::Pending
            })
        });
        yield_now().await;
        drop(promise);
        let waker = waker.take().unwrap();
        waker.wake_by_ref();
        assert_eq!(stats().ready, 0);
        waker.wake();
    });
}

#[test]
fn a_long_chain_of_tasks_is_cancelled_without_exhausting_the_stack() {
    const LENGTH: usize = if cfg!(miri) { 100 } else { 100_000 };
    fn chain(left: usize) -> Promise<()> {
        spawn(async move {
            if left > 0 {
                chain(left - 1).await.unwrap();
            }
            pending::<()>().await;
        })
    }
    run(async {
        let first = chain(LENGTH);
        for _ in 0..=LENGTH {
            yield_now().await;
        }
        assert_eq!(stats().alive, LENGTH + 2);
        drop(first);
        assert_eq!(stats().alive, 1);
    });
}

#[test]
fn the_end_of_the_scheduler_cancels_what_is_left() {
    let trace = Trace::default();
    let kept: RefCell<Option<Promise<()>>> = RefCell::default();
    run(async {
        let guard = trace.on_drop("task");
        kept.replace(Some(spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })));
        yield_now().await;
        trace.add("main ends");
    });
    trace.add("after");
    assert!(kept.take().unwrap().is_finished());
    trace.assert(&["main ends", "task", "after"]);
}

#[test]
fn what_a_destructor_spawns_while_the_scheduler_ends_is_cancelled() {
    struct Spawns(Trace);
    impl Drop for Spawns {
        fn drop(&mut self) {
            let guard = self.0.on_drop("spawned and dropped");
            let promise = spawn(async move {
                let _guard = guard;
                unreachable!("the scheduler has ended");
            });
            assert!(promise.is_finished());
        }
    }
    let trace = Trace::default();
    let kept: RefCell<Option<Promise<()>>> = RefCell::default();
    run(async {
        let spawns = Spawns(trace.clone());
        kept.replace(Some(spawn(async move {
            let _spawns = spawns;
            pending::<()>().await;
        })));
        yield_now().await;
    });
    trace.assert(&["spawned and dropped"]);
}

#[test]
fn a_promise_may_outlive_its_scheduler() {
    let value = Rc::new(5);
    let finished = run({
        let value = value.clone();
        async move {
            let promise = spawn(async move { value });
            yield_now().await;
            [promise]
        }
    });
    let [finished] = finished;
    assert!(finished.is_finished());
    assert_eq!(Rc::strong_count(&value), 2);
    drop(finished);
    assert_eq!(Rc::strong_count(&value), 1);

    // One that was not finished is cancelled, which any executor can await.
    let [unfinished] = run(async { [spawn(pending::<()>())] });
    assert!(unfinished.is_finished());
    assert!(run(unfinished).unwrap_err().is_cancelled());
}
