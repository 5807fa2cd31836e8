use std::cell::RefCell;
use std::rc::Rc;

use miou_rs::{Builder, VirtualClock, spawn, yield_now};

use crate::run;

/// `tasks` tasks yield `rounds` times; gives the number of the task at each
/// poll.
async fn polls(tasks: usize, rounds: usize) -> Vec<usize> {
    let polls = Rc::new(RefCell::new(Vec::new()));
    let promises: Vec<_> = (0..tasks)
        .map(|number| {
            let polls = polls.clone();
            spawn(async move {
                for _ in 0..rounds {
                    polls.borrow_mut().push(number);
                    yield_now().await;
                }
            })
        })
        .collect();
    miou_rs::await_all(promises).await;
    polls.take()
}

#[test]
fn of_many_tasks_that_yield_each_is_polled_once_a_round() {
    let polls = run(polls(100, if cfg!(miri) { 2 } else { 10 }));
    let round: Vec<_> = (0..100).collect();
    for polled in polls.chunks(100) {
        assert_eq!(polled, round);
    }
}

#[test]
fn two_tasks_alternate() {
    assert_eq!(run(polls(2, 3)), [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_task_that_spawns_without_end_does_not_keep_others_from_running() {
    run(async {
        let spawning = spawn(async {
            fn again(left: u32) -> miou_rs::Promise<()> {
                spawn(async move {
                    if left > 0 {
                        again(left - 1).await.unwrap();
                    }
                })
            }
            again(200).await.unwrap();
        });
        let mut turns = 0;
        while !spawning.is_finished() {
            turns += 1;
            yield_now().await;
        }
        // One for each that was spawned, and one for each that returned.
        assert!(turns >= 200, "{turns}");
    });
}

#[test]
fn waking_a_task_twice_polls_it_once() {
    let polls = Rc::new(RefCell::new(0));
    run(async {
        let counted = polls.clone();
        let promise = spawn(async move {
            std::future::poll_fn(|context| {
                *counted.borrow_mut() += 1;
                if *counted.borrow() == 1 {
                    context.waker().wake_by_ref();
                    context.waker().wake_by_ref();
                    return std::task::Poll::Pending;
                }
                std::task::Poll::Ready(())
            })
            .await;
        });
        promise.await.unwrap();
        yield_now().await;
    });
    assert_eq!(*polls.borrow(), 2);
}

#[test]
fn with_a_seed_too_every_task_has_its_turns() {
    for seed in 0..if cfg!(miri) { 2 } else { 20 } {
        let polls = Builder::new()
            .seed(seed)
            .run_with(VirtualClock::new(), polls(10, 5));
        for number in 0..10 {
            assert_eq!(polls.iter().filter(|polled| **polled == number).count(), 5);
        }
    }
}
