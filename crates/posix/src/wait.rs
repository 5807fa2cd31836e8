//! Waiting: what every function that blocks comes down to.

use core::mem;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use miou_rs::{Instant, sleep_until};

use crate::scheduler::{self, inside};
use crate::thread::{self, Thread};
use crate::{report, signals};

/// Has the thread wait until `poll` is ready; other threads and tasks run meanwhile. `what` is what reports say that it waits
/// for, as in "waits for a connection".
///
/// `poll` is called on the thread's stack, with thread-local variables that are the scheduler's: it may call whatever a task
/// may. As a future's, it has the waker woken when it is worth while to call it again.
///
/// In a task there is nothing to switch to: what is not ready at once ends the program with a report.
pub(crate) fn wait<T>(what: &'static str, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    wait_for((what, 0), poll)
}

/// As [`wait`], until `deadline` at most: `None` when it has passed. A result that is there by then counts.
///
/// Others have their turn in any case: one that has passed already is found only afterwards, or a program that asks again and
/// again would hold up all that could change the answer.
pub(crate) fn wait_until<T>(
    what: &'static str,
    deadline: Option<Instant>,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    wait_for_until((what, 0), deadline, poll)
}

/// As [`wait_until`]; reports name also which of them it waits for: an address, or the number of a thread.
pub(crate) fn wait_for_until<T>(
    what: (&'static str, usize),
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let Some(deadline) = deadline else {
        return Some(wait_for(what, poll));
    };
    inside(|| {
        if thread::current().is_none() {
            return alone(poll, deadline);
        }
        let mut timer = pin!(sleep_until(deadline));
        let mut has_waited = false;
        wait_for(what, |context| {
            if let Poll::Ready(value) = poll(context) {
                return Poll::Ready(Some(value));
            }
            let has_passed = timer.as_mut().poll(context).is_ready();
            match (has_passed, mem::replace(&mut has_waited, true)) {
                (true, true) => return Poll::Ready(None),
                (true, false) => context.waker().wake_by_ref(),
                (false, _) => {}
            }
            Poll::Pending
        })
    })
}

/// As [`wait`], and as [`wait_for_until`] without a deadline.
pub(crate) fn wait_for<T>(
    what: (&'static str, usize),
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> T {
    wait_and(signals::deliver, what, poll)
}

/// As [`wait`], without handlers of signals, which run when the call returns to the program: for what others wait for too,
/// that this thread alone can end. A handler that asked for it would wait for itself.
pub(crate) fn wait_undisturbed<T>(
    what: &'static str,
    poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> T {
    wait_and(|_| {}, (what, 0), poll)
}

/// As [`wait_for`]; calls `then` whenever the thread goes on.
fn wait_and<T>(
    then: fn(&Thread),
    what: (&'static str, usize),
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> T {
    let Some(thread) = thread::current() else {
        match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => return value,
            Poll::Pending => report::waits_in_a_task(what),
        }
    };
    inside(|| {
        loop {
            if let Poll::Ready(value) = poll(&mut Context::from_waker(thread.waker())) {
                return value;
            }
            thread.waits.set(Some(what));
            thread.suspend();
            while report::is_wanted() {
                report::callers_of(|context| drop(poll(context)));
                thread.suspend();
            }
            thread.waits.set(None);
            then(thread);
        }
    })
}

/// Where there is no thread to suspend, waiting holds everything up, so that nothing but time can pass.
fn alone<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>, deadline: Instant) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    if let Poll::Ready(value) = poll(&mut context) {
        return Some(value);
    }
    scheduler::hold_up_until(deadline);
    match poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Lets the threads and tasks that are ready run first.
pub(crate) fn give_way() {
    if thread::current().is_none() {
        return;
    }
    let mut yielded = false;
    wait("its turn", |context| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
}

#[cfg(test)]
mod tests;
