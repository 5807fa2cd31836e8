//! The handle on a task from another thread.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use async_task::FallibleTask;

use super::Info;
use super::body::Outcome;
use crate::task::outcome::Aborted;

type Task<T> = FallibleTask<Outcome<T>, Arc<Info>>;

/// A task that was spawned from any thread: its result, or its end. See
/// [`Remote::spawn`](super::Remote::spawn).
///
/// Any thread may await it, with any executor, cancel it, or drop it.
/// **Dropping it cancels the task**, as with [`Promise`](crate::Promise); but
/// the task's future is dropped on the scheduler's thread, when the task's turn
/// comes, and not before `drop` returns. A value that nobody takes is dropped
/// with whatever panic comes of it.
#[doc(alias = "JoinHandle")]
#[must_use = "dropping a promise cancels its task"]
pub struct RemotePromise<T> {
    task: Task<T>,
    info: Arc<Info>,
}

impl<T> RemotePromise<T> {
    pub(super) fn new(task: Task<T>, info: Arc<Info>) -> Self {
        Self { task, info }
    }

    /// Whether the task has ended, or is ending.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

impl<T: Send + 'static> RemotePromise<T> {
    /// Cancels the task, and waits until its future is dropped.
    ///
    /// The task is cancelled by this call already: it is not polled any more,
    /// unless it is being polled. The future returned gives the result if the
    /// task had ended before, and otherwise says that it was cancelled, or that
    /// a destructor panicked.
    #[doc(alias = "abort")]
    pub fn cancel(self) -> RemoteCancel<T> {
        let Self { task, info } = self;
        let mut future: Ending<T> = Box::pin(task.cancel());
        // The first poll cancels it.
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        match polled {
            Poll::Ready(outcome) => RemoteCancel(State::Ended(Some(result(outcome, &info)))),
            Poll::Pending => RemoteCancel(State::Ending(future, info)),
        }
    }
}

impl<T> Future for RemotePromise<T> {
    type Output = Result<T, Aborted>;

    /// If it was polled before and gave the result, it says that the task was
    /// cancelled.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.task)
            .poll(context)
            .map(|outcome| result(outcome, &self.info))
    }
}

impl<T> core::fmt::Debug for RemotePromise<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RemotePromise")
            .field("spawned_at", &format_args!("{}", self.info.location))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The future of [`RemotePromise::cancel`].
#[must_use = "the task is cancelled, but whether it is gone is known only by awaiting"]
pub struct RemoteCancel<T>(State<T>);

type Ending<T> = Pin<Box<dyn Future<Output = Option<Outcome<T>>> + Send>>;

enum State<T> {
    Ending(Ending<T>, Arc<Info>),
    /// The result, until it is taken.
    Ended(Option<Result<T, Aborted>>),
}

// The result is never pinned.
impl<T> Unpin for RemoteCancel<T> {}

impl<T> Future for RemoteCancel<T> {
    type Output = Result<T, Aborted>;

    /// # Panics
    ///
    /// If it was polled before and gave the result.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ended(outcome) => {
                let outcome = outcome.take();
                Poll::Ready(outcome.expect("not polled after it had given its result"))
            }
            State::Ending(future, info) => future
                .as_mut()
                .poll(context)
                .map(|outcome| result(outcome, info)),
        }
    }
}

impl<T> core::fmt::Debug for RemoteCancel<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RemoteCancel").finish_non_exhaustive()
    }
}

/// What `async-task` gives, and what the destructor left if it gives nothing.
fn result<T>(outcome: Option<Outcome<T>>, info: &Info) -> Result<T, Aborted> {
    match outcome.and_then(Outcome::take) {
        Some(result) => result.map_err(Aborted::Panicked),
        None => Err(match info.take_panic() {
            Some(panic) => Aborted::Panicked(panic),
            None => Aborted::Cancelled,
        }),
    }
}
