//! The rules of the scheduler, one file each.
//!
//! Everything but `host` runs in virtual time. `Trace` is what most assert: the
//! order in which things happened.

/// Promises dropped and cancelled.
mod cancellation;
/// `both`, `await_all`, `await_first`, `await_one`.
mod combinators;
/// Seeds.
mod deterministic;
/// What is dropped when.
mod drop_order;
/// Every task has its turn.
mod fairness;
/// Hooks and what they see.
mod hooks;
/// Sockets and threads.
#[cfg(all(feature = "host", not(miri)))]
mod host;
/// What `hyper` asks for.
#[cfg(feature = "hyper")]
mod hyper;
/// Counters, task lists, hogs.
mod inspection;
/// Tasks of all sizes, and what stays of them.
mod memory;
/// `Orphans`.
mod orphans;
/// What becomes of a panic.
mod panics;
/// Tasks from other threads.
#[cfg(feature = "remote")]
mod remote;
/// Who runs when, and when the scheduler looks for events.
mod scheduling;
/// What events cannot do to the rest.
mod starvation;
/// What is re-exported works here.
#[cfg(feature = "sync")]
mod sync;
/// `sleep`, `interval`, `timeout`.
mod timers;
/// Wakers beyond their task, their scheduler and their thread.
mod wakers;

use std::cell::RefCell;
use std::rc::Rc;

use miou_rs::{Builder, VirtualClock};

/// Runs a future in virtual time.
fn run<F: Future>(future: F) -> F::Output {
    Builder::new().run_with(VirtualClock::new(), future)
}

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn add(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// Adds `what` when the value returned is dropped.
    fn on_drop(&self, what: impl Into<String>) -> OnDrop {
        OnDrop(self.clone(), what.into())
    }

    #[track_caller]
    fn assert(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }

    /// What has happened since this was last called.
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

struct OnDrop(Trace, String);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.add(self.1.clone());
    }
}
