//! Every interleaving of a scheduler and other threads, by loom.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p miou-rs --release --lib
//! --no-default-features models`.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

use super::Inbox;
use crate::task::state::{RemoteState, State, Survivors};

/// All interleavings with at most three preemptions (CHESS: nearly all faults
/// show with two).
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// What an event source's notifier and `wait` do: a notification made before
/// the wait ends it too.
#[derive(Default)]
struct Bell(loom::sync::Mutex<bool>, loom::sync::Condvar);

impl Bell {
    fn ring(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.0.lock().unwrap();
        while !*rung {
            rung = self.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// A message is never slept over: loom reports a deadlock if it can be.
#[test]
fn no_message_is_slept_over() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let bell = Arc::new(Bell::default());
        let sender = {
            let (inbox, bell) = (inbox.clone(), bell.clone());
            thread::spawn(move || {
                for number in 0..2 {
                    if inbox.push(number).expect("it is open") {
                        bell.ring();
                    }
                }
            })
        };
        let mut received = 0;
        while received < 2 {
            while inbox.pop().is_some() {
                received += 1;
            }
            if received < 2 && inbox.begin_sleep() {
                bell.wait();
                inbox.end_sleep();
            }
        }
        sender.join().unwrap();
    });
}

/// Who finds a message on its way sends none, and what it wrote before is seen
/// by the poll that the one on its way leads to.
#[test]
fn a_wake_that_sends_no_message_is_seen() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let remote = Arc::new(RemoteState::new(true));
        let written = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers: Vec<_> = (0..2)
            .map(|number| {
                let (inbox, remote, written) = (inbox.clone(), remote.clone(), written.clone());
                thread::spawn(move || {
                    written[number].store(true, Ordering::Relaxed);
                    if remote.raise() {
                        inbox.push(()).expect("it is open");
                    }
                })
            })
            .collect();
        for waker in wakers {
            waker.join().unwrap();
        }
        // The last poll, after the last message, sees both.
        let mut seen = [false, false];
        while inbox.pop().is_some() {
            remote.lower();
            seen = [0, 1].map(|number: usize| written[number].load(Ordering::Relaxed));
        }
        assert_eq!(seen, [true, true]);
    });
}

/// The same while the owner takes messages.
#[test]
fn a_wake_while_the_owner_looks_is_seen() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let remote = Arc::new(RemoteState::new(false));
        let written = Arc::new(AtomicU32::new(0));
        let waker = {
            let (inbox, remote, written) = (inbox.clone(), remote.clone(), written.clone());
            thread::spawn(move || {
                for number in 1..=2 {
                    written.store(number, Ordering::Relaxed);
                    if remote.raise() {
                        inbox.push(()).expect("it is open");
                    }
                }
            })
        };
        let poll = || {
            let mut seen = 0;
            while inbox.pop().is_some() {
                remote.lower();
                seen = written.load(Ordering::Relaxed);
            }
            seen
        };
        let early = poll();
        waker.join().unwrap();
        let late = poll();
        assert_eq!(early.max(late), 2);
    });
}

/// What a message says, as `scheduler::Message`.
enum Said {
    Wake,
    Drop,
}

/// The word for all threads carries a flag and a count: wakes and clones made
/// at once lose neither, and the owner frees the task only after the last.
#[test]
fn clones_and_wakes_from_elsewhere_are_counted_apart() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let remote = Arc::new(RemoteState::new(true));
        // A waker for each thread, made by the owner, whose task has ended.
        let state = State::new(0);
        // Written by whoever frees: loom reports an access that is concurrent.
        let memory = Arc::new(UnsafeCell::new(()));
        let threads: Vec<_> = (0..2)
            .map(|number| {
                state.add(&remote);
                let (inbox, remote, memory) = (inbox.clone(), remote.clone(), memory.clone());
                thread::spawn(move || {
                    memory.with(|_| ());
                    let wakes = number == 0;
                    if wakes && remote.raise() {
                        // `wake_by_ref`: the message is a reference of its own.
                        remote.add(1);
                        let _ = inbox.push(Said::Wake);
                    } else {
                        // A clone, dropped.
                        remote.add(1);
                        let _ = inbox.push(Said::Drop);
                    }
                    let _ = inbox.push(Said::Drop);
                })
            })
            .collect();
        let mut freed = 0;
        let mut look = || {
            while let Some(said) = inbox.pop() {
                if matches!(said, Said::Wake) {
                    remote.lower();
                }
                state.subtract(&remote);
                if state.is_unreferenced(&remote) {
                    memory.with_mut(|_| freed += 1);
                }
            }
        };
        look();
        for thread in threads {
            thread.join().unwrap();
        }
        look();
        assert_eq!(freed, 1);
        assert!(remote.is_lone() && remote.raise());
    });
}

/// Gives a reference back as `waker::drop_severed` does.
fn give_back(remote: &RemoteState, survivors: &Survivors, page: &UnsafeCell<u32>) {
    if remote.give_back() && survivors.give_back() {
        // SAFETY: in the model, `with_mut` reports what is not alone.
        page.with_mut(|freed| unsafe { *freed += 1 });
    }
}

/// The end of a scheduler: of the references on both sides each is given back
/// once, and the last of the page's tasks, wherever that is, frees the page.
#[test]
fn a_reference_sent_while_the_inbox_closes_is_given_back_once() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        // Two tasks in a page, with one waker each.
        let tasks = Arc::new([RemoteState::new(false), RemoteState::new(false)]);
        let survivors = Arc::new(Survivors::none());
        let page = Arc::new(UnsafeCell::new(0));
        let droppers: Vec<_> = (0..2)
            .map(|number| {
                let (inbox, tasks) = (inbox.clone(), tasks.clone());
                let (survivors, page) = (survivors.clone(), page.clone());
                thread::spawn(move || {
                    page.with(|_| ());
                    if inbox.push(number).is_err() {
                        give_back(&tasks[number], &survivors, &page);
                    }
                })
            })
            .collect();
        survivors.set(2);
        for remote in tasks.iter() {
            State::new(0).move_to(remote, 1);
        }
        inbox.close();
        while let Some(number) = inbox.pop() {
            give_back(&tasks[number], &survivors, &page);
        }
        for dropper in droppers {
            dropper.join().unwrap();
        }
        // SAFETY: in the model, `with` reports what is not alone.
        assert_eq!(page.with(|freed| unsafe { *freed }), 1);
    });
}

/// The same for two references to one task.
#[test]
fn the_last_reference_to_a_task_is_found_once() {
    model(|| {
        let inbox = Arc::new(Inbox::new());
        let task = Arc::new(RemoteState::new(false));
        let survivors = Arc::new(Survivors::none());
        let page = Arc::new(UnsafeCell::new(0));
        let droppers: Vec<_> = (0..2)
            .map(|_| {
                let (inbox, task) = (inbox.clone(), task.clone());
                let (survivors, page) = (survivors.clone(), page.clone());
                thread::spawn(move || {
                    page.with(|_| ());
                    if inbox.push(()).is_err() {
                        give_back(&task, &survivors, &page);
                    }
                })
            })
            .collect();
        survivors.set(1);
        State::new(0).move_to(&task, 2);
        inbox.close();
        while inbox.pop().is_some() {
            give_back(&task, &survivors, &page);
        }
        for dropper in droppers {
            dropper.join().unwrap();
        }
        // SAFETY: in the model, `with` reports what is not alone.
        assert_eq!(page.with(|freed| unsafe { *freed }), 1);
    });
}
