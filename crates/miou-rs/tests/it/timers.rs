use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use miou_rs::{
    Builder, Elapsed, Instant, VirtualClock, interval, sleep, sleep_until, spawn, stats, timeout,
    yield_now,
};

use crate::{Trace, run};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    let trace = Trace::default();
    run(async {
        let promises: Vec<_> = [300, 1, 70_000, 2, 100]
            .map(|millis| {
                let trace = trace.clone();
                spawn(async move {
                    sleep(ms(millis)).await;
                    trace.add(format!("{millis} at {:?}", Instant::now()));
                })
            })
            .into();
        miou_rs::await_all(promises).await;
    });
    trace.assert(&[
        "1 at 1ms",
        "2 at 2ms",
        "100 at 100ms",
        "300 at 300ms",
        "70000 at 70s",
    ]);
}

#[test]
fn the_difference_of_instants_is_what_has_passed_and_never_less_than_nothing() {
    let [early, late] = [3, 10].map(|millis| Instant::ZERO + ms(millis));
    assert_eq!((late - early, early - late), (ms(7), Duration::ZERO));
}

#[test]
fn sleeps_with_the_same_deadline_end_in_the_order_in_which_they_began() {
    let trace = Trace::default();
    let deadline = Instant::ZERO + ms(500);
    run(async {
        let mut promises = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let trace = trace.clone();
            promises.push(spawn(async move {
                sleep_until(deadline).await;
                trace.add(name);
            }));
            // Each is set at another time, and so comes from another place.
            sleep(ms(120)).await;
        }
        miou_rs::await_all(promises).await;
    });
    trace.assert(&["a", "b", "c", "d"]);
}

#[test]
fn a_sleep_of_no_time_ends_at_once() {
    run(async {
        sleep(Duration::ZERO).await;
        sleep_until(Instant::ZERO).await;
        assert_eq!(Instant::now(), Instant::ZERO);
        assert_eq!(stats().timers, 0);
    });
}

#[test]
fn a_sleep_without_end_is_not_in_the_way() {
    run(async {
        let _never = spawn(sleep_until(Instant::FAR_FUTURE));
        let _long = spawn(sleep(Duration::MAX));
        sleep(ms(1)).await;
        assert_eq!(Instant::now(), Instant::ZERO + ms(1));
    });
}

#[test]
fn a_sleep_counts_from_where_it_was_made() {
    run(async {
        let early = sleep(ms(10));
        sleep(ms(8)).await;
        early.await;
        assert_eq!(Instant::now(), Instant::ZERO + ms(10));
    });
}

#[test]
fn a_sleep_can_be_set_anew() {
    run(async {
        let mut again = sleep(ms(10));
        assert!(timeout(ms(5), &mut again).await.is_err());
        again.reset(Instant::ZERO + ms(7));
        (&mut again).await;
        assert_eq!(Instant::now(), Instant::ZERO + ms(7));
        again.reset(Instant::ZERO + ms(9));
        again.await;
        assert_eq!(Instant::now(), Instant::ZERO + ms(9));
    });
}

#[test]
fn a_dropped_sleep_leaves_nothing() {
    run(async {
        let sleeps: Vec<_> = (1..=500)
            .map(|n| Box::pin(timeout(Duration::from_secs(n), pending::<()>())))
            .collect();
        let all = spawn(futures_like::poll_once(sleeps));
        yield_now().await;
        assert_eq!(stats().timers, 500);
        drop(all);
        assert_eq!(stats().timers, 0);
    });
}

mod futures_like {
    use std::pin::Pin;

    /// Polls each once, and then waits for ever.
    pub(super) async fn poll_once<F: Future>(mut futures: Vec<Pin<Box<F>>>) {
        std::future::poll_fn(|context| {
            for future in &mut futures {
                assert!(future.as_mut().poll(context).is_pending());
            }
            std::task::Poll::<()>::Pending
        })
        .await;
    }
}

#[test]
fn a_timeout_gives_the_result_in_time() {
    run(async {
        let in_time = timeout(ms(10), async {
            sleep(ms(5)).await;
            1
        });
        assert_eq!(in_time.await, Ok(1));
        assert_eq!(stats().timers, 0);
        assert_eq!(timeout(ms(10), pending::<()>()).await, Err(Elapsed));
        assert_eq!(Instant::now(), Instant::ZERO + ms(15));
    });
}

#[test]
fn a_result_at_the_last_moment_counts() {
    run(async {
        assert_eq!(timeout(ms(10), sleep(ms(10))).await, Ok(()));
        assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
    });
}

#[test]
fn an_interval_ticks_at_multiples_of_its_period() {
    run(async {
        let mut interval = interval(ms(10));
        for n in 1..=5 {
            let due = interval.tick().await;
            assert_eq!(due, Instant::ZERO + ms(10 * n));
            assert_eq!(Instant::now(), due);
        }
    });
}

#[test]
fn an_interval_leaves_out_the_ticks_that_were_missed() {
    run(async {
        let mut interval = interval(ms(10));
        sleep(ms(35)).await;
        assert_eq!(interval.tick().await, Instant::ZERO + ms(10));
        assert_eq!(Instant::now(), Instant::ZERO + ms(35));
        assert_eq!(interval.tick().await, Instant::ZERO + ms(40));
        assert_eq!(Instant::now(), Instant::ZERO + ms(40));
    });
}

#[test]
#[should_panic(expected = "the period of an interval is zero")]
fn an_interval_has_a_period() {
    run(async { drop(interval(Duration::ZERO)) });
}

#[test]
fn timers_fire_to_the_nanosecond() {
    let clock = VirtualClock::new();
    let woken = Rc::new(Cell::new(0));
    Builder::new().run_with(clock.clone(), async {
        let promises: Vec<_> = (1..100_u64)
            .map(|nanos| {
                let woken = woken.clone();
                spawn(async move {
                    sleep(Duration::from_nanos(nanos)).await;
                    assert_eq!(Instant::now().as_nanos(), nanos);
                    woken.set(woken.get() + 1);
                })
            })
            .collect();
        miou_rs::await_all(promises).await;
    });
    assert_eq!(woken.get(), 99);
}

#[test]
fn a_sleep_may_outlive_its_scheduler_and_go_on_in_another() {
    let [mut sleeping] = run(async {
        let mut sleeping = Box::pin(sleep(ms(100)));
        assert!(timeout(ms(1), &mut sleeping).await.is_err());
        [sleeping]
    });
    run(async {
        sleeping.as_mut().await;
        assert_eq!(Instant::now(), Instant::ZERO + ms(100));
    });
    drop(sleeping);
}

#[test]
fn an_interval_is_a_stream_of_its_ticks() {
    use futures_lite::StreamExt;

    let ticks: Vec<_> = run(async {
        let interval = interval(Duration::from_micros(7));
        interval.take(3).collect().await
    });
    assert_eq!(ticks, [7_000, 14_000, 21_000].map(Instant::from_nanos));
}
