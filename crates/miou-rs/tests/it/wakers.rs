use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;

use miou_rs::{Promise, spawn, yield_now};

use crate::run;

/// The waker of a task that waits for ever, with its promise.
async fn waker_of_a_task() -> (Waker, Promise<()>) {
    let waker = Rc::new(Cell::new(None));
    let promise = spawn({
        let waker = waker.clone();
        poll_fn(move |context| {
            waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
    });
    yield_now().await;
    (waker.take().unwrap(), promise)
}

#[test]
fn a_waker_may_outlive_its_task() {
    run(async {
        let (waker, promise) = waker_of_a_task().await;
        drop(promise);
        let clone = waker.clone();
        clone.wake();
        waker.wake_by_ref();
    });
}

#[test]
fn a_waker_may_outlive_its_scheduler() {
    let waker = run(async {
        let (waker, _promise) = waker_of_a_task().await;
        waker
    });
    waker.wake_by_ref();
    let again = waker.clone();
    again.wake();
    assert!(waker.will_wake(&waker.clone()));
}

#[test]
fn a_waker_may_be_used_in_another_scheduler() {
    let waker = run(async {
        let (waker, _promise) = waker_of_a_task().await;
        waker
    });
    run(async move {
        let again = waker.clone();
        waker.wake();
        yield_now().await;
        again.wake_by_ref();
    });
}

#[test]
fn wakers_may_be_cloned_dropped_and_woken_on_any_thread() {
    let rounds = if cfg!(miri) { 3 } else { 200 };
    for _ in 0..rounds {
        let (send, receive) = mpsc::channel::<Waker>();
        let thread = thread::spawn(move || {
            for (number, waker) in receive.iter().enumerate() {
                let clones: Vec<_> = (0..number % 4).map(|_| waker.clone()).collect();
                match number % 3 {
                    0 => waker.wake(),
                    1 => waker.wake_by_ref(),
                    _ => drop(waker),
                }
                for clone in clones {
                    clone.wake_by_ref();
                }
            }
        });
        run(async {
            let promises: RefCell<Vec<Promise<()>>> = RefCell::default();
            for _ in 0..10 {
                let (waker, promise) = waker_of_a_task().await;
                promises.borrow_mut().push(promise);
                for _ in 0..3 {
                    send.send(waker.clone()).unwrap();
                }
                yield_now().await;
            }
            // Some promises go before their wakers, some tasks with the end.
            promises.borrow_mut().truncate(5);
            yield_now().await;
        });
        drop(send);
        thread.join().unwrap();
    }
}

#[test]
fn a_clone_made_elsewhere_may_be_dropped_here() {
    run(async {
        let (waker, promise) = waker_of_a_task().await;
        let (waker, clones) = thread::spawn(move || {
            let clones: Vec<_> = (0..3).map(|_| waker.clone()).collect();
            (waker, clones)
        })
        .join()
        .unwrap();
        drop(waker);
        drop(promise);
        drop(clones);
    });
}

#[test]
fn a_task_may_be_awaited_by_wakers_of_all_kinds() {
    struct Counts(std::sync::atomic::AtomicU32);
    impl std::task::Wake for Counts {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let counts = std::sync::Arc::new(Counts(0.into()));
    run(async {
        let foreign = Waker::from(counts.clone());
        let mut context = std::task::Context::from_waker(&foreign);
        let mut promise = spawn(async { 5 });
        // The waker of this task, then one that is not ours, twice.
        poll_fn(|context| {
            assert!(std::pin::pin!(&mut promise).poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        for _ in 0..2 {
            assert!(std::pin::pin!(&mut promise).poll(&mut context).is_pending());
        }
        yield_now().await;
        assert_eq!(promise.await.unwrap(), 5);
        // And one that is given up while it is registered.
        let mut promise = spawn(pending::<()>());
        assert!(std::pin::pin!(&mut promise).poll(&mut context).is_pending());
        drop(promise);
    });
    assert_eq!(counts.0.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(std::sync::Arc::strong_count(&counts), 1);
}

/// However often a task wakes itself in a poll, by whatever waker and on
/// whatever thread, it is polled again; its own wakes count as one.
#[test]
fn a_task_may_wake_itself_more_than_once() {
    run(async {
        let polls = Rc::new(Cell::new(0));
        let task = spawn({
            let polls = polls.clone();
            poll_fn(move |context| {
                polls.set(polls.get() + 1);
                let waker = context.waker();
                let (clone, other) = (waker.clone(), waker.clone());
                clone.wake();
                waker.wake_by_ref();
                let late = waker.clone();
                late.wake();
                drop(other);
                Poll::<()>::Pending
            })
        });
        for expected in 1..=5 {
            yield_now().await;
            assert_eq!(polls.get(), expected);
        }
        drop(task);
        yield_now().await;
        assert_eq!((polls.get(), miou_rs::stats().alive), (5, 1));
        // Woken, and then ended in the same poll.
        let ends = spawn(poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Ready(7)
        }));
        assert_eq!(ends.await.unwrap(), 7);
        let elsewhere = spawn({
            let mut polled = false;
            poll_fn(move |context| {
                if polled {
                    return Poll::Ready(());
                }
                polled = true;
                let waker = context.waker();
                thread::scope(|scope| {
                    scope.spawn(|| waker.wake_by_ref());
                });
                Poll::Pending
            })
        });
        elsewhere.await.unwrap();
    });
}
