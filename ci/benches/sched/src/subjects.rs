//! The executors, behind one trait.

pub mod async_executor;
pub mod async_task;
pub mod embassy;
pub mod local_pool;
pub mod miou;
pub mod smol;
pub mod tokio;

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An executor, used as its documentation says.
pub trait Subject: 'static {
    /// Keeps a task, and gives its result when awaited.
    type Handle: 'static;
    /// A future that is ready at a time.
    type Sleep: Future + Unpin + 'static;
    /// A socket whose readiness wakes tasks.
    type Stream: 'static;

    /// Runs `main` to its end, on a new executor, which is current meanwhile.
    fn run<F: Future<Output = ()> + 'static>(main: F);

    /// Starts a task on the current executor.
    fn spawn<F: Future<Output = ()> + 'static>(future: F) -> Self::Handle;

    /// Whether tasks can be awaited.
    const JOINS: bool = true;

    fn join(handle: Self::Handle) -> impl Future<Output = ()>;

    fn yield_now() -> impl Future<Output = ()>;

    /// Whether there are timers.
    const TIMERS: bool = true;

    fn sleep(duration: Duration) -> Self::Sleep;

    /// Whether there is I/O.
    const IO: bool = true;

    fn stream(stream: UnixStream) -> io::Result<Self::Stream>;

    fn read(
        stream: &mut Self::Stream,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>>;

    fn write(stream: &mut Self::Stream, buffer: &[u8]) -> impl Future<Output = io::Result<usize>>;
}
