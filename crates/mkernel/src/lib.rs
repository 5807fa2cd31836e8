//! Unikernels in Rust on Solo5: one page over the crates that do the work.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! fn main() {
//!     mkernel::run(async {
//!         let hello = mkernel::spawn(async { println!("Hello") });
//!         mkernel::sleep(Duration::from_secs(1)).await;
//!         println!("World");
//!         hello.await.expect("the task neither panics nor is cancelled");
//!     })
//! }
//! ```
//!
//! Built with `--target x86_64-solo5-hvt` or `x86_64-solo5-spt` this is a
//! unikernel; built for Linux it prints its manifest when it asks for a device,
//! or runs over the devices that `MIOU_PROFILING` names (see
//! [`solo5_ffi::host`](https://docs.rs/solo5-ffi)).
//!
//! - Tasks: [`run`], [`spawn`], [`sleep`], [`Orphans`] and the rest of
//!   [`miou_rs`].
//! - Devices: [`net!`] and [`block!`] declare and acquire one.
//! - Network: [`mod@net`], which starts a [`netstack`] on a device.
//! - Storage: [`mod@block`], which reads and writes a device at any offset.
//! - The end, as the host wishes for it: [`shutdown`].
//! - Services: `cli` and `log`, with the features of these names.
//! - HTTP, with the feature `http`: `http::serve` and `http::Client`, over `hyper`.
//! - File systems, with the feature `fs`: `fs::mount`.
//! - TLS, with the feature `tls`: `tls::Server` and `tls::Client`, over `rustls`.
//! - A durable store, with the feature `store`, over `redb`.
//! - Threads, sockets and files of `std`, with the feature `posix` and, where nothing else of this
//!   crate is used, `use mkernel as _;`.
//! - The hypercalls themselves: [`solo5_ffi`].
//!
//! # Other names for it
//!
//! | here | Miou (OCaml) | tokio, futures |
//! | --- | --- | --- |
//! | [`run`] | `Miou.run` | `Runtime::block_on` |
//! | [`spawn`] | `Miou.async` | `task::spawn_local` |
//! | [`Promise`] | `Miou.t` | `JoinHandle`, but dropping it cancels |
//! | `promise.await` | `Miou.await` | `handle.await` |
//! | [`await_all`] | `Miou.await_all` | `join_all` |
//! | [`await_one`] | `Miou.await_one` | `select_all`; the others are given back |
//! | [`await_first`] | `Miou.await_first` | `select_all`; the others are cancelled |
//! | [`both`] | `both` of its examples | `join!` |
//! | [`Orphans`] | `Miou.orphans` | `JoinSet` |
//! | [`Orphans::care`] | `Miou.care` | `JoinSet::try_join_next` |
//! | [`yield_now`] | `Miou.yield` | `task::yield_now` |
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

#[cfg(any(feature = "cli", feature = "posix"))]
mod addressing;
pub mod block;
mod busy_poll;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(test)]
mod fake;
mod flushes;
#[cfg(feature = "fs")]
pub mod fs;
#[cfg(feature = "http")]
pub mod http;
mod hypercalls;
#[cfg(feature = "log")]
pub mod log;
pub mod net;
#[cfg(feature = "posix")]
mod platform;
mod shutdown;
mod source;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "tls")]
pub mod tls;

pub use busy_poll::BusyPoll;
pub use miou_rs::{
    self, Aborted, Builder, Care, Elapsed, Hook, Instant, Interval, Orphans, Promise, Sleep,
    await_all, await_first, await_one, both, interval, sleep, sleep_until, spawn, spawn_driver,
    spawn_named, timeout, yield_now,
};
pub use shutdown::shutdown;
pub use solo5_ffi::{self, block};

/// Declares the network device `"name"`, with the offload that [`net::start`] makes use of, and
/// acquires it; otherwise as [`solo5_ffi::net!`].
///
/// ```no_run
/// let device = mkernel::net!("service")?;
/// # Ok::<(), mkernel::solo5_ffi::AcquireError>(())
/// ```
#[macro_export]
macro_rules! net {
    ($name:literal) => {
        $crate::solo5_ffi::net!($name, offload)
    };
}

/// Runs a future, and the tasks that it spawns, to its end, with the devices of
/// the unikernel as events.
///
/// # Panics
///
/// When `future` panics, when it can never end because every task waits and
/// nothing can happen any more, and when called from within a task.
pub fn run<F: Future>(future: F) -> F::Output {
    run_with(Builder::new(), BusyPoll::default(), future)
}

/// As [`run`], with the scheduler's settings, and how long to poll network
/// devices before blocking. With the feature `posix` a scheduler runs already, in
/// which this thread waits for the future to end: its settings are the defaults.
///
/// # Panics
///
/// As [`run`].
pub fn run_with<F: Future>(builder: Builder, busy_poll: BusyPoll, future: F) -> F::Output {
    #[cfg(feature = "posix")]
    if posix::is_in_thread() {
        return posix::block_on(async {
            source::source().set_busy_poll(busy_poll);
            future.await
        });
    }
    let source = source::source();
    source.set_busy_poll(busy_poll);
    builder.run_with(source, future)
}
