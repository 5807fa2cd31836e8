//! Linux: events from the kernel, and non-blocking I/O on what the standard
//! library offers.

mod io;
mod poller;

pub use io::{Async, IoSafe, connect};
pub use poller::Host;

use crate::Builder;

/// Runs `future` and the tasks that it spawns until it ends; then cancels what
/// is left.
///
/// # Panics
///
/// If `future` panics, if a scheduler runs on this thread already, and if the
/// kernel refuses the poll descriptors: see [`Builder::run`], which says so by
/// an error.
#[track_caller]
pub fn run<F: Future>(future: F) -> F::Output {
    match Builder::new().run(future) {
        Ok(output) => output,
        Err(error) => panic!("cannot watch for events: {error}"),
    }
}
