use std::future::pending;
use std::time::Duration;

use miou_rs::{Care, Orphans, sleep, spawn, stats, yield_now};

use crate::{Trace, run};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn care_tells_none_left_from_none_finished() {
    run(async {
        let mut orphans = Orphans::new();
        assert!(matches!(orphans.care(), Care::Empty));
        orphans.spawn(async { 1 });
        assert!(matches!(orphans.care(), Care::Pending));
        yield_now().await;
        let Care::Finished(result) = orphans.care() else {
            panic!("it has finished");
        };
        assert_eq!(result.unwrap(), 1);
        assert!(matches!(orphans.care(), Care::Empty));
    });
}

#[test]
fn care_gives_results_in_the_order_in_which_tasks_ended() {
    run(async {
        let mut orphans = Orphans::new();
        for millis in [30, 10, 20] {
            orphans.spawn(async move {
                sleep(ms(millis)).await;
                millis
            });
        }
        sleep(ms(100)).await;
        let mut results = Vec::new();
        while let Care::Finished(result) = orphans.care() {
            results.push(result.unwrap());
        }
        assert_eq!(results, [10, 20, 30]);
    });
}

#[test]
fn next_waits_for_a_task_to_end() {
    run(async {
        let mut orphans = Orphans::new();
        for millis in [30, 10, 20] {
            orphans.spawn(async move {
                sleep(ms(millis)).await;
                millis
            });
        }
        let mut results = Vec::new();
        while let Some(result) = orphans.next().await {
            results.push(result.unwrap());
        }
        assert_eq!(results, [10, 20, 30]);
        assert!(orphans.next().await.is_none());
    });
}

#[test]
fn next_can_be_given_up_without_losing_a_result() {
    run(async {
        let mut orphans = Orphans::new();
        orphans.spawn(async {
            sleep(ms(10)).await;
            1
        });
        let given_up = miou_rs::timeout(ms(5), orphans.next()).await;
        assert!(given_up.is_err());
        assert_eq!(orphans.next().await.unwrap().unwrap(), 1);
    });
}

#[test]
fn dropping_the_set_cancels_what_remains() {
    let trace = Trace::default();
    run(async {
        let mut orphans = Orphans::new();
        for number in 0..3 {
            let guard = trace.on_drop(format!("{number}"));
            orphans.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        yield_now().await;
        assert_eq!(stats().alive, 4);
        drop(orphans);
        assert_eq!(stats().alive, 1);
    });
    trace.assert(&["0", "1", "2"]);
}

#[test]
fn a_task_that_is_taken_out_is_not_the_set_s_any_more() {
    run(async {
        let mut orphans = Orphans::new();
        orphans.spawn(async { 1 });
        orphans.spawn(async { 2 });
        assert_eq!(orphans.len(), 2);
        let taken = orphans.take().unwrap();
        assert_eq!(orphans.len(), 1);
        let taken = taken.await.unwrap();
        let left = orphans.next().await.unwrap().unwrap();
        assert_eq!(taken + left, 3);
        assert!(orphans.is_empty());
        assert!(orphans.take().is_none());
    });
}

#[test]
fn a_task_that_was_taken_out_and_then_ended_is_not_mistaken_for_its_successor() {
    run(async {
        let mut orphans = Orphans::new();
        orphans.spawn(async { 1 });
        let taken = orphans.take().unwrap();
        // In the place of the one that was taken out.
        orphans.spawn(async {
            sleep(ms(1)).await;
            2
        });
        assert_eq!(taken.await.unwrap(), 1);
        assert!(matches!(orphans.care(), Care::Pending));
        assert_eq!(orphans.next().await.unwrap().unwrap(), 2);
    });
}

#[test]
fn a_panic_is_a_result() {
    run(async {
        let mut orphans = Orphans::new();
        orphans.spawn(async { panic!("on purpose") });
        let result: Result<(), _> = orphans.next().await.unwrap();
        assert!(result.unwrap_err().is_panicked());
    });
}

#[test]
fn an_accept_loop_cares_for_its_connections() {
    const CONNECTIONS: usize = if cfg!(miri) { 30 } else { 1_000 };
    run(async {
        let mut connections = Orphans::new();
        let mut served = 0;
        for _ in 0..CONNECTIONS {
            sleep(ms(1)).await;
            connections.spawn(sleep(ms(10)));
            while let Care::Finished(result) = connections.care() {
                result.unwrap();
                served += 1;
            }
            assert!(connections.len() <= 11, "{}", connections.len());
        }
        while let Some(result) = connections.next().await {
            result.unwrap();
            served += 1;
        }
        assert_eq!(served, CONNECTIONS);
    });
}

#[test]
fn a_set_may_be_cared_for_by_another_task() {
    run(async {
        let mut orphans = Orphans::new();
        orphans.spawn(async { 1 });
        let carer = spawn(async move { orphans.next().await.unwrap().unwrap() });
        assert_eq!(carer.await.unwrap(), 1);
    });
}

#[test]
fn orphans_are_a_stream_of_results() {
    use futures_lite::StreamExt;

    let results: Vec<_> = run(async {
        let mut orphans = Orphans::new();
        for number in 0..3 {
            orphans.spawn(async move {
                sleep(Duration::from_millis(3 - number)).await;
                number
            });
        }
        let stream = &mut orphans;
        let results = StreamExt::map(stream, |result| result.unwrap())
            .collect()
            .await;
        assert!(orphans.is_empty());
        results
    });
    assert_eq!(results, [2, 1, 0]);
}

#[test]
fn a_stream_of_orphans_gives_at_least_as_many_results_as_there_are_tasks() {
    use futures_lite::Stream;

    run(async {
        let mut orphans = Orphans::new();
        for tasks in 0..3 {
            assert_eq!(Stream::size_hint(&orphans), (tasks, None));
            orphans.spawn(pending::<()>());
        }
    });
}
