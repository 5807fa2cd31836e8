//! What `hyper` asks of a runtime: tasks and time. Its connections are the network stack's.
//!
//! ```
//! use hyper::rt::{Executor as _, Timer as _};
//! use miou_rs::hyper::{Executor, Timer};
//! use miou_rs::{Builder, VirtualClock};
//! use std::time::Duration;
//!
//! Builder::new().run_with(VirtualClock::new(), async {
//!     let executor = Executor::default();
//!     executor.execute(async { println!("a stream of HTTP/2") });
//!     Timer::new().sleep(Duration::from_secs(1)).await;
//! });
//! ```

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;
use std::time;

use crate::timer::Alarm;
use crate::{Care, Instant, Orphans};

/// Spawns the tasks that `hyper` asks for, and keeps them: its clones have them together, and when the last
/// one is dropped they are cancelled. A connection should have one of its own.
///
/// A task need not be `Send`. One that panics ends alone.
#[derive(Clone, Default)]
pub struct Executor {
    tasks: Rc<RefCell<Orphans<()>>>,
}

impl Executor {
    /// How many tasks go on.
    pub fn len(&self) -> usize {
        self.forget_finished();
        self.tasks.borrow().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn forget_finished(&self) {
        loop {
            let care = self.tasks.borrow_mut().care();
            // Dropped while nothing is borrowed: the payload of a panic may do anything.
            let Care::Finished(_) = care else { break };
        }
    }
}

impl<F> ::hyper::rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    /// # Panics
    ///
    /// Outside of a scheduler.
    fn execute(&self, future: F) {
        self.forget_finished();
        let task = async move { drop(future.await) };
        self.tasks.borrow_mut().spawn(task);
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").finish_non_exhaustive()
    }
}

/// The scheduler's clock and timers.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    /// The same moment by both clocks.
    standard: time::Instant,
    ours: Instant,
}

impl Timer {
    /// A timer of the scheduler on this thread.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    #[expect(
        clippy::new_without_default,
        reason = "it panics outside of a scheduler"
    )]
    pub fn new() -> Self {
        Self {
            standard: time::Instant::now(),
            ours: Instant::now(),
        }
    }

    fn ours(&self, deadline: time::Instant) -> Instant {
        self.ours + deadline.saturating_duration_since(self.standard)
    }
}

impl ::hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(Alarm::new(Instant::now() + duration)))
    }

    fn sleep_until(&self, deadline: time::Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(Alarm::new(self.ours(deadline))))
    }

    /// The scheduler's time on the standard library's clock.
    fn now(&self) -> time::Instant {
        let passed = Instant::now() - self.ours;
        self.standard.checked_add(passed).unwrap_or(self.standard)
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn ::hyper::rt::Sleep>>, deadline: time::Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().0.reset(self.ours(deadline)),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// `hyper` wants it to be `Send` and `Sync`: on another thread it waits by the scheduler of that.
struct Sleep(Alarm);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll(context)
    }
}

impl ::hyper::rt::Sleep for Sleep {}
