//! Slices of time: nothing interrupts a thread, but one that has run for a while without waiting gives way in calls that a loop
//! makes anyway, such as a look at the clock. Or a worker whose tasks are always ready would hold up all others for ever.
//!
//! By a look at the clock it does so only where it runs code of the program's: never in a task, nor below
//! [`scheduler::inside`](crate::scheduler::inside), and so nowhere where this crate or one that it calls may have borrowed
//! something.

use core::cell::Cell;

use miou_rs::Instant;

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
    if thread::current().is_some_and(|thread| !thread.inside()) {
        begin_or_give_way(now);
    }
}

fn begin_or_give_way(now: u64) {
    match END.with(Cell::get) {
        0 => END.with(|end| end.set(now.saturating_add(LENGTH))),
        _ => give_way(),
    }
}

/// A call has succeeded that might have had to wait, where it still may: who makes many gives way as who looks at the clock.
pub(crate) fn has_succeeded() {
    let calls = CALLS.with(|calls| calls.replace(calls.get().wrapping_add(1)));
    if calls.is_multiple_of(MANY) && thread::current().is_some() {
        let now = Instant::now().as_nanos();
        if now >= END.with(Cell::get) {
            begin_or_give_way(now);
        }
    }
}

#[cfg(test)]
mod tests;
