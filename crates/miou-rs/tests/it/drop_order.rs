use std::future::pending;

use miou_rs::{Orphans, spawn, timeout, yield_now};

use crate::{Trace, run};

/// Waits for ever, and says so when dropped.
fn waits(trace: &Trace, name: &str) -> miou_rs::Promise<()> {
    let guard = trace.on_drop(name);
    spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    })
}

#[test]
fn the_children_that_a_task_still_holds_are_gone_before_its_result_is_seen() {
    let trace = Trace::default();
    run(async {
        let parent = spawn({
            let trace = trace.clone();
            async move {
                let _child = waits(&trace, "child");
                yield_now().await;
                trace.add("parent returns");
            }
        });
        parent.await.unwrap();
        trace.add("result seen");
    });
    trace.assert(&["parent returns", "child", "result seen"]);
}

#[test]
fn children_in_orphans_are_gone_too() {
    let trace = Trace::default();
    run(async {
        let parent = spawn({
            let trace = trace.clone();
            async move {
                let mut orphans = Orphans::new();
                let guard = trace.on_drop("orphan");
                orphans.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                yield_now().await;
                orphans.len()
            }
        });
        assert_eq!(parent.await.unwrap(), 1);
        trace.add("result seen");
    });
    trace.assert(&["orphan", "result seen"]);
}

#[test]
fn a_task_is_dropped_where_its_promise_is_in_the_order_of_the_locals() {
    let trace = Trace::default();
    run(async {
        let parent = spawn({
            let trace = trace.clone();
            async move {
                let _first = trace.on_drop("first local");
                let _child = waits(&trace, "child");
                let _last = trace.on_drop("last local");
                yield_now().await;
            }
        });
        parent.await.unwrap();
    });
    trace.assert(&["last local", "child", "first local"]);
}

#[test]
fn a_child_that_is_returned_is_the_parent_s_no_longer() {
    let trace = Trace::default();
    run(async {
        let parent = spawn({
            let trace = trace.clone();
            // Not awaited: that is the point.
            #[allow(clippy::async_yields_async)]
            async move {
                let child = waits(&trace, "child");
                yield_now().await;
                child
            }
        });
        let child = parent.await.unwrap();
        trace.add("parent ended");
        yield_now().await;
        drop(child);
        trace.add("child dropped");
    });
    trace.assert(&["parent ended", "child", "child dropped"]);
}

#[test]
fn when_the_time_is_over_the_children_are_gone_before_that_is_told() {
    let trace = Trace::default();
    run(async {
        let result = timeout(std::time::Duration::from_secs(1), async {
            let _child = waits(&trace, "child");
            pending::<()>().await;
        })
        .await;
        assert!(result.is_err());
        trace.add("elapsed");
    });
    trace.assert(&["child", "elapsed"]);
}

#[test]
fn the_main_task_s_children_are_dropped_before_run_returns() {
    let trace = Trace::default();
    run(async {
        let _child = waits(&trace, "child");
        yield_now().await;
        trace.add("main returns");
    });
    trace.add("run returned");
    trace.assert(&["main returns", "child", "run returned"]);
}

#[test]
fn a_value_that_was_not_awaited_is_dropped_with_the_promise() {
    let trace = Trace::default();
    run(async {
        let guard = trace.on_drop("value");
        let promise = spawn(async move { guard });
        yield_now().await;
        trace.add("ended");
        drop(promise);
        trace.add("promise dropped");
    });
    trace.assert(&["ended", "value", "promise dropped"]);
}

#[test]
fn the_future_of_a_task_is_dropped_when_it_ends_not_when_it_is_awaited() {
    struct Future(#[allow(dead_code)] super::OnDrop);
    impl std::future::Future for Future {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            std::task::Poll::Ready(())
        }
    }
    let trace = Trace::default();
    run(async {
        let promise = spawn(Future(trace.on_drop("future")));
        yield_now().await;
        trace.add("awaits");
        promise.await.unwrap();
    });
    trace.assert(&["future", "awaits"]);
}
