//! Linux: events from the kernel, non-blocking I/O on what the standard library
//! offers, and threads for what blocks.

mod io;
mod poller;
mod unblock;

pub use io::{Async, connect};
pub use poller::Host;
pub use unblock::unblock;

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
