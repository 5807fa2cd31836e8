use std::cell::{Cell, RefCell};
use std::num::NonZero;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use miou_rs::{Builder, Instant, VirtualClock, sleep, sleep_until, spawn, spawn_driver, yield_now};

/// A task that an event wakes, and that then keeps another awake, which keeps
/// it awake: neither ever leaves the event lane.
fn ping_pong(turns: Rc<Cell<u64>>) -> [miou_rs::Promise<()>; 2] {
    let wakers: Rc<RefCell<[Option<Waker>; 2]>> = Rc::default();
    [0, 1].map(|me| {
        let (wakers, turns) = (wakers.clone(), turns.clone());
        spawn(async move {
            sleep(Duration::from_micros(1)).await;
            std::future::poll_fn(|context| {
                turns.set(turns.get() + 1);
                let mut wakers = wakers.borrow_mut();
                wakers[me] = Some(context.waker().clone());
                if let Some(other) = &wakers[1 - me] {
                    other.wake_by_ref();
                }
                Poll::<()>::Pending
            })
            .await;
        })
    })
}

#[test]
fn event_tasks_that_never_rest_leave_one_poll_in_seventeen_to_the_others() {
    let turns = Rc::new(Cell::new(0));
    Builder::new().run_with(VirtualClock::new(), async {
        let _event_tasks = ping_pong(turns.clone());
        // Woken by the same event: time stands still from then on.
        sleep(Duration::from_micros(1)).await;
        let mut before = turns.get();
        for round in 0..100 {
            yield_now().await;
            let between = turns.get() - before;
            before = turns.get();
            assert!(between <= 16, "round {round}: {between}");
        }
        assert!(turns.get() > 1_000, "{}", turns.get());
    });
}

#[test]
fn a_driver_that_yields_and_those_it_wakes_run_before_tasks_that_yielded() {
    let trace = Rc::new(RefCell::new(Vec::new()));
    Builder::new().run_with(VirtualClock::new(), async {
        let [for_service, for_driver]: [Rc<RefCell<Option<Waker>>>; 2] = Default::default();
        let _busy: Vec<_> = (0..10)
            .map(|_| {
                spawn(async {
                    loop {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let (served, service_waker, driver_waker) =
            (trace.clone(), for_service.clone(), for_driver.clone());
        let _service = spawn(std::future::poll_fn(move |context| {
            served.borrow_mut().push("service");
            *service_waker.borrow_mut() = Some(context.waker().clone());
            // An ordinary task wakes the driver, the first time.
            if let Some(waker) = driver_waker.take() {
                waker.wake();
            }
            Poll::<()>::Pending
        }));
        let driven = trace.clone();
        let driver = spawn_driver("driver", async move {
            std::future::poll_fn(|context| {
                if for_service.borrow().is_some() {
                    return Poll::Ready(());
                }
                *for_driver.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
            for _ in 0..3 {
                driven.borrow_mut().push("driver");
                for_service.borrow().iter().for_each(Waker::wake_by_ref);
                yield_now().await;
            }
        });
        yield_now().await;
        trace.borrow_mut().push("main");
        driver.await.unwrap();
    });
    let expected = [
        "service", "driver", "service", "driver", "service", "driver", "service", "main",
    ];
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn the_bound_can_be_set() {
    let turns = Rc::new(Cell::new(0));
    Builder::new()
        .event_bound(NonZero::new(3).unwrap())
        .run_with(VirtualClock::new(), async {
            let _event_tasks = ping_pong(turns.clone());
            sleep(Duration::from_micros(1)).await;
            yield_now().await;
            for _ in 0..10 {
                let before = turns.get();
                yield_now().await;
                assert_eq!(turns.get() - before, 3);
            }
        });
}

#[test]
fn events_are_seen_while_event_tasks_never_rest() {
    let turns = Rc::new(Cell::new(0));
    let clock = VirtualClock::new();
    Builder::new().run_with(clock.clone(), async {
        let _event_tasks = ping_pong(turns.clone());
        let _time = spawn(async move {
            loop {
                clock.advance(Duration::from_micros(3));
                yield_now().await;
            }
        });
        let due = Instant::now() + Duration::from_micros(if cfg!(miri) { 50 } else { 1_000 });
        sleep_until(due).await;
        // The quantum, a poll of 3 µs, and the tasks ahead, which take no time.
        assert!(
            due.elapsed() <= Duration::from_micros(13),
            "{:?}",
            due.elapsed()
        );
    });
}

#[test]
fn tasks_that_yield_without_end_do_not_keep_timers_from_firing() {
    let clock = VirtualClock::new();
    Builder::new().run_with(clock.clone(), async {
        let tasks = if cfg!(miri) { 20 } else { 1_000 };
        let _busy: Vec<_> = (0..tasks)
            .map(|_| {
                let clock = clock.clone();
                spawn(async move {
                    loop {
                        clock.advance(Duration::from_micros(5));
                        yield_now().await;
                    }
                })
            })
            .collect();
        // Polled once they all have been: 5 ms.
        yield_now().await;
        for _ in 0..if cfg!(miri) { 5 } else { 100 } {
            let due = Instant::now() + Duration::from_micros(50);
            sleep_until(due).await;
            assert!(
                due.elapsed() <= Duration::from_micros(15),
                "{:?}",
                due.elapsed()
            );
        }
    });
}
