use std::future::pending;
use std::time::Duration;

use miou_rs::{
    Instant, Promise, await_all, await_first, await_one, both, sleep, spawn, stats, yield_now,
};

use crate::{Trace, run};

fn after(millis: u64) -> Promise<u64> {
    spawn(async move {
        sleep(Duration::from_millis(millis)).await;
        millis
    })
}

#[test]
fn both_gives_both_results_whichever_is_first() {
    run(async {
        let (a, b) = both(after(20), spawn(async { "b" })).await;
        assert_eq!((a.unwrap(), b.unwrap()), (20, "b"));
        let (a, b) = both(after(1), spawn(async { panic!("on purpose") })).await;
        assert_eq!(a.unwrap(), 1);
        assert!(b.unwrap_err().is_panicked());
    });
}

#[test]
fn await_all_keeps_the_order_and_waits_for_the_slowest() {
    run(async {
        let results = await_all([after(30), after(10), after(20)]).await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, [30, 10, 20]);
        assert_eq!(Instant::now().as_nanos(), 30_000_000);
        assert!(await_all(Vec::<Promise<()>>::new()).await.is_empty());
    });
}

#[test]
fn await_first_cancels_the_rest_before_it_returns() {
    let trace = Trace::default();
    run(async {
        let slow = |name: &str| {
            let guard = trace.on_drop(name);
            spawn(async move {
                let _guard = guard;
                pending().await
            })
        };
        let first = await_first([slow("a"), after(10), slow("b")]).await;
        trace.add("returned");
        assert_eq!(first.unwrap(), 10);
        assert_eq!(stats().alive, 1);
    });
    trace.assert(&["a", "b", "returned"]);
}

#[test]
fn await_one_gives_back_the_rest() {
    run(async {
        let (first, rest) = await_one([after(30), after(10), after(20)]).await;
        assert_eq!(first.unwrap(), 10);
        let (second, rest) = await_one(rest).await;
        assert_eq!(second.unwrap(), 20);
        let (third, rest) = await_one(rest).await;
        assert_eq!(third.unwrap(), 30);
        assert!(rest.is_empty());
    });
}

#[test]
fn among_those_that_have_ended_one_with_a_value_is_preferred() {
    run(async {
        let promises = [
            spawn(async { panic!("on purpose") }),
            spawn(async { 2 }),
            spawn(async { 3 }),
        ];
        yield_now().await;
        let (first, rest) = await_one(promises).await;
        assert_eq!(first.unwrap(), 2);
        let (first, rest) = await_one(rest).await;
        assert_eq!(first.unwrap(), 3);
        assert!(await_first(rest).await.unwrap_err().is_panicked());
    });
}

#[test]
#[should_panic(expected = "no promise was given to await")]
fn await_first_of_nothing_is_an_error_of_the_program() {
    let _ = run(await_first(Vec::<Promise<()>>::new()));
}

#[test]
fn giving_up_await_first_cancels_all() {
    run(async {
        let both = await_first([after(1_000), after(2_000)]);
        assert!(
            miou_rs::timeout(Duration::from_millis(1), both)
                .await
                .is_err()
        );
        assert_eq!(stats().alive, 1);
    });
}
