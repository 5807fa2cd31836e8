use core::fmt;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use crate::{Builder, Instant};

/// Where events come from: the only thing that a scheduler asks of the system
/// it runs on.
///
/// An event source has a monotonic clock and owns the registration of
/// interest: whoever wants to know that a device or a descriptor is ready
/// hands it a [`Waker`](core::task::Waker), by whatever interface the source
/// offers. The scheduler knows only that [`poll`](EventSource::poll) and
/// [`wait`](EventSource::wait) wake the tasks concerned. Wakes made from within
/// these two calls are *event wakes*: the tasks run before those that merely
/// yielded.
///
/// All methods are called on the scheduler's thread, never from within
/// one another.
pub trait EventSource {
    /// The monotonic clock.
    fn now(&self) -> Instant;

    /// Wakes the tasks whose events are there, without waiting. Returns the
    /// number of events.
    ///
    /// Called at each tick, so at most once a quantum while tasks are busy: it
    /// must be cheap when nothing has happened.
    fn poll(&self) -> usize;

    /// Waits for an event, for `deadline`, or for the notifier to be called,
    /// whichever is first, and wakes the tasks whose events are there. Returns
    /// the number of events. Returning early is allowed.
    ///
    /// `None` is no deadline.
    ///
    /// # Errors
    ///
    /// [`Deadlock`] when there is no deadline and the source knows that
    /// nothing can ever happen; the scheduler then panics with the list of the
    /// tasks that wait.
    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock>;

    /// What another thread calls to end a [`wait`](EventSource::wait). `None`
    /// where there are no other threads, as in a unikernel.
    ///
    /// A call made before `wait` begins must end that `wait` too.
    fn notifier(&self) -> Option<Notifier> {
        None
    }

    /// The quantum, where [`Builder::quantum`] sets none: small enough that
    /// events are seen soon, and many times what a [`poll`](EventSource::poll)
    /// takes that finds nothing.
    fn quantum(&self) -> Duration {
        Builder::QUANTUM
    }

    /// Whether the clock moves by itself. A virtual clock says `false`: time
    /// is then read through [`now`](EventSource::now) alone and never through
    /// the CPU's time-stamp counter, so that runs can be repeated exactly.
    fn is_real_time(&self) -> bool {
        true
    }
}

/// Ends the [`EventSource::wait`] of a scheduler from another thread.
pub type Notifier = Arc<dyn Fn() + Send + Sync>;

/// The event source has nothing to wait for: see [`EventSource::wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlock;

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no deadline, and no event can happen")
    }
}

impl core::error::Error for Deadlock {}

impl<S: EventSource + ?Sized> EventSource for Rc<S> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn poll(&self) -> usize {
        (**self).poll()
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        (**self).wait(deadline)
    }

    fn notifier(&self) -> Option<Notifier> {
        (**self).notifier()
    }

    fn quantum(&self) -> Duration {
        (**self).quantum()
    }

    fn is_real_time(&self) -> bool {
        (**self).is_real_time()
    }
}
