//! Every interleaving of a scheduler and other threads, by loom.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p miou-rs --release --lib
//! --no-default-features models`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

use super::{Inbox, WakeFlag};

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
        let flag = Arc::new(WakeFlag::new());
        let written = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers: Vec<_> = (0..2)
            .map(|number| {
                let (inbox, flag, written) = (inbox.clone(), flag.clone(), written.clone());
                thread::spawn(move || {
                    written[number].store(true, Ordering::Relaxed);
                    if flag.raise() {
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
            flag.lower();
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
        let flag = Arc::new(WakeFlag::new());
        let written = Arc::new(AtomicU32::new(0));
        let waker = {
            let (inbox, flag, written) = (inbox.clone(), flag.clone(), written.clone());
            thread::spawn(move || {
                for number in 1..=2 {
                    written.store(number, Ordering::Relaxed);
                    if flag.raise() {
                        inbox.push(()).expect("it is open");
                    }
                }
            })
        };
        let poll = || {
            let mut seen = 0;
            while inbox.pop().is_some() {
                flag.lower();
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

/// The end of a scheduler: of the references on both sides each is given back
/// once, and the last, wherever it is, frees the task.
#[test]
fn a_reference_sent_while_the_inbox_closes_is_given_back_once() {
    model(|| {
        // As `Header::remote_refs`, which the count of the owner moves into.
        let inbox = Arc::new(Inbox::new());
        let refs = Arc::new(AtomicU32::new(0));
        let freed = Arc::new(AtomicU32::new(0));
        let give_back = |refs: &AtomicU32, freed: &AtomicU32| {
            if refs.fetch_sub(1, Ordering::Release) == 1 {
                freed.fetch_add(1, Ordering::Relaxed);
            }
        };
        let droppers: Vec<_> = (0..2)
            .map(|_| {
                let (inbox, refs, freed) = (inbox.clone(), refs.clone(), freed.clone());
                thread::spawn(move || {
                    if inbox.push(()).is_err() {
                        give_back(&refs, &freed);
                    }
                })
            })
            .collect();
        // Two wakers, made by the owner.
        refs.fetch_add(2, Ordering::AcqRel);
        inbox.close();
        while inbox.pop().is_some() {
            give_back(&refs, &freed);
        }
        for dropper in droppers {
            dropper.join().unwrap();
        }
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    });
}
