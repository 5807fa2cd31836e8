use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_lite::future::block_on;
use miou_rs::{
    Aborted, Builder, Deadlock, EventSource, Instant, Notifier, Remote, RemotePromise, TaskState,
    VirtualClock, spawn, stats, tasks, testing, yield_now,
};

use crate::run;

/// An event source for which other threads are the only events.
#[derive(Default)]
struct Threads {
    bell: Arc<(Mutex<bool>, Condvar)>,
}

impl EventSource for Threads {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn poll(&self) -> usize {
        0
    }

    fn wait(&self, _deadline: Option<Instant>) -> Result<usize, Deadlock> {
        let (rung, wakes) = &*self.bell;
        let rung = rung.lock().unwrap();
        let mut rung = wakes.wait_while(rung, |rung| !*rung).unwrap();
        *rung = false;
        Ok(0)
    }

    fn notifier(&self) -> Option<Notifier> {
        let bell = self.bell.clone();
        Some(Arc::new(move || {
            *bell.0.lock().unwrap() = true;
            bell.1.notify_one();
        }))
    }

    fn is_real_time(&self) -> bool {
        false
    }
}

/// Runs `other` on another thread, with the scheduler of this one, which sleeps
/// until it has something to do; gives its result.
fn beside<R: Send + 'static>(other: impl FnOnce(Remote) -> R + Send + 'static) -> R {
    /// Also when `other` panics.
    struct Ended(Arc<AtomicBool>, Waker);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
            self.1.wake_by_ref();
        }
    }
    let (ended, mut other, mut thread) = (Arc::default(), Some(other), None);
    Builder::new().run_with(
        Threads::default(),
        poll_fn(|context| {
            if let Some(other) = other.take() {
                let (remote, ended) = (
                    Remote::current(),
                    Ended(Arc::clone(&ended), context.waker().clone()),
                );
                thread = Some(thread::spawn(move || {
                    let _ended = ended;
                    other(remote)
                }));
            }
            if ended.load(Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }),
    );
    thread.unwrap().join().unwrap()
}

/// Counts drops, and notes the thread of the last.
#[derive(Clone, Default)]
struct Drops(Arc<(AtomicUsize, Mutex<Option<ThreadId>>)>);

struct CountsDrop(Drops);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        let Drops(drops) = &self.0;
        drops.0.fetch_add(1, Ordering::SeqCst);
        *drops.1.lock().unwrap() = Some(thread::current().id());
    }
}

impl Drops {
    fn guard(&self) -> CountsDrop {
        CountsDrop(self.clone())
    }

    fn count(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn thread(&self) -> Option<ThreadId> {
        *self.0.1.lock().unwrap()
    }
}

/// A task that waits for ever, once it does.
fn waiting(remote: &Remote, drops: &Drops) -> RemotePromise<()> {
    let (begun, begins) = mpsc::channel();
    let guard = drops.guard();
    let promise = remote.spawn(async move {
        let _guard = guard;
        begun.send(()).unwrap();
        pending().await
    });
    begins.recv().unwrap();
    promise
}

#[test]
fn a_task_from_another_thread_runs_on_the_schedulers() {
    let here = thread::current().id();
    let ran_on = beside(|remote| {
        let promise = remote.spawn(async {
            yield_now().await;
            // There the scheduler is found.
            assert_eq!(stats().alive, 2);
            thread::current().id()
        });
        block_on(promise).unwrap()
    });
    assert_eq!(ran_on, here);
}

#[test]
fn many_threads_spawn_wake_cancel_and_drop_at_once() {
    let (threads, rounds) = if cfg!(miri) { (3, 4) } else { (4, 100) };
    let drops = Drops::default();
    let counted = drops.clone();
    beside(move |remote| {
        let threads: Vec<_> = (0..threads)
            .map(|_| {
                let (remote, drops) = (remote.clone(), counted.clone());
                thread::spawn(move || {
                    for round in 0..rounds {
                        let (give, waker) = mpsc::channel::<Waker>();
                        let (guard, mut polls) = (drops.guard(), 0);
                        let promise = remote.spawn(async move {
                            let _guard = guard;
                            yield_now().await;
                            poll_fn(|context| {
                                polls += 1;
                                let _ = give.send(context.waker().clone());
                                if polls > 3 {
                                    Poll::Ready(polls)
                                } else {
                                    Poll::Pending
                                }
                            })
                            .await
                        });
                        match round % 4 {
                            0 => drop(promise),
                            1 => drop(block_on(promise.cancel())),
                            _ => {
                                let waking = thread::spawn(move || {
                                    waker.iter().for_each(Waker::wake);
                                });
                                assert!(block_on(promise).unwrap() > 3);
                                waking.join().unwrap();
                            }
                        }
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // Behind all that were cancelled.
        block_on(remote.spawn(async {})).unwrap();
    });
    assert_eq!(drops.count(), threads * rounds);
}

#[test]
fn a_panic_reaches_who_awaits_and_nobody_else() {
    let message = beside(|remote| {
        let promise = remote.spawn(async {
            yield_now().await;
            panic!("of the task");
        });
        let aborted = block_on(promise).unwrap_err();
        block_on(remote.spawn(async {
            assert_eq!(stats().panicked, 1);
        }))
        .unwrap();
        aborted.into_panic().unwrap().message().to_owned()
    });
    assert_eq!(message, "of the task");
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("of the destructor");
    }
}

#[test]
fn a_destructor_that_panics_tells_who_awaits() {
    let message = |aborted: Aborted| aborted.into_panic().unwrap().message().to_owned();
    let messages = beside(move |remote| {
        // When the task has its value, and when it is cancelled.
        let promise = remote.spawn(async {
            let _guard = PanicsOnDrop;
        });
        let first = block_on(promise).unwrap_err();
        let (begun, begins) = mpsc::channel();
        let promise = remote.spawn(async move {
            let _guard = PanicsOnDrop;
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        begins.recv().unwrap();
        let second = block_on(promise.cancel()).unwrap_err();
        [first, second].map(message)
    });
    assert_eq!(messages, ["of the destructor"; 2]);
}

#[test]
fn a_task_that_is_cancelled_is_dropped_on_the_schedulers_thread() {
    let here = thread::current().id();
    beside(move |remote| {
        let drops = Drops::default();
        let aborted = block_on(waiting(&remote, &drops).cancel()).unwrap_err();
        assert!(aborted.is_cancelled());
        assert_eq!((drops.count(), drops.thread()), (1, Some(here)));
        drop(waiting(&remote, &drops));
        block_on(remote.spawn(async {
            // The two above, and none of the two that are there.
            assert_eq!((stats().cancelled, stats().alive), (2, 2));
        }))
        .unwrap();
        assert_eq!((drops.count(), drops.thread()), (2, Some(here)));
    });
}

#[test]
fn a_value_that_was_there_before_the_task_was_cancelled_is_given() {
    beside(|remote| {
        let promise = remote.spawn(async { 42 });
        while !promise.is_finished() {
            thread::yield_now();
        }
        assert_eq!(block_on(promise.cancel()).unwrap(), 42);
    });
}

#[test]
fn the_end_of_the_scheduler_cancels_all_wherever_they_are() {
    let drops = Drops::default();
    let (give, given) = mpsc::channel();
    let other = {
        let drops = drops.clone();
        thread::spawn(move || {
            let (remote, end): (Remote, Waker) = given.recv().unwrap();
            // One waits, one is to be polled, and one comes when no one looks
            // any more.
            let mut promises = vec![waiting(&remote, &drops)];
            let (stop, stopped) = mpsc::channel::<()>();
            let busy = remote.spawn(async move {
                // Holds the scheduler, so that what comes now stays unread.
                let _ = stopped.recv();
                end.wake();
            });
            let guard = drops.guard();
            promises.push(remote.spawn(async move {
                let _guard = guard;
                pending().await
            }));
            drop(stop);
            block_on(busy).unwrap();
            for promise in promises {
                assert!(block_on(promise).unwrap_err().is_cancelled());
            }
            // It is gone, or nearly.
            let guard = drops.guard();
            let late = remote.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            assert!(block_on(late).unwrap_err().is_cancelled());
        })
    };
    Builder::new().run_with(Threads::default(), async {
        let mut polls = 0;
        poll_fn(|context| {
            if polls == 0 {
                give.send((Remote::current(), context.waker().clone()))
                    .unwrap();
            }
            polls += 1;
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    });
    other.join().unwrap();
    assert_eq!(drops.count(), 3);
}

#[test]
fn a_task_that_came_too_late_to_be_looked_at_is_dropped_as_the_others_are() {
    /// Needs the scheduler when it is dropped.
    struct Spawns;
    impl Drop for Spawns {
        fn drop(&mut self) {
            drop(spawn(async {}));
        }
    }
    let mut promise = None;
    run(async {
        let remote = Remote::current();
        let thread = thread::spawn(move || {
            let guard = Spawns;
            remote.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            })
        });
        // Its message is read at the next tick, which does not come.
        promise = Some(thread.join().unwrap());
    });
    let aborted = block_on(promise.unwrap()).unwrap_err();
    assert!(aborted.is_cancelled(), "{aborted}");
}

#[test]
fn what_is_spawned_after_the_scheduler_has_ended_is_cancelled() {
    let (remote, promise) = run(async {
        let remote = Remote::current();
        (remote.clone(), remote.spawn(pending::<()>()))
    });
    assert!(block_on(promise).unwrap_err().is_cancelled());
    let drops = Drops::default();
    let guard = drops.guard();
    let promise = remote.spawn(async move { drop(guard) });
    assert_eq!(drops.count(), 1);
    assert!(block_on(promise.cancel()).unwrap_err().is_cancelled());
}

#[test]
fn wakers_of_a_task_may_outlive_it_and_its_scheduler() {
    let (give, given) = mpsc::channel::<Waker>();
    run(async {
        let _promise = Remote::current().spawn(poll_fn(move |context| {
            give.send(context.waker().clone()).unwrap();
            Poll::<()>::Pending
        }));
        yield_now().await;
    });
    let waker = given.recv().unwrap();
    thread::spawn(move || {
        let clone = waker.clone();
        waker.wake();
        clone.wake_by_ref();
    })
    .join()
    .unwrap();
}

#[test]
fn tasks_have_their_turns_with_the_schedulers_own() {
    let trace = Arc::new(Mutex::new(Vec::new()));
    run(async {
        let remote = Remote::current();
        let add = |what: String| trace.lock().unwrap().push(what);
        let [a, c] = ["a", "c"].map(|name| {
            let trace = trace.clone();
            let task = async move {
                for round in 1..=2 {
                    trace.lock().unwrap().push(format!("{name}{round}"));
                    yield_now().await;
                }
            };
            (name, task)
        });
        let a = remote.spawn(a.1);
        let b = spawn({
            let trace = trace.clone();
            async move {
                for round in 1..=2 {
                    trace.lock().unwrap().push(format!("b{round}"));
                    yield_now().await;
                }
            }
        });
        let c = remote.spawn(c.1);
        add("main".into());
        a.await.unwrap();
        b.await.unwrap();
        c.await.unwrap();
    });
    let expected = ["main", "a1", "b1", "c1", "a2", "b2", "c2"];
    assert_eq!(*trace.lock().unwrap(), expected);
}

#[test]
fn a_task_from_another_thread_goes_before_those_that_yield() {
    let trace = Arc::new(Mutex::new(Vec::new()));
    // The scheduler looks for events after each poll.
    let builder = Builder::new().quantum(Duration::ZERO);
    builder.run_with(VirtualClock::new(), async {
        let busy = (0..3).map(|number| {
            let (trace, remote) = (trace.clone(), Remote::current());
            spawn(async move {
                let mut promise = None;
                for round in 0..2 {
                    trace.lock().unwrap().push(format!("busy {number}"));
                    if number == 0 && round == 0 {
                        let (trace, remote) = (trace.clone(), remote.clone());
                        let thread = thread::spawn(move || {
                            remote.spawn(async move {
                                trace.lock().unwrap().push("remote".into());
                            })
                        });
                        promise = Some(thread.join().unwrap());
                    }
                    yield_now().await;
                }
                drop(promise);
            })
        });
        miou_rs::await_all(busy).await;
    });
    let expected = ["busy 0", "remote", "busy 1", "busy 2"];
    assert_eq!(trace.lock().unwrap()[..4], expected);
}

#[test]
fn tasks_are_listed_and_counted_as_others_are() {
    run(async {
        let remote = Remote::current();
        let named = remote.spawn_named("from afar", pending::<()>());
        yield_now().await;
        let listed = tasks();
        let info = listed
            .iter()
            .find(|task| task.name.as_deref() == Some("from afar"))
            .unwrap();
        assert_eq!(info.state, TaskState::Waiting);
        assert!(info.location.file().ends_with("remote.rs"));
        assert_eq!((stats().spawned, stats().alive), (2, 2));
        assert!(named.cancel().await.unwrap_err().is_cancelled());
        assert_eq!((stats().cancelled, stats().alive), (1, 1));
        remote.spawn(async {}).await.unwrap();
        assert_eq!((stats().completed, stats().alive), (1, 1));
    });
}

#[test]
fn every_order_of_tasks_gives_the_same_results() {
    testing::explore(0..if cfg!(miri) { 3 } else { 100 }, |seed| {
        Builder::new()
            .seed(seed)
            .run_with(VirtualClock::new(), async {
                let remote = Remote::current();
                let promises: Vec<_> = (0..5)
                    .map(|number| {
                        remote.spawn(async move {
                            yield_now().await;
                            number
                        })
                    })
                    .collect();
                let mut sum = 0;
                for promise in promises {
                    sum += promise.await.unwrap();
                }
                assert_eq!(sum, 10);
                assert_eq!(stats().alive, 1);
            });
    });
}
