use std::rc::Rc;
use std::time::Duration;

use miou_rs::sync::{Condition, Mutex, OnceCell, Semaphore, bounded};
use miou_rs::{Instant, await_all, sleep, spawn, yield_now};

use crate::{Trace, run};

#[test]
fn a_mutex_is_held_by_one_task_at_a_time() {
    run(async {
        let shared = Rc::new(Mutex::new(0));
        let tasks = (0..10).map(|_| {
            let shared = shared.clone();
            spawn(async move {
                let mut guard = shared.lock().await;
                let seen = *guard;
                yield_now().await;
                *guard = seen + 1;
            })
        });
        await_all(tasks).await;
        assert_eq!(*shared.lock().await, 10);
    });
}

#[test]
fn a_signal_wakes_one_and_a_broadcast_all() {
    let trace = Trace::default();
    run(async {
        let shared = Rc::new((Mutex::new(0), Condition::new()));
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let (shared, trace) = (shared.clone(), trace.clone());
                spawn(async move {
                    let (turns, condition) = &*shared;
                    let mut guard = turns.lock().await;
                    while *guard == 0 {
                        guard = condition.wait(guard).await;
                    }
                    *guard -= 1;
                    trace.add(format!("{number}"));
                })
            })
            .collect();
        let (turns, condition) = &*shared;
        sleep(Duration::from_millis(1)).await;
        *turns.lock().await = 1;
        condition.signal();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(trace.take(), ["0"]);
        *turns.lock().await = 2;
        condition.broadcast();
        await_all(tasks).await;
        assert_eq!(trace.take(), ["1", "2"]);
    });
}

#[test]
fn a_semaphore_lets_so_many_in() {
    run(async {
        let semaphore = Rc::new(Semaphore::new(2));
        let tasks = (0..6).map(|_| {
            let semaphore = semaphore.clone();
            spawn(async move {
                let _permit = semaphore.acquire().await;
                sleep(Duration::from_millis(10)).await;
            })
        });
        await_all(tasks).await;
        assert_eq!(Instant::now().as_nanos(), 30_000_000);
    });
}

#[test]
fn a_bounded_channel_holds_its_sender_back() {
    let trace = Trace::default();
    run(async {
        let (sender, receiver) = bounded(2);
        let sending = spawn({
            let trace = trace.clone();
            async move {
                for number in 0..4 {
                    sender.send(number).await.unwrap();
                    trace.add(format!("sent {number}"));
                }
            }
        });
        sleep(Duration::from_millis(1)).await;
        assert_eq!(trace.take(), ["sent 0", "sent 1"]);
        let mut received = Vec::new();
        while let Ok(number) = receiver.recv().await {
            received.push(number);
        }
        sending.await.unwrap();
        assert_eq!(received, [0, 1, 2, 3]);
    });
}

#[test]
fn a_cell_is_filled_once() {
    run(async {
        let cell = Rc::new(OnceCell::new());
        let tasks = (0..3).map(|number| {
            let cell = cell.clone();
            spawn(async move {
                *cell
                    .get_or_init(|| async {
                        sleep(Duration::from_millis(1)).await;
                        number
                    })
                    .await
            })
        });
        for result in await_all(tasks).await {
            assert_eq!(result.unwrap(), 0);
        }
    });
}
