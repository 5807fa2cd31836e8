//! Tasks that nobody awaits one by one.

use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;

use futures_core::Stream;
use slab::Slab;

use crate::scheduler;
use crate::{Aborted, Promise};

/// A set of tasks that go on in the background, and whose results are taken as
/// they come: what a server keeps its connections in.
///
/// Memory is in proportion to the tasks whose results were not taken. Dropping
/// the set cancels what remains.
///
/// It is a [`Stream`] of results. tokio's `JoinSet`, Miou's `orphans`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use miou_rs::{Builder, Care, Orphans, VirtualClock, sleep};
///
/// Builder::new().run_with(VirtualClock::new(), async {
///     let mut connections = Orphans::new();
///     for number in 0..10 {
///         sleep(Duration::from_millis(1)).await; // accept
///         connections.spawn(async move { number });
///         while let Care::Finished(result) = connections.care() {
///             result.unwrap();
///         }
///     }
///     while let Some(result) = connections.next().await {
///         result.unwrap();
///     }
/// });
/// ```
#[doc(alias = "JoinSet")]
#[doc(alias = "FuturesUnordered")]
pub struct Orphans<T> {
    promises: Slab<Promise<T>>,
    finished: Rc<Finished>,
}

/// What [`Orphans::care`] found.
#[derive(Debug)]
pub enum Care<T> {
    /// A task has ended, thus; it is no longer in the set.
    Finished(Result<T, Aborted>),
    /// There are tasks, none of which has ended.
    Pending,
    /// There are no tasks.
    Empty,
}

/// The keys of tasks that have ended, in that order.
#[derive(Default)]
struct Finished {
    keys: RefCell<VecDeque<usize>>,
    waker: Cell<Option<Waker>>,
}

impl<T: 'static> Orphans<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            promises: Slab::new(),
            finished: Rc::default(),
        }
    }

    /// Starts a task in this set.
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F)
    where
        F: Future<Output = T> + 'static,
    {
        self.spawn_at(future, None, Location::caller());
    }

    /// Starts a task in this set that goes by `name`: see
    /// [`spawn_named`](crate::spawn_named).
    ///
    /// # Panics
    ///
    /// Outside of a scheduler.
    #[track_caller]
    pub fn spawn_named<F>(&mut self, name: impl Into<Cow<'static, str>>, future: F)
    where
        F: Future<Output = T> + 'static,
    {
        self.spawn_at(future, Some(name.into()), Location::caller());
    }

    fn spawn_at<F>(
        &mut self,
        future: F,
        name: Option<Cow<'static, str>>,
        location: &'static Location<'static>,
    ) where
        F: Future<Output = T> + 'static,
    {
        let vacant = self.promises.vacant_entry();
        // Dropped with the future, whether that has ended, panicked or was
        // cancelled.
        let report = Report {
            finished: self.finished.clone(),
            key: vacant.key(),
        };
        let task = async move {
            let _report = report;
            future.await
        };
        vacant.insert(scheduler::with(|local| {
            Promise::spawn(local, task, name, location, 0)
        }));
    }

    /// Takes the result of a task that has ended, the earliest first, without
    /// waiting. tokio's `try_join_next`, under Miou's name.
    #[doc(alias = "try_join_next")]
    pub fn care(&mut self) -> Care<T> {
        // Bounded: each turn takes a key that was put in by a task.
        loop {
            let key = self.finished.keys.borrow_mut().pop_front();
            let Some(key) = key else {
                break;
            };
            // A key may be that of a task that was taken out meanwhile, or of
            // another that has its place now.
            if self.promises.get(key).is_some_and(Promise::is_finished)
                && let Some(result) = self.promises.remove(key).take_finished()
            {
                return Care::Finished(result);
            }
        }
        if self.promises.is_empty() {
            Care::Empty
        } else {
            Care::Pending
        }
    }

    /// Waits for a task to end, and takes its result; `None` if there is none.
    /// Dropping the future loses no result. tokio's `join_next`.
    #[doc(alias = "join_next")]
    pub async fn next(&mut self) -> Option<Result<T, Aborted>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Takes a task out of the set, ended or not.
    pub fn take(&mut self) -> Option<Promise<T>> {
        let (key, _) = self.promises.iter().next()?;
        Some(self.promises.remove(key))
    }

    /// How many tasks there are whose results were not taken.
    pub fn len(&self) -> usize {
        self.promises.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.promises.is_empty()
    }
}

/// The results of the tasks, as they end. The stream ends when the set is empty,
/// and goes on when tasks are spawned again.
impl<T: 'static> Stream for Orphans<T> {
    type Item = Result<T, Aborted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.care() {
            Care::Finished(result) => Poll::Ready(Some(result)),
            Care::Empty => Poll::Ready(None),
            Care::Pending => {
                let former = self.finished.waker.replace(Some(context.waker().clone()));
                drop(former);
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), None)
    }
}

/// Says, when dropped, that a task has ended.
struct Report {
    finished: Rc<Finished>,
    key: usize,
}

impl Drop for Report {
    fn drop(&mut self) {
        self.finished.keys.borrow_mut().push_back(self.key);
        if let Some(waker) = self.finished.waker.take() {
            waker.wake();
        }
    }
}

impl<T: 'static> Default for Orphans<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> core::fmt::Debug for Orphans<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Orphans")
            .field("len", &self.promises.len())
            .finish()
    }
}
