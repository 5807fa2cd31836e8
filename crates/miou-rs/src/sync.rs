//! Sharing between tasks.
//!
//! `Mutex`, `RwLock`, `Semaphore`, `Barrier` and `OnceCell` are those of
//! [`async_lock`], the channels those of [`async_channel`]; only [`Condition`],
//! which goes with the mutex and which `async_lock` lacks, is written here, on
//! the [`event_listener`] that both are built on. All of them also work across
//! threads, and with any executor.

pub use async_channel::{Receiver, Sender, bounded};
pub use async_lock::{
    Barrier, Mutex, MutexGuard, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
    SemaphoreGuard,
};

use event_listener::{Event, listener};

/// A condition variable for [`Mutex`].
///
/// ```
/// use std::rc::Rc;
/// use miou_rs::sync::{Condition, Mutex};
/// use miou_rs::{Builder, VirtualClock, spawn};
///
/// Builder::new().run_with(VirtualClock::new(), async {
///     let shared = Rc::new((Mutex::new(false), Condition::new()));
///     let waiting = spawn({
///         let shared = shared.clone();
///         async move {
///             let (ready, condition) = &*shared;
///             let mut guard = ready.lock().await;
///             while !*guard {
///                 guard = condition.wait(guard).await;
///             }
///         }
///     });
///     let (ready, condition) = &*shared;
///     *ready.lock().await = true;
///     condition.signal();
///     waiting.await.unwrap();
/// });
/// ```
#[derive(Debug, Default)]
pub struct Condition {
    event: Event,
}

impl Condition {
    /// A condition that nobody waits for.
    pub const fn new() -> Self {
        Self {
            event: Event::new(),
        }
    }

    /// Unlocks the mutex, waits for a signal, and locks it again.
    ///
    /// A signal sent after this has unlocked the mutex is not missed. One that
    /// reached a waiter that is dropped before it has the lock again goes to
    /// the next waiter if that did not run since, and is lost otherwise: as
    /// with any condition variable, what is waited for is to be checked in a
    /// loop.
    pub async fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = MutexGuard::source(&guard);
        listener!(self.event => listener);
        drop(guard);
        listener.await;
        mutex.lock().await
    }

    /// Wakes one of those who wait, the one that has waited longest.
    pub fn signal(&self) {
        // Additional: two signals wake two waiters even before the first runs.
        self.event.notify_additional(1);
    }

    /// Wakes all who wait.
    pub fn broadcast(&self) {
        self.event.notify_additional(usize::MAX);
    }
}
