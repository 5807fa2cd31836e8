//! Tasks from other threads, on the scheduler's side. See [`crate::remote`].

use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use slab::Slab;

use super::Local;
use crate::remote::{End, Info, Runnable};
use crate::task::TaskRef;
use crate::{Promise, scheduler};

/// The orphans of the scheduler itself: a stand-in for each task from another
/// thread that has come here.
#[derive(Default)]
pub(super) struct Remotes {
    entries: RefCell<Slab<Entry>>,
}

struct Entry {
    /// The stand-in; `None` only while it is made.
    promise: Option<Promise<()>>,
    /// The task, when it is to be polled.
    runnable: Option<Runnable>,
}

impl Remotes {
    /// Gives up the stand-ins, whose futures are gone.
    pub(super) fn clear(&self) {
        let entries = self.entries.take();
        drop(entries);
    }

    fn take_runnable(&self, key: usize) -> Option<Runnable> {
        self.entries.borrow_mut().get_mut(key)?.runnable.take()
    }
}

impl Local {
    /// Has a task from another thread polled when its turn comes.
    pub(crate) fn run_remote(&self, runnable: Runnable) {
        if self.ending.get() {
            // Drops the future, which closes the task.
            drop(runnable);
            return;
        }
        let info = runnable.metadata().clone();
        let key = match info.key() {
            Some(key) => key,
            None => self.stand_in_for(&runnable, info),
        };
        let stand_in = {
            let mut entries = self.remotes.entries.borrow_mut();
            entries.get_mut(key).and_then(|entry| {
                entry.runnable = Some(runnable);
                entry.promise.as_ref().map(Promise::task)
            })
        };
        if let Some(task) = stand_in {
            self.wake(task);
        }
    }

    /// Spawns a stand-in, and gives its key.
    fn stand_in_for(&self, runnable: &Runnable, info: Arc<Info>) -> usize {
        let key = self.remotes.entries.borrow_mut().insert(Entry {
            promise: None,
            runnable: None,
        });
        info.set_key(key);
        let (name, location) = (info.name.clone(), info.location);
        let stand_in = StandIn {
            key,
            waker: runnable.waker(),
            info,
        };
        let promise = Promise::spawn(self, stand_in, name, location, 0);
        let mut entries = self.remotes.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(key) {
            entry.promise = Some(promise);
        }
        key
    }

    /// Has the task that is being polled end as one that was cancelled.
    fn cancel_stand_in(&self, key: usize) {
        let task: Option<TaskRef> = {
            let entries = self.remotes.entries.borrow();
            let promise = entries.get(key).and_then(|entry| entry.promise.as_ref());
            promise.map(Promise::task)
        };
        if let Some(task) = task {
            self.cancel(task);
        }
    }
}

/// The future of a stand-in: it polls the task from another thread when that is
/// to be polled, and ends when that has ended.
struct StandIn {
    key: usize,
    waker: Waker,
    info: Arc<Info>,
}

impl Future for StandIn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        scheduler::with(|local| {
            // What the task wakes while it runs is itself: then it is sent
            // here again, and this is woken in its own poll, as if it yielded.
            if let Some(runnable) = local.remotes.take_runnable(self.key) {
                runnable.run();
            }
            match self.info.end() {
                End::None => Poll::Pending,
                End::Finished => Poll::Ready(()),
                End::Panicked => {
                    let panicked = &local.counters.panicked;
                    panicked.set(panicked.get() + 1);
                    Poll::Ready(())
                }
                End::Cancelled => {
                    local.cancel_stand_in(self.key);
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        scheduler::try_with(|local| {
            let entry = local.remotes.entries.borrow_mut().try_remove(self.key);
            // The runnable, if there is one, drops the future of a task that
            // was to be polled; else the task is woken and comes as a
            // runnable, which `run_remote` drops, as the scheduler ends. One
            // that has ended is not sent any more.
            drop(entry);
            self.waker.wake_by_ref();
        });
    }
}
