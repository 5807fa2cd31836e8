//! A clock that moves only when told to, for tests.

use core::cell::{Cell, RefCell};
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::{Deadlock, EventSource, Instant};

/// An event source in virtual time.
///
/// Time stands still while tasks run, unless one says with
/// [`advance`](VirtualClock::advance) that it computes; when every task waits,
/// the clock jumps to the next timer or event. So an hour of sleeping takes no
/// time, and two runs of the same program are the same run.
///
/// Clones share one clock.
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, Instant, VirtualClock, sleep};
///
/// let clock = VirtualClock::new();
/// Builder::new().run_with(clock.clone(), async {
///     sleep(Duration::from_secs(3600)).await;
///     assert_eq!(Instant::now(), Instant::ZERO + Duration::from_secs(3600));
/// });
/// ```
#[derive(Clone, Default)]
pub struct VirtualClock {
    inner: Rc<Inner>,
}

type Event = Box<dyn FnOnce()>;

#[derive(Default)]
struct Inner {
    now: Cell<Instant>,
    sequence: Cell<u64>,
    /// By time, then in the order in which they were scheduled.
    events: RefCell<BTreeMap<(Instant, u64), Event>>,
}

impl VirtualClock {
    /// A clock at [`Instant::ZERO`] with no event scheduled.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the clock shows.
    pub fn now(&self) -> Instant {
        self.inner.now.get()
    }

    /// Moves the clock by `duration`: what a task calls in place of computing
    /// for so long. Events that become due are found at the next tick.
    pub fn advance(&self, duration: Duration) {
        self.inner.now.set(self.inner.now.get() + duration);
    }

    /// Has `event` happen at `at`: it is called by the first poll at or after
    /// that time, and what it wakes is woken by an event.
    pub fn schedule(&self, at: Instant, event: impl FnOnce() + 'static) {
        let sequence = self.inner.sequence.get();
        self.inner.sequence.set(sequence + 1);
        self.inner
            .events
            .borrow_mut()
            .insert((at, sequence), Box::new(event));
    }

    fn next_event(&self) -> Option<Instant> {
        self.inner
            .events
            .borrow()
            .first_key_value()
            .map(|((at, _), _)| *at)
    }
}

impl core::fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VirtualClock")
            .field("now", &self.now())
            .field("next_event", &self.next_event())
            .finish_non_exhaustive()
    }
}

impl EventSource for VirtualClock {
    fn now(&self) -> Instant {
        self.inner.now.get()
    }

    fn poll(&self) -> usize {
        // What is due now, and not what an event schedules for now: so the
        // loop ends.
        let due = {
            let mut events = self.inner.events.borrow_mut();
            let later = events.split_off(&(self.inner.now.get(), u64::MAX));
            core::mem::replace(&mut *events, later)
        };
        let count = due.len();
        for event in due.into_values() {
            event();
        }
        count
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<usize, Deadlock> {
        let until = match (deadline, self.next_event()) {
            (Some(deadline), Some(event)) => deadline.min(event),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => return Err(Deadlock),
        };
        self.inner.now.set(self.inner.now.get().max(until));
        Ok(self.poll())
    }

    fn is_real_time(&self) -> bool {
        false
    }
}
