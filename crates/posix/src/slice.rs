//! Slices of time: nothing interrupts a thread, but one that has run for a while without waiting gives way in calls that a loop
//! makes anyway, such as a look at the clock. Or a worker whose tasks are always ready would hold up all others for ever.
//!
//! It does so only where it runs code of the program's: never in a task, nor below
//! [`scheduler::inside`](crate::scheduler::inside), and so nowhere where this crate or one that it calls may have borrowed
//! something.

use core::cell::Cell;

use miou_rs::Instant;

use crate::scheduler::inside;
use crate::thread;
use crate::wait::give_way;

/// How long one is, in nanoseconds.
const LENGTH: u64 = 1_000_000;
/// One in so many calls of descriptors looks at the clock.
const MANY: u32 = 64;

global! {
    /// When the slice of the thread that runs is over: 0 until it first looks at the clock, and never where no thread runs.
    static END: Cell<u64> = Cell::new(u64::MAX);
    /// Calls of descriptors that have succeeded at once.
    static CALLS: Cell<u32> = Cell::new(0);
}

/// A thread goes on.
pub(crate) fn begin() {
    END.with(|end| end.set(0));
}

/// It is suspended.
pub(crate) fn end() {
    END.with(|end| end.set(u64::MAX));
}

/// The monotonic clock shows `now`, in nanoseconds, to whoever runs: gives way if that is a thread whose slice is over.
pub(crate) fn shown(now: u64) {
    if now >= END.with(Cell::get) {
        is_over(now);
    }
}

/// Or has not begun.
#[cold]
fn is_over(now: u64) {
    if thread::current().is_none_or(|thread| thread.inside()) {
        return;
    }
    match END.with(Cell::get) {
        0 => END.with(|end| end.set(now.saturating_add(LENGTH))),
        _ => give_way(),
    }
}

/// A call has succeeded that might have had to wait.
pub(crate) fn has_succeeded() {
    CALLS.with(|calls| calls.set(calls.get().saturating_add(1)));
}

/// A call is over: who makes many gives way as who looks at the clock.
pub(crate) fn catch_up() {
    if were_many() {
        shown(inside(Instant::now).as_nanos());
    }
}

fn were_many() -> bool {
    let many = CALLS.with(Cell::get) >= MANY;
    if many {
        CALLS.with(|calls| calls.set(0));
    }
    many
}

#[cfg(test)]
mod tests;
