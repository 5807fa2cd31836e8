//! POSIX for Rust's `std` in a Solo5 unikernel: threads, sockets, files, and waiting for all of them.
//!
//! A program has nothing to do with this crate but to be linked with it, which `mkernel`'s feature `posix` does:
//!
//! ```toml
//! [dependencies]
//! mkernel = { version = "0.1", features = ["posix"] }
//! ```
//!
//! ```ignore
//! use mkernel as _;
//!
//! fn main() {
//!     let thread = std::thread::spawn(|| 6 * 7);
//!     assert_eq!(thread.join().unwrap(), 42);
//! }
//! ```
//!
//! It has the C symbols that `std` and crates ask for and that [`nolibc`] has only to fail: where both are linked,
//! these win.
//!
//! # Threads
//!
//! A thread is a stack of its own that a task of [`miou_rs`] goes on with whenever it is polled. Threads and tasks share
//! one processor and one queue, first those that an event has woken. A thread runs until it waits, yields or ends, or
//! looks at the clock after a millisecond: there is no preemption, and one that computes for a second while others are
//! there is reported by its name. When all wait for each other, the program ends with a report of all of them.
//!
//! Thread-local variables are the thread's own; those of tasks belong to the scheduler.
//!
//! # Descriptors, sockets and files
//!
//! TCP and UDP over [`netstack`], and inside of the program; pipes, `eventfd`, `timerfd`, `poll` and `epoll` as Linux has
//! them; files in memory, or on a disk. The README has the lists. [`Settings`] that stand first on the command line are taken off it.
//!
//! # What it asks for
//!
//! It knows nothing of devices: [`Platform`] and [`network!`] are what `mkernel` gives it.
#![warn(missing_debug_implementations)]
#![cfg_attr(
    not(solo5),
    allow(dead_code, reason = "C calls it, and in a unikernel alone")
)]

#[macro_use]
mod global;

mod arguments;
mod descriptors;
#[cfg(solo5)]
mod ends;
mod errno;
mod error;
#[cfg(solo5)]
mod ffi;
mod files;
mod futex;
mod machine;
mod memory;
mod parking;
mod pthread;
mod random;
mod readiness;
mod report;
mod resolv_conf;
mod scheduler;
mod signals;
mod slice;
mod sockets;
mod stack;
#[cfg(test)]
#[warn(dead_code)]
mod testing;
mod thread;
mod time;
mod wait;

use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use miou_rs::EventSource;
use netstack::{Resolver, Stack};

pub use arguments::{Dhcpv6, Settings};
pub use files::disk::Disk;

/// What is below a program: who links this crate gives it by [`platform!`].
pub trait Platform: Sync {
    /// Where events come from. Called once, before `main`.
    fn event_source(&self) -> Rc<dyn EventSource>;

    /// Ready when the host wants the program to end, if it can be told of that. Called once, when the program first has a
    /// handler for SIGTERM or SIGINT.
    fn shutdown(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        None
    }

    /// The certificates of the authorities that programs find in `/etc/ssl/cert.pem`, as text in PEM, if they are not told of
    /// others by `--authorities`. None unless it is said: there is no such file then.
    fn authorities(&self) -> Option<Vec<u8>> {
        None
    }
}

/// Says what is below the program: an expression of a type that is [`Platform`], and constant. Once in a program.
#[macro_export]
macro_rules! platform {
    ($platform:expr) => {
        const _: () = {
            // SAFETY: this crate alone declares a function of this name, and with this type.
            #[unsafe(no_mangle)]
            fn __solo5_posix_platform() -> &'static dyn $crate::Platform {
                &$platform
            }
        };
    };
}

/// A network that is being started: a stack that has its addresses, and what answers names on it. Or why there is none, in a
/// line for people, with the status that the program then ends with.
pub type Starting = Pin<Box<dyn Future<Output = Result<(Stack, Resolver), (String, i32)>>>>;

/// Says what the network of a program is: a function from [`Settings`] to [`Starting`], which is called once, when the program
/// makes its first socket. It is linked, with the device that it declares, only in programs that can.
#[macro_export]
macro_rules! network {
    ($start:path) => {
        const _: () = {
            // SAFETY: this crate alone declares a function of this name, and with this type.
            #[unsafe(no_mangle)]
            fn __solo5_posix_network(settings: &$crate::Settings) -> $crate::Starting {
                $start(settings)
            }
        };
    };
}

/// What `/` is to be on: a disk, or why it cannot be, in a line for people. Without one it is in memory.
pub type Storage = Option<Result<Disk, String>>;

/// Says what the files of a program are on: a function that gives [`Storage`], which is called once, when the program first asks
/// for a file. It is linked, with the device that it declares, only in programs that can.
#[macro_export]
macro_rules! storage {
    ($start:path) => {
        const _: () = {
            // SAFETY: this crate alone declares a function of this name, and with this type.
            #[unsafe(no_mangle)]
            fn __solo5_posix_storage() -> $crate::Storage {
                $start()
            }
        };
    };
}

/// Whether a thread of this crate's runs: neither a task, nor a program of the host's.
#[must_use]
pub fn is_in_thread() -> bool {
    thread::current().is_some()
}

/// Has the thread wait for a future, which runs to its end among all other threads and tasks.
///
/// # Panics
///
/// Where no thread of this crate's runs: see [`is_in_thread`].
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        is_in_thread(),
        "no thread of POSIX's runs that could wait: call this from one"
    );
    let mut future = pin!(future);
    let mut own = None;
    wait::wait("a future", |context| {
        if report::is_wanted() {
            return future.as_mut().poll(context);
        }
        let (noted, waker) = own.get_or_insert_with(|| {
            let noted = Arc::new(Noted {
                is_woken: AtomicBool::new(false),
                waker: context.waker().clone(),
            });
            (noted.clone(), Waker::from(noted))
        });
        noted.is_woken.store(false, Ordering::Relaxed);
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        // Where the future waits by a call that blocks, that call has the thread's wakes.
        if polled.is_pending() && noted.is_woken.load(Ordering::Relaxed) {
            context.waker().wake_by_ref();
        }
        polled
    })
}

/// Wakes a thread, and notes that it did.
struct Noted {
    is_woken: AtomicBool,
    waker: Waker,
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.waker.wake_by_ref();
    }
}
