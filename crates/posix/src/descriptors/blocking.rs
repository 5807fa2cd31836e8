//! Calls that wait: what descriptions do without waiting is tried again when something has happened.

use core::task::{Context, Poll};
use core::time::Duration;

use miou_rs::Instant;

use super::open::{Description, Open};
use super::process;
use super::timer::Time;
use crate::error::{Errno, Result};
use crate::readiness::queue::Place;
use crate::readiness::{ALL, Events};
use crate::signals::Interruption;
use crate::slice;
use crate::wait::{give_way, wait_until};

/// So many calls that might have waited may return in a row before others have their turn: or a program that asks again
/// and again would never hear of what they bring.
const RESTLESS: u32 = 32;

/// How a call waits.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// What reports say that it waits for.
    pub(crate) what: &'static str,
    pub(crate) events: Events,
    pub(crate) waits: bool,
    pub(crate) limit: Option<Duration>,
}

/// Does `work`, as soon as it need not wait if `manner` says that it may.
///
/// # Errors
///
/// `EAGAIN` if it may not, or not for so long; those of `work`.
pub(crate) fn call<T>(
    open: &Open,
    manner: Manner,
    mut work: impl FnMut(&dyn Description) -> Result<T>,
) -> Result<T> {
    let description = open.description();
    match work(description) {
        Err(Errno::AGAIN) if manner.waits => {}
        Err(error) => {
            // Also where there is no descriptor for a connection: who is told so asks again at once, as a rule.
            has_not_waited();
            return Err(error);
        }
        done => {
            // The console and files, which never wait, do not count: a task may ask for a lock that is held around one.
            if description.queue().is_some() {
                slice::has_succeeded();
            }
            return done;
        }
    }
    let Some(queue) = description.queue() else {
        return Err(Errno::AGAIN);
    };
    let mut place = Place::new(queue);
    let deadline = manner.limit.map(|limit| now() + limit);
    let interruption = Interruption::unless_restarted();
    let outcome = wait(manner.what, deadline, |context| {
        // First a place, so that what `work` itself brings about is not missed.
        place.wait(manner.events, context.waker());
        match work(description) {
            Err(Errno::AGAIN) => pending_unless(interruption),
            result => Poll::Ready(result),
        }
    });
    outcome.unwrap_or(Err(Errno::AGAIN))
}

/// Waits on, unless a handler of signals has run.
pub(crate) fn pending_unless<T>(interruption: Interruption) -> Poll<Result<T>> {
    match interruption.check() {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// The monotonic clock's time.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// As a timer has it.
pub(crate) fn time(instant: Instant) -> Time {
    Duration::from_nanos(instant.as_nanos())
}

/// Waits until `poll` is ready, until `deadline` at most, and rings timers meanwhile.
pub(crate) fn wait<T>(
    what: &'static str,
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    process::with(|process| process.restless.set(0));
    loop {
        let Some(timers) = process::with(|process| process.timers.get().cloned()) else {
            return wait_until(what, deadline, poll);
        };
        timers.ring(time(now()));
        let first = timers.next();
        let rings = first.map(|at| Instant::from_nanos(nanos(at)));
        let until = deadline.into_iter().chain(rings).min();
        let mut changes = Place::new(&timers.changes);
        let outcome = wait_until(what, until, |context| match poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if timers.next() != first => Poll::Ready(None),
            Poll::Pending => {
                changes.wait(ALL, context.waker());
                Poll::Pending
            }
        });
        match outcome {
            Some(Some(value)) => return Some(value),
            None if deadline.is_some_and(|deadline| deadline <= now()) => {
                timers.ring(time(now()));
                return match poll(&mut Context::from_waker(core::task::Waker::noop())) {
                    Poll::Ready(value) => Some(value),
                    Poll::Pending => None,
                };
            }
            _ => {}
        }
    }
}

fn nanos(time: Time) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A call returns that might have waited, or that has failed and will be tried again: now and then others have their turn
/// first.
pub(crate) fn has_not_waited() {
    let is_due = process::with(|process| {
        let times = process.restless.get() + 1;
        process.restless.set(times % RESTLESS);
        times == RESTLESS
    });
    if is_due {
        give_way();
    }
}

#[cfg(test)]
mod tests;
