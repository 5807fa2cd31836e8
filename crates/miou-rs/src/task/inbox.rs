//! What other threads have to say to a scheduler.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

use concurrent_queue::ConcurrentQueue;

/// A queue from any thread to the scheduler's, which may sleep.
///
/// A sender pushes and then looks whether the scheduler sleeps; the scheduler
/// says that it sleeps and then looks whether the queue is empty. With a
/// sequentially consistent fence between the two steps on either side, at
/// least one of them sees what the other did, so no message is slept over.
pub(crate) struct Inbox<T> {
    messages: ConcurrentQueue<T>,
    sleeping: AtomicBool,
}

impl<T> Inbox<T> {
    /// An empty, open inbox whose owner is awake.
    pub(crate) fn new() -> Self {
        Self {
            messages: ConcurrentQueue::unbounded(),
            sleeping: AtomicBool::new(false),
        }
    }

    /// Sends a message. Says whether the owner sleeps and is now to be woken,
    /// which one sender at most is told for each sleep.
    ///
    /// # Errors
    ///
    /// The message comes back if the inbox is closed.
    pub(crate) fn push(&self, message: T) -> Result<bool, T> {
        self.messages
            .push(message)
            .map_err(|error| error.into_inner())?;
        fence(Ordering::SeqCst);
        Ok(self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::Relaxed))
    }

    /// The next message (owner).
    pub(crate) fn pop(&self) -> Option<T> {
        self.messages.pop().ok()
    }

    /// Whether there is no message (owner).
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The owner is about to sleep: `false` if it must not, because there is a
    /// message. After `true`, whoever sends wakes it.
    pub(crate) fn begin_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.messages.is_empty() {
            return true;
        }
        self.end_sleep();
        false
    }

    /// The owner is awake again.
    pub(crate) fn end_sleep(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Refuses all further messages; those sent before can still be taken.
    pub(crate) fn close(&self) {
        self.messages.close();
    }
}

#[cfg(all(test, loom))]
mod models;
