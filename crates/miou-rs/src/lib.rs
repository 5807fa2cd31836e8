//! A single-threaded, availability-first scheduler: events come first, and no
//! task may be forgotten.
//!
//! ```
//! use std::time::Duration;
//! use miou_rs::{Builder, VirtualClock, sleep, spawn};
//!
//! Builder::new().run_with(VirtualClock::new(), async {
//!     let promise = spawn(async { println!("Hello") });
//!     sleep(Duration::from_secs(1)).await;
//!     println!("World");
//!     promise.await.unwrap();
//! });
//! ```
//!
//! The examples run in virtual time. On Linux, with the feature `host`, a
//! program calls `miou_rs::run(async { … })`; in a unikernel, `mkernel::run`.
//!
//! # The rules
//!
//! 1. [`spawn()`] gives a [`Promise`]. Awaiting it gives the task's value, or
//!    [`Aborted`]: a panic with its payload, or a cancellation. A panic ends
//!    its task and nothing else.
//! 2. Dropping a promise cancels its task. There is no way to detach one; tasks
//!    that nobody awaits one by one are kept in [`Orphans`].
//! 3. A task is finished only when its children are: those whose promises it
//!    still holds when it ends are cancelled and dropped before its result can
//!    be seen. The main task's end cancels all that are left.
//! 4. The run queue is first in, first out.
//! 5. Between two polls of tasks the scheduler looks for events as soon as the
//!    *quantum* has passed since it last did ([`Builder::quantum`]; 10 µs unless
//!    the event source wants less, on Linux 4 µs), and at once when no task is
//!    ready. Each look is a *tick*, at which
//!    [hooks](Hook) run.
//! 6. *Event tasks* run before the others: the tasks that an event, a timer or
//!    another thread has woken, and what these wake or spawn in that poll. One
//!    that yields is no longer one of them, unless it is a
//!    [driver](spawn_driver()), which always is.
//! 7. After [16](Builder::event_bound) event tasks in a row one of the others is
//!    polled, if any is ready: events cannot starve them.
//!
//! # The guarantee
//!
//! From the moment when an event happens to the poll of the task that waits for
//! it, no more time passes than the sum of
//!
//! - the longest single poll of a task,
//! - the quantum,
//! - the polls of the event tasks ahead of it in the queue, with one poll of
//!   another task for each 16 of them,
//!
//! and what the look for events itself takes. How many tasks are ready does not
//! enter. (A property test checks the sum in virtual time:
//! `tests/it/scheduling.rs`.)
//!
//! The clock is read after each poll: with the CPU's time-stamp counter where
//! that is steady, at the rate learnt from the event source's clock; elsewhere,
//! that clock itself.
//!
//! # Orphans
//!
//! ```
//! # use std::time::Duration;
//! use miou_rs::{Care, Orphans};
//! # use miou_rs::{Builder, VirtualClock, sleep};
//!
//! # async fn accept() { sleep(Duration::from_millis(1)).await }
//! # async fn serve(_: ()) -> usize { 0 }
//! # Builder::new().run_with(VirtualClock::new(), async {
//! let mut connections = Orphans::new();
//! # for _ in 0..3 {
//! // loop {
//! let connection = accept().await;
//! connections.spawn(serve(connection));
//! while let Care::Finished(result) = connections.care() {
//!     if let Err(aborted) = result {
//!         eprintln!("{aborted}");
//!     }
//! }
//! // }
//! # }
//! # });
//! ```
//!
//! # Timeout
//!
//! ```
//! # use std::time::Duration;
//! use miou_rs::{spawn, timeout};
//! # use miou_rs::{Builder, VirtualClock, sleep};
//!
//! # Builder::new().run_with(VirtualClock::new(), async {
//! let answer = spawn(async {
//!     sleep(Duration::from_secs(60)).await;
//!     42
//! });
//! // The promise is the future: when the time is over it is dropped, and with
//! // it the task.
//! assert!(timeout(Duration::from_secs(1), answer).await.is_err());
//! # });
//! ```
//!
//! # Cancellation
//!
//! ```
//! # use std::time::Duration;
//! use miou_rs::spawn;
//! # use miou_rs::{Builder, VirtualClock, sleep, yield_now};
//!
//! # Builder::new().run_with(VirtualClock::new(), async {
//! let parent = spawn(async {
//!     let _child = spawn(sleep(Duration::from_secs(60)));
//!     sleep(Duration::from_secs(60)).await;
//! });
//! # yield_now().await;
//! // Dropping the promise would do; this also waits until both are gone.
//! assert!(parent.cancel().await.unwrap_err().is_cancelled());
//! # assert_eq!(miou_rs::stats().alive, 1);
//! # });
//! ```
//!
//! # Other threads
//!
//! Tasks stay on their thread and need not be `Send`. Their wakers may be
//! cloned, dropped and woken on any thread, also after the scheduler has ended;
//! a wake from another thread is an event. With the feature `remote`, other
//! threads also spawn tasks: `Remote`.
//!
//! # Features
//!
//! - `sync` (default): mutex, condition, semaphore, once-cell and channels,
//!   in [`sync`].
//! - `remote`: tasks from other threads.
//! - `host`: the event source, non-blocking I/O and a pool of threads for Linux;
//!   with `remote`.
//! - `hyper`: the traits by which `hyper` spawns tasks and asks for the time.
//! - `tracing`: a span for each task, entered whenever it is polled.
//!
//! # Further
//!
//! - [Coming from tokio](coming_from_tokio)
//! - [Coming from Miou](coming_from_miou)

mod builder;
mod combinators;
pub mod coming_from_miou {
    #![doc = include_str!("../docs/coming_from_miou.md")]
}
pub mod coming_from_tokio {
    #![doc = include_str!("../docs/coming_from_tokio.md")]
}
mod hook;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "hyper")]
pub mod hyper;
mod inspect;
mod instant;
mod orphans;
mod promise;
#[cfg(feature = "remote")]
mod remote;
mod scheduler;
mod source;
#[cfg(feature = "sync")]
pub mod sync;
mod task;
pub mod testing;
mod timer;
mod virtual_clock;
mod yielding;

pub use builder::Builder;
pub use combinators::{await_all, await_first, await_one, both};
pub use hook::Hook;
pub use inspect::{
    HogReport, Stats, TaskInfo, TaskState, poll_waiting, running_tasks, stats, tasks,
};
pub use instant::Instant;
pub use orphans::{Care, Orphans};
pub use promise::{Cancel, Promise, spawn, spawn_driver, spawn_named};
#[cfg(feature = "remote")]
pub use remote::{Remote, RemoteCancel, RemotePromise};
pub use source::{Deadlock, EventSource, Notifier};
pub use task::outcome::{Aborted, Panic};
pub use timer::{Elapsed, Interval, Sleep, interval, sleep, sleep_until, timeout};
pub use virtual_clock::VirtualClock;
pub use yielding::{YieldNow, yield_now};

#[cfg(feature = "host")]
pub use host::run;
