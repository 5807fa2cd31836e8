//! What the scheduler and its tasks are doing.

use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::task::Waker;
use core::time::Duration;
use std::borrow::Cow;

use crate::scheduler::{self, Local};
use crate::task::state::flag;
use crate::task::{TaskRef, block};

/// Counted as it happens, by plain additions.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) alive: Cell<usize>,
    pub(crate) spawned: Cell<u64>,
    pub(crate) cancelled: Cell<u64>,
    pub(crate) panicked: Cell<u64>,
    pub(crate) polls: Cell<u64>,
    pub(crate) ticks: Cell<u64>,
    pub(crate) events: Cell<u64>,
    pub(crate) hogs: Cell<u64>,
    pub(crate) longest_ticks: Cell<u64>,
    pub(crate) longest_location: Cell<Option<&'static Location<'static>>>,
}

/// The state of a scheduler at one moment: see [`stats`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks that have not ended, the main task among them.
    pub alive: usize,
    /// Tasks ever spawned.
    pub spawned: u64,
    /// Tasks whose future ended by itself, by a value or a panic.
    pub completed: u64,
    /// Tasks whose future was dropped before it ended.
    pub cancelled: u64,
    /// Tasks that ended in a panic, whether or not somebody saw it.
    pub panicked: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// How often the scheduler looked for events.
    pub ticks: u64,
    /// What it found: events of the event source, timers, and messages from
    /// other threads.
    pub events: u64,
    /// Tasks in the run queue that yielded, or were woken by such.
    pub ready: usize,
    /// Tasks in the run queue that an event woke.
    pub ready_by_event: usize,
    /// Timers that have not fired.
    pub timers: usize,
    /// The longest poll of a task.
    pub longest_poll: Duration,
    /// Where the task of the longest poll was spawned.
    pub longest_poll_location: Option<&'static Location<'static>>,
    /// Polls beyond the threshold given to
    /// [`Builder::on_hog`](crate::Builder::on_hog).
    pub hogs: u64,
}

/// A task: see [`tasks`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The name given to [`spawn_named`](crate::spawn_named).
    pub name: Option<Cow<'static, str>>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// What it does.
    pub state: TaskState,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It is being polled.
    Running,
    /// It is in the run queue.
    Ready,
    /// It waits to be woken.
    Waiting,
}

/// A task that ran too long: see [`Builder::on_hog`](crate::Builder::on_hog).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HogReport {
    /// The task's name, if it has one.
    pub name: Option<Cow<'static, str>>,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// How long the poll took.
    pub took: Duration,
}

/// A snapshot of the running scheduler's counters.
///
/// # Panics
///
/// Outside of a scheduler.
#[track_caller]
pub fn stats() -> Stats {
    scheduler::with(Local::stats)
}

/// The tasks that have not ended, in no particular order. Takes time in proportion
/// to their number.
///
/// # Panics
///
/// Outside of a scheduler.
#[track_caller]
pub fn tasks() -> Vec<TaskInfo> {
    scheduler::with(|local| local.list_tasks().collect())
}

/// The tasks that run now: the one that is being polled, and those whose futures it is just dropping. None
/// outside of a scheduler, so that a panic hook may ask. Takes time in proportion to the number of tasks.
pub fn running_tasks() -> Vec<TaskInfo> {
    let running = |local: &Local| {
        let tasks = local.list_tasks();
        tasks
            .filter(|task| task.state == TaskState::Running)
            .collect()
    };
    scheduler::try_with(running).unwrap_or_default()
}

/// Polls tasks that wait once more, with `waker` in place of their own: what a task waits for clones it, and is on the stack
/// then, so that a waker which looks there can say what that is. `wanted` is told of each task first, and says whether
/// to poll it. For a report before the program ends, as what the tasks wait for does not wake them any more.
///
/// Of many tasks the first 64 are polled.
///
/// # Panics
///
/// Outside of a scheduler.
#[track_caller]
pub fn poll_waiting(waker: &Waker, mut wanted: impl FnMut(&TaskInfo) -> bool) {
    /// Each is looked for among all before it is told of and before it is polled: others may have ended it.
    const MOST: usize = 64;
    scheduler::with(|local| {
        let mut left = MOST;
        for task in local.iter_tasks().collect::<Vec<_>>() {
            let waits = || local.iter_tasks().any(|other| other == task) && is_waiting(task);
            // `wanted` may end tasks as well.
            if left > 0 && waits() && wanted(&local.info_of(task)) && waits() {
                left -= 1;
                local.poll_with(task, waker);
            }
        }
    });
}

/// Whether a task of the list has not ended and is not to run. Nothing ends it meanwhile.
fn is_waiting(task: TaskRef) -> bool {
    // SAFETY: tasks leave the list before they are freed.
    let header = unsafe { task.as_ref() };
    header.has(flag::ALIVE) && !header.has(flag::RUNNING) && !header.has(flag::SCHEDULED)
}

impl HogReport {
    pub(crate) fn new(
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
        nanos: u64,
    ) -> Self {
        Self {
            name,
            location,
            took: Duration::from_nanos(nanos),
        }
    }
}

impl fmt::Display for HogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("a task");
        write!(
            f,
            "{name}, spawned at {}, ran for {:?} without yielding",
            self.location, self.took
        )
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("a task");
        write!(f, "{name}, spawned at {}: {:?}", self.location, self.state)
    }
}

impl Local {
    fn stats(&self) -> Stats {
        let counters = &self.counters;
        let (ready, ready_by_event) = self.run_queue_lengths();
        Stats {
            alive: counters.alive.get(),
            spawned: counters.spawned.get(),
            completed: counters.spawned.get()
                - counters.alive.get() as u64
                - counters.cancelled.get(),
            cancelled: counters.cancelled.get(),
            panicked: counters.panicked.get(),
            polls: counters.polls.get(),
            ticks: counters.ticks.get(),
            events: counters.events.get(),
            ready,
            ready_by_event,
            timers: self.timers.borrow().len(),
            longest_poll: self.nanos_of_ticks(counters.longest_ticks.get()),
            longest_poll_location: counters.longest_location.get(),
            hogs: counters.hogs.get(),
        }
    }

    pub(crate) fn list_tasks(&self) -> impl Iterator<Item = TaskInfo> {
        let alive = self.iter_tasks().filter(|task| {
            // SAFETY: tasks leave the list before they are freed, and nothing
            // ends one while the list is read.
            unsafe { task.as_ref() }.has(flag::ALIVE)
        });
        alive.map(|task| self.info_of(task))
    }

    /// What there is to say of a task of the list.
    fn info_of(&self, task: TaskRef) -> TaskInfo {
        // SAFETY: as above.
        let (header, block) = unsafe { (task.as_ref(), block::of(task)) };
        let state = if header.has(flag::RUNNING) {
            TaskState::Running
        } else if header.has(flag::SCHEDULED) {
            TaskState::Ready
        } else {
            TaskState::Waiting
        };
        TaskInfo {
            name: self.name_of(task),
            location: block.location,
            state,
        }
    }
}

impl Local {
    /// The task's name, if it has one.
    pub(crate) fn name_of(&self, task: TaskRef) -> Option<Cow<'static, str>> {
        self.with_label(task, |label| label.name()).flatten()
    }

    /// Enters the task's span, until what this returns is dropped.
    #[cfg(feature = "tracing")]
    pub(crate) fn enter_span(&self, task: TaskRef) -> Option<tracing::span::EnteredSpan> {
        self.with_label(task, |label| label.span())
            .flatten()
            .map(tracing::Span::entered)
    }
}
