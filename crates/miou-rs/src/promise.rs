//! The handle on a task.

use core::marker::PhantomData;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::borrow::Cow;

use crate::scheduler::{self, Local};
use crate::task::TaskRef;
use crate::task::outcome::Aborted;
use crate::task::state::flag;
use crate::task::{block, raw, waker};

/// A task, for the one who spawned it: its result, or its end.
///
/// Awaiting a promise gives what the task returned, or says why it returned
/// nothing. **Dropping it cancels the task**: the task's future is dropped
/// before `drop` returns (unless the task drops its own promise while it runs;
/// then it is dropped when it next suspends). There is no way to detach a task;
/// one that should go on without being awaited belongs into
/// [`Orphans`](crate::Orphans).
///
/// Whoever holds a promise is the parent of its task: a promise can be returned
/// or sent to another task of the same scheduler, which then is. What a task
/// still holds when it ends is dropped with its future, so its children are
/// gone before its own result can be seen.
///
/// `mem::forget` on a promise leaves the task to run until the scheduler ends.
///
/// Miou's `Promise.t`; elsewhere `JoinHandle` (tokio, which detaches when it is
/// dropped) or `Task` (smol).
#[doc(alias = "JoinHandle")]
#[doc(alias = "Task")]
#[must_use = "dropping a promise cancels its task"]
pub struct Promise<T> {
    task: TaskRef,
    /// Neither `Send` nor `Sync`; owns a `T`.
    marker: PhantomData<(*const (), T)>,
}

// A promise is a pointer and never pins what it points to through itself.
impl<T> Unpin for Promise<T> {}

/// Starts a task. It is polled when its turn comes, not now. tokio's
/// `spawn_local`, Miou's `async`.
///
/// # Panics
///
/// Outside of a scheduler.
///
/// # Examples
///
/// ```
/// use miou_rs::{Builder, VirtualClock, spawn};
///
/// Builder::new().run_with(VirtualClock::new(), async {
///     let promise = spawn(async { 6 * 7 });
///     assert_eq!(promise.await.unwrap(), 42);
/// });
/// ```
#[doc(alias = "spawn_local")]
#[doc(alias = "async")]
#[track_caller]
pub fn spawn<F>(future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    scheduler::with(|local| Promise::spawn(local, future, None, location, 0))
}

/// Starts a task that goes by `name` in [`stats`](crate::stats) and in the
/// spans of the `tracing` feature.
///
/// # Panics
///
/// Outside of a scheduler.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Cow<'static, str>>, future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    let name = Some(name.into());
    scheduler::with(|local| Promise::spawn(local, future, name, location, 0))
}

/// Starts a task that hands events on to others, such as one that drains a
/// device: it is always an event task, even after it has yielded or when a
/// task of the other lane wakes it. Nothing that waits
/// for an event through it waits behind tasks that merely yield.
///
/// # Panics
///
/// Outside of a scheduler.
#[track_caller]
pub fn spawn_driver<F>(name: impl Into<Cow<'static, str>>, future: F) -> Promise<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let location = Location::caller();
    let name = Some(name.into());
    scheduler::with(|local| Promise::spawn(local, future, name, location, flag::DRIVER))
}

impl<T> Promise<T> {
    pub(crate) fn spawn<F>(
        local: &Local,
        future: F,
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
        flags: i32,
    ) -> Self
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        Self {
            task: local.spawn(future, name, location, flags),
            marker: PhantomData,
        }
    }

    /// Whether the task has ended, so that awaiting it does not wait.
    pub fn is_finished(&self) -> bool {
        // SAFETY: pinned by `PROMISE`.
        !unsafe { self.task.as_ref() }.has(flag::ALIVE)
    }

    /// The task, which is not freed before this is dropped.
    #[cfg(feature = "remote")]
    pub(crate) fn task(&self) -> TaskRef {
        self.task
    }

    /// Whether the task has ended with a value, which was not taken.
    pub(crate) fn has_value(&self) -> bool {
        // SAFETY: pinned by `PROMISE`.
        unsafe { self.task.as_ref() }.has(flag::VALUE)
    }

    /// Cancels the task, and waits until it and its children are gone. tokio's
    /// `abort`, and then to await the handle.
    ///
    /// The task is cancelled by this call already, and its future dropped
    /// before it returns, unless the task is running, that is, cancels itself.
    /// The future returned gives the result if the task had ended before, and
    /// otherwise says that it was cancelled, or that a destructor panicked.
    #[doc(alias = "abort")]
    pub fn cancel(self) -> Cancel<T> {
        scheduler::try_with(|local| local.cancel(self.task));
        Cancel { promise: self }
    }

    /// Takes the outcome of a task that has ended.
    ///
    /// # Panics
    ///
    /// If it was taken before.
    #[track_caller]
    pub(crate) fn take_finished(&self) -> Option<Result<T, Aborted>> {
        // SAFETY: pinned by `PROMISE`; a promise is made with the output of
        // the future that its task was spawned with, and stays on its thread.
        self.is_finished()
            .then(|| unsafe { raw::take_outcome(self.task) })
    }
}

impl<T> Future for Promise<T> {
    type Output = Result<T, Aborted>;

    /// # Panics
    ///
    /// If it was polled before and gave the result.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.take_finished() {
            return Poll::Ready(outcome);
        }
        // SAFETY: pinned by `PROMISE`, on its thread.
        unsafe { self.task.as_ref().awaiter.set(context.waker(), self.task) };
        Poll::Pending
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // SAFETY: pinned by `PROMISE`; `shared` never changes.
        let shared = unsafe { block::of(self.task) }.shared;
        if scheduler::with_owner(shared, |local| local.abandon(self.task)).is_none() {
            // The scheduler has ended: no other may be current on this thread
            // before it has. So the task is severed and this is one of the references
            // that are counted.
            struct Reference(TaskRef);
            impl Drop for Reference {
                fn drop(&mut self) {
                    // SAFETY: see above; the inbox was closed when the
                    // scheduler ended.
                    unsafe { waker::drop_severed(self.0) }
                }
            }
            let reference = Reference(self.task);
            // SAFETY: not freed, as the reference is counted; not alive since
            // its scheduler has ended; and a promise stays on its thread.
            unsafe { raw::drop_outcome(reference.0) }
        }
    }
}

impl<T> core::fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // SAFETY: pinned by `PROMISE`.
        let location = unsafe { block::of(self.task) }.location;
        f.debug_struct("Promise")
            .field("spawned_at", &format_args!("{location}"))
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The future of [`Promise::cancel`].
#[must_use = "the task is cancelled, but whether it is gone is known only by awaiting"]
#[derive(Debug)]
pub struct Cancel<T> {
    promise: Promise<T>,
}

impl<T> Future for Cancel<T> {
    type Output = Result<T, Aborted>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.promise).poll(context)
    }
}
