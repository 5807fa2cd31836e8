//! The loop.

use core::hint::cold_path;
use core::ptr;
use core::task::{Context, Waker};

use super::lanes::Lane;
use super::{CURRENT, Local, POLLED};
use crate::inspect::HogReport;
use crate::task::outcome::{drop_quietly, guarded};
use crate::task::state::flag;
use crate::task::{TaskRef, block, raw, waker};
use crate::{Aborted, Builder, EventSource};

/// Runs `future` and whatever it spawns until it ends; then cancels what is
/// left.
#[track_caller]
pub(crate) fn run<F: Future>(
    builder: Builder,
    source: Box<dyn EventSource>,
    future: F,
) -> F::Output {
    assert!(
        CURRENT.get().is_null(),
        "a scheduler runs on this thread already: a task cannot start another"
    );
    let location = core::panic::Location::caller();
    let local = Local::new(builder, source);
    CURRENT.set(&raw const local);
    // `future` may borrow what lives outside of this call: it is dropped
    // before this returns, at the latest by `Ending`.
    let main = local.spawn(future, Some("main".into()), location, 0);
    let ending = Ending(&local, main);
    local.run_until_ended(main);
    // SAFETY: `main` was spawned with this output and has a promise, which is
    // not taken before; this is its thread.
    let outcome = unsafe { raw::take_outcome::<F::Output>(main) };
    drop(ending);
    match outcome {
        Ok(value) => value,
        Err(Aborted::Panicked(panic)) => panic.resume(),
        Err(Aborted::Cancelled) => unreachable!("nobody else has the promise of the main task"),
    }
}

/// After so many polls the scheduler looks for events even if no time has
/// passed, as in virtual time.
const MAX_POLLS: u64 = 1024;

/// The time between two ticks, as far as it has passed.
struct Turn {
    /// When it began, and when the clock was last read, in ticks of the meter.
    began: u64,
    looked: u64,
    /// How many polls there will have been when it is over in any case.
    last_poll: u64,
    is_over: bool,
}

/// Ends the scheduler, also when something in it panics; the main task first.
struct Ending<'a>(&'a Local, TaskRef);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.abandon(self.1);
        self.0.end();
    }
}

impl Local {
    fn run_until_ended(&self, main: TaskRef) {
        // SAFETY: pinned by its promise until the caller gives that up.
        let main = unsafe { main.as_ref() };
        let mut turn = self.new_turn();
        loop {
            if let Some(task) = self.lanes.pop() {
                let ended = self.poll_task(task, &mut turn);
                if ended && !main.has(flag::ALIVE) {
                    return;
                }
                if !turn.is_over {
                    continue;
                }
                cold_path();
                self.tick();
            } else {
                cold_path();
                self.idle();
            }
            turn = self.new_turn();
        }
    }

    fn new_turn(&self) -> Turn {
        let now = self.ticks();
        Turn {
            began: now,
            looked: now,
            last_poll: self.counters.polls.get() + MAX_POLLS,
            is_over: false,
        }
    }

    /// Notes how long the poll that has just ended took, of this task if it is
    /// still there, and whether the quantum has passed.
    #[inline]
    fn look_at_clock(&self, turn: &mut Turn, task: Option<TaskRef>) {
        let now = self.ticks();
        let took = now.wrapping_sub(turn.looked);
        turn.looked = now;
        turn.is_over = now.wrapping_sub(turn.began) >= self.meter.quantum()
            || self.counters.polls.get() >= turn.last_poll;
        if took > self.watch.get() {
            cold_path();
            self.note_long_poll(task, took);
        }
    }

    #[inline]
    fn ticks(&self) -> u64 {
        self.meter.ticks(|| self.source.now())
    }

    /// Polls a task that was in the run queue. Returns whether a task ended.
    #[inline]
    fn poll_task(&self, task: TaskRef, turn: &mut Turn) -> bool {
        // SAFETY: `SCHEDULED` pinned it, from here on `RUNNING` does.
        let header = unsafe { task.as_ref() };
        // While it runs it is not in the run queue, or else it is being dropped.
        debug_assert!(!header.has(flag::RUNNING));
        if !header.has(flag::ALIVE) {
            cold_path();
            header.clear(flag::SCHEDULED);
            self.release(task);
            // There may be many of them.
            self.look_at_clock(turn, None);
            return false;
        }
        header.state.toggle(flag::SCHEDULED | flag::RUNNING);
        POLLED.set(task.as_ptr());
        self.counters.polls.set(self.counters.polls.get() + 1);
        // SAFETY: pinned as long as the waker is lent.
        let waker = unsafe { waker::borrowed(task) };
        let mut context = Context::from_waker(&waker);
        #[cfg(feature = "tracing")]
        let span = self.enter_span(task);
        // SAFETY: alive and `RUNNING`; `finish` clears `ALIVE` when it ended.
        let ended = unsafe { (block::of(task).vtable.poll)(task, &mut context) };
        #[cfg(feature = "tracing")]
        drop(span);
        self.look_at_clock(turn, Some(task));
        // Only now, as a subscriber or whoever is told of hogs may wake it too.
        let woken = POLLED.get().is_null();
        if !woken {
            POLLED.set(ptr::null());
        }
        let flags = header.state.flags();
        if ended {
            cold_path();
            self.finish(task);
            return true;
        }
        if flags & flag::CANCELLED != 0 {
            cold_path();
            self.drop_future(task);
            return true;
        }
        if !woken {
            header.clear(flag::RUNNING);
            return false;
        }
        // Woken while it ran, it was by itself: it yields.
        header.state.toggle(flag::RUNNING | flag::SCHEDULED);
        self.enqueue(task, flags, Lane::Normal);
        false
    }

    /// Polls a task that waits, which may end it, with a waker that is not its own.
    pub(crate) fn poll_with(&self, task: TaskRef, waker: &Waker) {
        // SAFETY: alive; `RUNNING` pins it.
        let header = unsafe { task.as_ref() };
        header.set(flag::RUNNING);
        let mut context = Context::from_waker(waker);
        // SAFETY: as in `poll_task`.
        let ended = unsafe { (block::of(task).vtable.poll)(task, &mut context) };
        if ended {
            self.finish(task);
        } else if header.has(flag::CANCELLED) {
            self.drop_future(task);
        } else {
            header.clear(flag::RUNNING);
        }
    }

    /// Looks at the world between two polls.
    #[inline(never)]
    fn tick(&self) {
        self.lanes.switch(Lane::Event);
        let events = self.source.poll();
        self.after_events(events);
    }

    /// Looks at the world, and waits for it if there is nothing to do.
    #[inline(never)]
    fn idle(&self) {
        if !self.shared.inbox.begin_sleep() {
            self.tick();
            return;
        }
        self.lanes.switch(Lane::Event);
        let deadline = self.timers.borrow_mut().next_deadline();
        let waited = self.source.wait(deadline);
        self.shared.inbox.end_sleep();
        match waited {
            Ok(events) => self.after_events(events),
            Err(_) if !self.shared.inbox.is_empty() => self.after_events(0),
            Err(_) => self.report_deadlock(),
        }
    }

    /// The rest of a tick: other threads, timers, hooks.
    fn after_events(&self, events: usize) {
        let messages = self.attend_inbox();
        let now = self.source.now();
        self.meter.calibrate(self.ticks(), now);
        let fired = self.fire_timers(now);
        self.lanes.switch(Lane::Normal);
        self.lanes.trim();
        let counters = &self.counters;
        counters.ticks.set(counters.ticks.get() + 1);
        counters
            .events
            .set(counters.events.get() + (events + messages + fired) as u64);
        self.hooks.run();
    }

    fn fire_timers(&self, now: crate::Instant) -> usize {
        if self.timers.borrow().is_idle_until(now) {
            return 0;
        }
        let mut due = self.timers.borrow_mut().advance(now);
        let count = due.len();
        for waker in due.drain(..) {
            waker.wake();
        }
        self.timers.borrow_mut().give_back(due);
        count
    }

    /// A poll of this task took longer than all before, or than a task may.
    #[cold]
    fn note_long_poll(&self, task: Option<TaskRef>, took: u64) {
        // SAFETY: pinned by `RUNNING`.
        let location = task.map(|task| unsafe { block::of(task) }.location);
        let counters = &self.counters;
        if took > counters.longest_ticks.get() {
            counters.longest_ticks.set(took);
            counters.longest_location.set(location);
        }
        let mut watch = counters.longest_ticks.get();
        if let Some(hog) = &self.hog {
            let nanos = self.meter.nanos(took);
            if let (Some(task), Some(location)) = (task, location)
                && nanos >= hog.threshold_nanos
            {
                counters.hogs.set(counters.hogs.get() + 1);
                let report = HogReport::new(self.name_of(task), location, nanos);
                if let Err(panic) = guarded(|| (hog.report)(&report)) {
                    drop_quietly(panic);
                }
            }
            watch = watch.min(self.meter.ticks_in(hog.threshold_nanos) - 1);
        }
        self.watch.set(watch);
    }

    #[cold]
    fn report_deadlock(&self) -> ! {
        let mut message = String::from(
            "every task waits, no timer is set, and the event source has nothing to wait for; tasks:",
        );
        for task in self.list_tasks().take(16) {
            message.push_str(&format!("\n  {task}"));
        }
        panic!("{message}")
    }
}
