//! The scheduler: who runs next, and when it looks at the world.

mod ending;
pub(crate) mod lanes;
mod meter;
#[cfg(feature = "remote")]
mod remotes;
mod ring;
mod run;

use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::ptr;
use core::time::Duration;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hook::Hooks;
use crate::inspect::Counters;
use crate::instant::saturating_nanos;
use crate::task::arena::Arena;
use crate::task::label::Label;
use crate::task::outcome::{drop_quietly, guarded};
use crate::task::shared::{Message, Shared};
use crate::task::state::flag;
use crate::task::{Header, TaskRef, block, raw, waker};
use crate::timer::wheel::Wheel;
use crate::{Builder, EventSource, Instant};
use lanes::{Lane, Lanes};
use meter::Meter;

pub(crate) use run::run;

/// The part of a scheduler that belongs to its thread.
pub(crate) struct Local {
    pub(crate) shared: Arc<Shared>,
    /// Tells one run from another.
    pub(crate) id: u64,
    source: Box<dyn EventSource>,
    meter: Meter,
    lanes: Lanes,
    arena: Arena,
    names: RefCell<HashMap<TaskRef, Label>>,
    pub(crate) timers: RefCell<Wheel>,
    pub(crate) hooks: Hooks,
    pub(crate) counters: Counters,
    hog: Option<Hog>,
    /// Polls longer than this are looked at, in ticks.
    watch: Cell<u64>,
    /// Futures to be dropped by the outermost cancellation, and how deep
    /// cancellations are nested.
    doomed: RefCell<VecDeque<TaskRef>>,
    depth: Cell<u32>,
    ending: Cell<bool>,
    #[cfg(feature = "remote")]
    remotes: remotes::Remotes,
}

/// What to do with a task that runs too long.
pub(crate) struct Hog {
    pub(crate) threshold_nanos: u64,
    pub(crate) report: Box<dyn Fn(&crate::HogReport)>,
}

/// Cancellations nested more deeply than this are put off to the outermost, so
/// that a long chain of tasks, each holding the next, does not exhaust the
/// stack.
const MAX_DEPTH: u32 = 32;

thread_local! {
    static CURRENT: Cell<*const Local> = const { Cell::new(ptr::null()) };
    /// The task that is being polled on this thread, until it is woken.
    static POLLED: Cell<*const Header> = const { Cell::new(ptr::null()) };
}

/// Whether `task` is being polled on this thread and was not woken since.
#[inline]
pub(crate) fn is_polled_here(task: TaskRef) -> bool {
    ptr::eq(POLLED.get(), task.as_ptr())
}

/// Wakes the task that is being polled on this thread.
#[inline]
pub(crate) fn wake_polled() {
    POLLED.set(ptr::null());
}

/// Calls `f` with the scheduler that runs on this thread.
#[track_caller]
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Local) -> R) -> R {
    match try_with(f) {
        Some(value) => value,
        None => outside(),
    }
}

#[cold]
#[track_caller]
fn outside() -> ! {
    panic!("no scheduler runs on this thread: call this from within `miou_rs::Builder::run_with`")
}

/// Calls `f` with the scheduler that runs on this thread, if there is one.
#[inline]
pub(crate) fn try_with<R>(f: impl FnOnce(&Local) -> R) -> Option<R> {
    let current = CURRENT.get();
    // SAFETY: `run` set it to a value in its frame, and resets it before that
    // goes; whoever calls this on the same thread is called from there.
    unsafe { current.as_ref() }.map(f)
}

/// Calls `f` with the scheduler that runs on this thread, if it is the one that
/// `shared` belongs to.
#[inline]
pub(crate) fn with_owner<R>(shared: *const Shared, f: impl FnOnce(&Local) -> R) -> Option<R> {
    try_with(|local| ptr::eq(Arc::as_ptr(&local.shared), shared).then(|| f(local))).flatten()
}

impl Local {
    fn new(builder: Builder, source: Box<dyn EventSource>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let now = source.now();
        let quantum = builder.quantum.unwrap_or_else(|| source.quantum());
        Self {
            shared: Arc::new(Shared::new(source.notifier())),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            meter: Meter::new(saturating_nanos(quantum), source.is_real_time(), now),
            source,
            lanes: Lanes::new(builder.event_bound, builder.seed),
            arena: Arena::new(),
            names: RefCell::default(),
            timers: RefCell::new(Wheel::new(now)),
            hooks: Hooks::default(),
            counters: Counters::default(),
            hog: builder.hog,
            watch: Cell::new(0),
            doomed: RefCell::default(),
            depth: Cell::new(0),
            ending: Cell::new(false),
            #[cfg(feature = "remote")]
            remotes: remotes::Remotes::default(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.source.now()
    }

    /// Makes a task, with these flags besides its own, and puts it in the run
    /// queue.
    pub(crate) fn spawn<F: Future>(
        &self,
        future: F,
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
        flags: i32,
    ) -> TaskRef {
        let shared = Arc::as_ptr(&self.shared);
        let task = raw::allocate(&self.arena, future, shared, location, flags);
        self.label(task, name, location);
        self.counters.spawned.set(self.counters.spawned.get() + 1);
        self.counters.alive.set(self.counters.alive.get() + 1);
        if self.ending.get() {
            self.cancel(task);
        } else {
            self.wake(task);
        }
        task
    }

    /// Puts a task in the run queue, unless it is in it already or has ended: while
    /// it is polled, after that poll. (If it runs otherwise it was woken in that poll, or
    /// its future is being dropped.)
    #[inline]
    pub(crate) fn wake(&self, task: TaskRef) {
        if is_polled_here(task) {
            wake_polled();
            return;
        }
        // SAFETY: the caller has a reference to the task.
        let header = unsafe { task.as_ref() };
        let flags = header.state.flags();
        if flags & (flag::SCHEDULED | flag::RUNNING | flag::ALIVE) != flag::ALIVE {
            return;
        }
        header.set(flag::SCHEDULED);
        self.enqueue(task, flags, self.lanes.current());
    }

    /// Puts a task with these flags, which is `SCHEDULED`, in the run queue: in
    /// this lane, unless it is a driver.
    #[inline]
    fn enqueue(&self, task: TaskRef, flags: i32, lane: Lane) {
        // Not one call with a lane that is computed: a branch is cheaper.
        if flags & flag::DRIVER == 0 {
            self.lanes.push(task, lane);
        } else {
            self.lanes.push(task, Lane::Event);
        }
    }

    /// Ends a task: drops its future now, or, if it is running, when it stops.
    pub(crate) fn cancel(&self, task: TaskRef) {
        // SAFETY: the caller has a reference to the task, and `ALIVE` pins it
        // until `finish`.
        let header = unsafe { task.as_ref() };
        if !header.has(flag::ALIVE) {
            return;
        }
        if header.has(flag::RUNNING) {
            header.set(flag::CANCELLED);
            return;
        }
        if self.depth.get() >= MAX_DEPTH {
            if !header.has(flag::DOOMED) {
                header.set(flag::DOOMED);
                self.doomed.borrow_mut().push_back(task);
            }
            return;
        }
        self.depth.set(self.depth.get() + 1);
        self.drop_future(task);
        if self.depth.get() == 1 {
            loop {
                let Some(task) = self.doomed.borrow_mut().pop_front() else {
                    break;
                };
                // SAFETY: `DOOMED` pinned it; from here on `ALIVE` does, or
                // `release` decides.
                let header = unsafe { task.as_ref() };
                header.clear(flag::DOOMED);
                // It may have ended otherwise since.
                if header.has(flag::ALIVE) {
                    self.drop_future(task);
                } else {
                    self.release(task);
                }
            }
        }
        self.depth.set(self.depth.get() - 1);
    }

    /// Drops the future of a task that is alive and does not run.
    fn drop_future(&self, task: TaskRef) {
        // SAFETY: `ALIVE` pins it, and says that its stage holds the future;
        // `RUNNING` keeps everybody else away from it, and `finish` clears
        // `ALIVE`.
        unsafe {
            task.as_ref().set(flag::RUNNING);
            (block::of(task).vtable.drop_future)(task);
        }
        self.counters
            .cancelled
            .set(self.counters.cancelled.get() + 1);
        self.finish(task);
    }

    /// The future is gone and the outcome stored: tells whoever awaits.
    fn finish(&self, task: TaskRef) {
        // SAFETY: `RUNNING` pins it until it is cleared below, from where
        // `release` decides.
        let header = unsafe { task.as_ref() };
        header.clear(flag::ALIVE);
        self.counters.alive.set(self.counters.alive.get() - 1);
        if header.has(flag::PANIC) {
            self.counters.panicked.set(self.counters.panicked.get() + 1);
        }
        if header.has(flag::NAMED) {
            let label = self.names.borrow_mut().remove(&task);
            drop(label);
        }
        if header.has(flag::PROMISE) {
            if let Some(waker) = header.awaiter.take()
                && let Err(panic) = guarded(|| waker.wake())
            {
                drop_quietly(panic);
            }
        } else {
            self.drop_outcome(task);
        }
        header.clear(flag::RUNNING);
        self.release(task);
    }

    /// Gives up the promise of `task`: cancels it, or drops its outcome.
    pub(crate) fn abandon(&self, task: TaskRef) {
        // SAFETY: pinned by the promise, and then by `ALIVE` or `DOOMED`.
        let header = unsafe { task.as_ref() };
        drop(header.awaiter.take());
        if header.has(flag::ALIVE) {
            header.clear(flag::PROMISE);
            self.cancel(task);
        } else {
            // Still pinned by the promise, should the destructor come back
            // here; and should it panic, that is for the one who dropped it.
            struct Release<'a>(&'a Local, TaskRef);
            impl Drop for Release<'_> {
                fn drop(&mut self) {
                    // SAFETY: pinned by the promise, which this gives up.
                    unsafe { self.1.as_ref() }.clear(flag::PROMISE);
                    self.0.release(self.1);
                }
            }
            let _release = Release(self, task);
            // SAFETY: there, and not alive; this is its thread.
            unsafe { raw::drop_outcome(task) }
        }
    }

    /// Drops the outcome of a task whose promise is gone.
    fn drop_outcome(&self, task: TaskRef) {
        struct Outcome(TaskRef);
        impl Drop for Outcome {
            fn drop(&mut self) {
                // SAFETY: `RUNNING` pins the task, which is not alive.
                unsafe { raw::drop_outcome(self.0) }
            }
        }
        drop_quietly(Outcome(task));
    }

    /// Frees a task's memory if nothing refers to it.
    #[inline]
    pub(crate) fn release(&self, task: TaskRef) {
        // SAFETY: the caller has just given up a reference to the task; it is
        // freed on this thread only, and only after such a check.
        unsafe {
            if task.as_ref().is_unreferenced() {
                self.arena.free(task);
            }
        }
    }

    /// Remembers the name, and the span, of a task that has one.
    fn label(
        &self,
        task: TaskRef,
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
    ) {
        if let Some(label) = Label::new(name, location) {
            // SAFETY: it has just been made.
            unsafe { task.as_ref() }.set(flag::NAMED);
            self.names.borrow_mut().insert(task, label);
        }
    }

    pub(crate) fn with_label<R>(&self, task: TaskRef, f: impl FnOnce(&Label) -> R) -> Option<R> {
        // SAFETY: the caller has a reference to the task.
        if !unsafe { task.as_ref() }.has(flag::NAMED) {
            return None;
        }
        self.names.borrow().get(&task).map(f)
    }

    /// All tasks that have memory. Nothing may end meanwhile.
    pub(crate) fn iter_tasks(&self) -> impl Iterator<Item = TaskRef> {
        self.arena.tasks()
    }

    pub(crate) fn run_queue_lengths(&self) -> (usize, usize) {
        self.lanes.lengths()
    }

    pub(crate) fn nanos_of_ticks(&self, ticks: u64) -> Duration {
        Duration::from_nanos(self.meter.nanos(ticks))
    }

    /// Takes in what other threads said.
    fn attend_inbox(&self) -> usize {
        let mut count = 0;
        // Bounded: one message for each waker woken or dropped elsewhere
        // before this began, or nearly; what keeps coming waits for the next
        // tick.
        while count < 4096 {
            let Some(message) = self.shared.inbox.pop() else {
                break;
            };
            count += 1;
            match message {
                // SAFETY: the message carries a reference.
                Message::Wake(task) => unsafe {
                    task.as_ref().remote.lower();
                    self.wake(task);
                    waker::drop_local(self, task);
                },
                // SAFETY: as above.
                Message::Drop(task) => unsafe { waker::drop_local(self, task) },
                #[cfg(feature = "remote")]
                Message::Run(runnable) => self.run_remote(runnable),
            }
        }
        count
    }
}
