//! `async-executor` in the place of miou-rs: what a program of ours would be with a throughput-first executor.
//!
//! `ci/bench http` builds `examples/http`, with all crates unchanged, against this one. Tasks, the network's driver
//! among them, are `async-executor`'s: one queue, in the order of waking. miou-rs is left with one task, in which the
//! executor runs, and is what a reactor is to `smol`: it looks for events, and at its timers, when the executor comes
//! back to it, which is when nothing is ready, or after 200 polls.
//!
//! What is not named here is miou-rs's own.
#![forbid(unsafe_code)]

#[cfg(feature = "hyper")]
pub mod hyper;
mod orphans;

use std::borrow::Cow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use async_executor::{LocalExecutor, Task};
pub use orphans::Orphans;
pub use real::*;

thread_local! {
    static EXECUTOR: Rc<LocalExecutor<'static>> = Rc::default();
}

/// As miou-rs's, of which it has what programs here set.
#[derive(Debug, Default)]
pub struct Builder(real::Builder);

impl Builder {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the executor, until `future` ends.
    pub fn run_with<S, F>(self, source: S, future: F) -> F::Output
    where
        S: EventSource + 'static,
        F: Future,
    {
        let executor = EXECUTOR.with(Rc::clone);
        self.0
            .run_with(source, async move { executor.run(future).await })
    }
}

/// As miou-rs's: cancels its task when it is dropped. A task that panics ends the program.
#[derive(Debug)]
pub struct Promise<T>(Task<T>);

impl<T> Promise<T> {
    /// Cancels the task, and waits until that is done.
    pub async fn cancel(self) -> Result<T, Aborted> {
        self.0.cancel().await.ok_or(Aborted::Cancelled)
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Aborted>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Ok)
    }
}

/// Starts a task.
pub fn spawn<F>(future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    EXECUTOR.with(|executor| Promise(executor.spawn(future)))
}

/// As [`spawn`]: names are nothing to this executor.
pub fn spawn_named<F>(_: impl Into<Cow<'static, str>>, future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn(future)
}

/// As [`spawn`]: a driver is a task like any other.
pub fn spawn_driver<F>(_: impl Into<Cow<'static, str>>, future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn(future)
}

/// Goes to the end of the queue.
pub async fn yield_now() {
    futures_lite::future::yield_now().await;
}
