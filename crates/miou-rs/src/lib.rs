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

mod builder;
mod combinators;
mod hook;
#[cfg(feature = "host")]
pub mod host;
mod inspect;
mod instant;
mod orphans;
mod promise;
mod scheduler;
mod source;
#[cfg(feature = "sync")]
pub mod sync;
mod task;
pub mod testing;
mod timer;
mod virtual_clock;

pub use builder::Builder;
pub use combinators::{await_all, await_first, await_one, both, yield_now};
pub use hook::Hook;
pub use inspect::{HogReport, Stats, TaskInfo, TaskState, stats, tasks};
pub use instant::Instant;
pub use orphans::{Care, Orphans};
pub use promise::{Cancel, Promise, spawn, spawn_named};
pub use source::{Deadlock, EventSource, Notifier};
pub use task::outcome::{Aborted, Panic};
pub use timer::{Elapsed, Interval, Sleep, interval, sleep, sleep_until, timeout};
pub use virtual_clock::VirtualClock;

#[cfg(feature = "host")]
pub use host::run;
