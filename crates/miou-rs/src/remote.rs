//! Tasks from other threads.
//!
//! A task that another thread spawns is one of `async-task`, whose state is
//! atomic: its handle and its wakers may be anywhere. Its [`Runnable`], which
//! there is whenever the task is to be polled, is sent to the scheduler's
//! thread as a wake of any other task is, by the inbox. There a task of the
//! scheduler's own, its *stand-in*, polls it: so that it is named, counted and
//! cancelled, and has its turns, as all others.

mod body;
mod promise;

use core::panic::Location;
use std::borrow::Cow;
use std::sync::Arc;

use crate::scheduler;
use crate::task::shared::{Message, Shared};
use body::Body;
pub(crate) use body::{End, Info, Runnable};
pub use promise::{RemoteCancel, RemotePromise};

/// A scheduler, for other threads: they spawn tasks on it.
///
/// What `tokio::runtime::Handle` is to tokio. The futures are sent to the
/// scheduler's thread and polled and dropped there, by its rules: a task that
/// another thread spawns or wakes is an [event task](crate#the-rules), a panic
/// ends it and is told to whoever awaits it, and the scheduler's end cancels it.
/// It is nobody's child. As its future is `Send`, it cannot hold a
/// [`Promise`](crate::Promise) while it waits; a channel of `miou_rs::sync`
/// reaches the scheduler's own tasks.
///
/// A `Remote` does not keep the scheduler running. When that has ended, what is
/// spawned is [cancelled](crate::Aborted::Cancelled) at once.
///
#[cfg_attr(all(feature = "host", feature = "sync"), doc = "```")]
#[cfg_attr(not(all(feature = "host", feature = "sync")), doc = "```ignore")]
/// use futures_lite::future::block_on;
/// use miou_rs::sync::bounded;
/// use miou_rs::{Remote, run};
///
/// run(async {
///     let remote = Remote::current();
///     let (sender, receiver) = bounded(1);
///     std::thread::spawn(move || {
///         block_on(remote.spawn(async move { sender.send(42).await }))
///     });
///     assert_eq!(receiver.recv().await, Ok(42));
/// });
/// ```
#[doc(alias = "Handle")]
#[derive(Clone)]
pub struct Remote {
    shared: Arc<Shared>,
}

impl Remote {
    /// The scheduler that runs on this thread.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn current() -> Self {
        let shared = scheduler::with(|local| local.shared.clone());
        Self { shared }
    }

    /// Starts a task, from any thread.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> RemotePromise<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(future, None, Location::caller())
    }

    /// Starts a task that goes by `name`: see
    /// [`spawn_named`](crate::spawn_named).
    #[track_caller]
    pub fn spawn_named<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> RemotePromise<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_at(future, Some(name.into()), Location::caller())
    }

    fn spawn_at<F>(
        &self,
        future: F,
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
    ) -> RemotePromise<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shared = self.shared.clone();
        spawn(future, Info::new(name, location), move |runnable| {
            send(&shared, runnable);
        })
    }
}

impl core::fmt::Debug for Remote {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

/// Makes a task, and has it polled for the first time.
pub(crate) fn spawn<F>(
    future: F,
    info: Info,
    schedule: impl Fn(Runnable) + Send + Sync + 'static,
) -> RemotePromise<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let info = Arc::new(info);
    let body = Body::new(future, info.clone());
    let (runnable, task) = async_task::Builder::new()
        .metadata(info.clone())
        .spawn(|_| body, schedule);
    runnable.schedule();
    RemotePromise::new(task.fallible(), info)
}

/// Brings a task to the scheduler that polls it; if that has ended, drops the
/// future, which closes the task.
fn send(shared: &Arc<Shared>, runnable: Runnable) {
    let mut runnable = Some(runnable);
    scheduler::with_owner(Arc::as_ptr(shared), |local| {
        if let Some(runnable) = runnable.take() {
            local.run_remote(runnable);
        }
    });
    if let Some(runnable) = runnable {
        drop(shared.send(Message::Run(runnable)));
    }
}
