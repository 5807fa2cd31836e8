use core::num::NonZero;
use core::time::Duration;

use crate::instant::saturating_nanos;
use crate::scheduler::{self, Hog};
use crate::{EventSource, HogReport};

/// How a scheduler behaves; then runs it.
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, VirtualClock};
///
/// let answer = Builder::new()
///     .quantum(Duration::from_micros(50))
///     .run_with(VirtualClock::new(), async { 42 });
/// assert_eq!(answer, 42);
/// ```
pub struct Builder {
    pub(crate) quantum: Option<Duration>,
    pub(crate) event_bound: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) hog: Option<Hog>,
}

impl Builder {
    /// The default quantum, unless the event source [asks for
    /// another](EventSource::quantum).
    pub const QUANTUM: Duration = Duration::from_micros(10);
    /// The default bound on event tasks in a row.
    pub const EVENT_BOUND: u32 = 16;

    /// The defaults: the event source's quantum, at most 16 event tasks in a row while
    /// others are ready, first in, first out.
    pub fn new() -> Self {
        Self {
            quantum: None,
            event_bound: Self::EVENT_BOUND,
            seed: None,
            hog: None,
        }
    }

    /// For how long tasks may run before the scheduler looks for events. The
    /// clock is read after each poll of a task. Zero: it looks after each poll,
    /// as Miou does.
    #[must_use]
    pub fn quantum(mut self, quantum: Duration) -> Self {
        self.quantum = Some(quantum);
        self
    }

    /// How many event tasks are polled in a row while tasks that merely yielded
    /// are ready; then one of those is.
    #[must_use]
    pub fn event_bound(mut self, polls: NonZero<u32>) -> Self {
        self.event_bound = polls.get();
        self
    }

    /// Takes the next task from each lane of the run queue not in order but by
    /// a choice that this seed determines. With a
    /// [`VirtualClock`](crate::VirtualClock) the same seed gives the same run.
    /// See [`testing`](crate::testing).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Calls `report` after each poll of a task that took `threshold` or
    /// longer.
    #[must_use]
    pub fn on_hog(mut self, threshold: Duration, report: impl Fn(&HogReport) + 'static) -> Self {
        self.hog = Some(Hog {
            threshold_nanos: saturating_nanos(threshold).max(1),
            report: Box::new(report),
        });
        self
    }

    /// Runs `future` and the tasks that it spawns, with events from `source`,
    /// until `future` ends; then cancels the tasks that are left.
    ///
    /// # Panics
    ///
    /// If `future` panics, with its payload; if a scheduler runs on this thread
    /// already; and if every task waits and the source says that nothing can
    /// ever happen.
    #[track_caller]
    pub fn run_with<S, F>(self, source: S, future: F) -> F::Output
    where
        S: EventSource + 'static,
        F: Future,
    {
        scheduler::run(self, Box::new(source), future)
    }

    /// [`run_with`](Builder::run_with) the event source for Linux programs.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the poll descriptors.
    #[cfg(feature = "host")]
    #[track_caller]
    pub fn run<F: Future>(self, future: F) -> std::io::Result<F::Output> {
        let source = crate::host::Host::new()?;
        Ok(self.run_with(source, future))
    }
}

impl core::fmt::Debug for Builder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Builder")
            .field("quantum", &self.quantum)
            .field("event_bound", &self.event_bound)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}
