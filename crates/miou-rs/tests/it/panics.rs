use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;

use miou_rs::{Aborted, Hook, Promise, sleep, spawn, stats, yield_now};

use crate::{Trace, run};

/// A future that panics when it is dropped.
struct PanicsOnDrop(&'static str);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

#[track_caller]
fn message<T: std::fmt::Debug>(result: Result<T, Aborted>) -> String {
    let panic = result.unwrap_err().into_panic().expect("a panic");
    panic.message().to_owned()
}

#[test]
fn a_panic_reaches_whoever_awaits_with_its_message() {
    run(async {
        let constant = spawn(async { panic!("constant") });
        let formatted = spawn(async { panic!("formatted {}", 1) });
        assert_eq!(message::<()>(constant.await), "constant");
        assert_eq!(message::<()>(formatted.await), "formatted 1");
    });
}

#[test]
fn a_panic_keeps_its_payload() {
    run(async {
        let promise = spawn(async { panic_any(42_u32) });
        let aborted: Aborted = promise.await.unwrap_err();
        assert_eq!(
            aborted.to_string(),
            "the task panicked: (a payload that is not a string)"
        );
        let payload = aborted.into_panic().unwrap().into_payload();
        assert_eq!(*payload.downcast::<u32>().unwrap(), 42);
    });
}

#[test]
fn a_panic_does_not_touch_other_tasks() {
    run(async {
        let before = spawn(async { 1 });
        let panics = spawn(async { panic!("on purpose") });
        let after = spawn(async {
            yield_now().await;
            2
        });
        assert_eq!(before.await.unwrap(), 1);
        assert_eq!(after.await.unwrap(), 2);
        assert!(panics.await.unwrap_err().is_panicked());
    });
}

#[test]
fn a_panic_that_nobody_awaits_is_counted() {
    run(async {
        let _kept = spawn(async { panic!("on purpose") });
        yield_now().await;
        assert_eq!(stats().panicked, 1);
    });
}

#[test]
fn a_panic_drops_the_children() {
    let trace = Trace::default();
    run(async {
        let guard = trace.on_drop("child");
        let promise = spawn(async move {
            let _child = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            yield_now().await;
            panic!("on purpose");
        });
        assert!(promise.await.unwrap_err().is_panicked());
        trace.add("awaited");
    });
    trace.assert(&["child", "awaited"]);
}

#[test]
fn a_panic_of_the_main_task_leaves_the_scheduler() {
    let trace = Trace::default();
    let payload = catch_unwind(AssertUnwindSafe(|| {
        run(async {
            let guard = trace.on_drop("child");
            let _child = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            yield_now().await;
            panic!("on purpose");
        })
    }))
    .unwrap_err();
    assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose");
    trace.assert(&["child"]);
    // And another can be started.
    run(async {});
}

#[test]
fn a_panic_can_be_continued_by_the_one_who_awaits() {
    run(async {
        let parent = spawn(async {
            let child = spawn(async { panic!("from the child") });
            match child.await {
                Ok(()) => {}
                Err(aborted) => aborted.into_panic().unwrap().resume(),
            }
        });
        assert_eq!(message(parent.await), "from the child");
    });
}

#[test]
fn a_destructor_that_panics_when_the_task_is_cancelled_tells_the_canceller() {
    run(async {
        let promise = spawn(async {
            let _guard = PanicsOnDrop("destructor");
            pending::<()>().await;
        });
        yield_now().await;
        assert_eq!(message(promise.cancel().await), "destructor");
    });
}

#[test]
fn a_destructor_that_panics_when_the_promise_is_dropped_tells_nobody() {
    run(async {
        let promise = spawn(async {
            let _guard = PanicsOnDrop("destructor");
            pending::<()>().await;
        });
        yield_now().await;
        drop(promise);
        assert_eq!(stats().panicked, 1);
        assert_eq!(stats().alive, 1);
    });
}

#[test]
fn a_destructor_that_panics_after_the_value_was_made_takes_its_place() {
    struct Ready(#[allow(dead_code)] PanicsOnDrop);
    impl Future for Ready {
        type Output = Rc<()>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Rc<()>> {
            std::task::Poll::Ready(Rc::new(()))
        }
    }
    run(async {
        let promise = spawn(Ready(PanicsOnDrop("destructor")));
        assert_eq!(message(promise.await), "destructor");
    });
}

#[test]
fn destructors_that_panic_do_not_keep_the_scheduler_from_ending() {
    let kept: RefCell<Vec<Promise<()>>> = RefCell::default();
    run(async {
        for _ in 0..3 {
            kept.borrow_mut().push(spawn(async {
                let _guard = PanicsOnDrop("destructor");
                pending::<()>().await;
            }));
        }
        yield_now().await;
    });
    for promise in kept.take() {
        assert_eq!(message(run(promise)), "destructor");
    }
}

#[test]
fn a_value_whose_destructor_panics_does_so_where_the_promise_is_dropped() {
    run(async {
        let promise = spawn(async { PanicsOnDrop("value") });
        yield_now().await;
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(promise)));
        assert_eq!(*dropped.unwrap_err().downcast::<String>().unwrap(), "value");
        assert_eq!(stats().alive, 1);
    });
}

#[test]
fn a_value_that_nobody_can_see_is_dropped_even_if_that_panics() {
    run(async {
        let own: Rc<RefCell<Option<Promise<PanicsOnDrop>>>> = Rc::default();
        let promise = spawn({
            let own = own.clone();
            async move {
                drop(own.take());
                PanicsOnDrop("value")
            }
        });
        own.replace(Some(promise));
        yield_now().await;
        assert_eq!(stats().alive, 1);
    });
}

#[test]
fn a_hook_that_panics_is_removed() {
    let trace = Trace::default();
    run(async {
        let hook = Hook::add({
            let trace = trace.clone();
            move || {
                trace.add("hook");
                panic!("on purpose");
            }
        });
        for _ in 0..3 {
            sleep(std::time::Duration::from_micros(1)).await;
        }
        drop(hook);
    });
    trace.assert(&["hook"]);
}

#[test]
#[should_panic(expected = "a promise was polled after it had given its result")]
fn a_promise_gives_its_result_once() {
    run(async {
        let mut promise = spawn(async {});
        (&mut promise).await.unwrap();
        let _ = promise.await;
    });
}
