use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use miou_rs::{Builder, Hook, VirtualClock, sleep, spawn, stats, yield_now};

use crate::{Trace, run};

#[test]
fn a_hook_runs_at_each_tick_until_it_is_removed() {
    let ticks = Rc::new(Cell::new(0_u32));
    Builder::new()
        .quantum(Duration::ZERO)
        .run_with(VirtualClock::new(), async {
            let hook = Hook::add({
                let ticks = ticks.clone();
                move || ticks.set(ticks.get() + 1)
            });
            let before = stats().ticks;
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!(u64::from(ticks.get()), stats().ticks - before);
            assert_eq!(ticks.get(), 10);
            hook.remove();
            yield_now().await;
            assert_eq!(ticks.get(), 10);
        });
}

#[test]
fn hooks_run_in_the_order_in_which_they_were_added() {
    let trace = Trace::default();
    run(async {
        for name in ["a", "b", "c"] {
            let trace = trace.clone();
            Hook::add(move || trace.add(name)).keep();
        }
        sleep(Duration::from_micros(1)).await;
        assert_eq!(trace.take(), ["a", "b", "c"]);
    });
}

#[test]
fn a_hook_may_remove_itself() {
    let trace = Trace::default();
    run(async {
        let own: Rc<RefCell<Option<Hook>>> = Rc::default();
        let hook = Hook::add({
            let (own, trace) = (own.clone(), trace.clone());
            let guard = trace.on_drop("dropped");
            move || {
                let _ = &guard;
                trace.add("once");
                drop(own.take());
                trace.add("still");
            }
        });
        own.replace(Some(hook));
        for _ in 0..3 {
            sleep(Duration::from_micros(1)).await;
        }
    });
    trace.assert(&["once", "still", "dropped"]);
}

#[test]
fn a_hook_may_spawn_and_wake() {
    run(async {
        let spawned: Rc<RefCell<Option<miou_rs::Promise<u32>>>> = Rc::default();
        let hook = Hook::add({
            let spawned = spawned.clone();
            move || {
                if spawned.borrow().is_none() {
                    spawned.replace(Some(spawn(async { 7 })));
                }
            }
        });
        sleep(Duration::from_micros(1)).await;
        let promise = spawned.take().unwrap();
        assert_eq!(promise.await.unwrap(), 7);
        hook.remove();
    });
}

#[test]
fn what_a_hook_holds_is_dropped_with_the_scheduler() {
    let trace = Trace::default();
    run(async {
        let guard = trace.on_drop("hook");
        Hook::add(move || {
            let _ = &guard;
        })
        .keep();
        trace.add("main ends");
    });
    trace.assert(&["main ends", "hook"]);
}
