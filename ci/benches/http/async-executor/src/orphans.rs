//! Tasks that nobody awaits one by one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use real::{Aborted, Care};

use crate::{Promise, spawn};

/// As miou-rs's.
pub struct Orphans<T> {
    tasks: HashMap<u64, Promise<()>>,
    spawned: u64,
    finished: Rc<RefCell<Finished<T>>>,
}

/// The results of tasks that have ended, in that order, and who waits for one.
struct Finished<T> {
    results: VecDeque<(u64, T)>,
    waker: Option<Waker>,
}

impl<T: 'static> Default for Orphans<T> {
    fn default() -> Self {
        let finished = Finished {
            results: VecDeque::new(),
            waker: None,
        };
        Self {
            tasks: HashMap::new(),
            spawned: 0,
            finished: Rc::new(RefCell::new(finished)),
        }
    }
}

impl<T: 'static> Orphans<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task in this set.
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) {
        let key = self.spawned;
        self.spawned += 1;
        let finished = self.finished.clone();
        let task = spawn(async move {
            let result = future.await;
            let mut finished = finished.borrow_mut();
            finished.results.push_back((key, result));
            if let Some(waker) = finished.waker.take() {
                waker.wake();
            }
        });
        self.tasks.insert(key, task);
    }

    /// As [`Orphans::spawn`]: names are nothing to this executor.
    pub fn spawn_named(
        &mut self,
        _: impl Into<Cow<'static, str>>,
        future: impl Future<Output = T> + 'static,
    ) {
        self.spawn(future);
    }

    /// Takes the result of a task that has ended, without waiting.
    pub fn care(&mut self) -> Care<T> {
        let finished = self.finished.borrow_mut().results.pop_front();
        match finished {
            Some((key, result)) => {
                self.tasks.remove(&key);
                Care::Finished(Ok(result))
            }
            None if self.tasks.is_empty() => Care::Empty,
            None => Care::Pending,
        }
    }

    /// Waits for the next result; none if there are no tasks.
    pub async fn next(&mut self) -> Option<Result<T, Aborted>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Tasks whose results were not taken.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl<T: 'static> Stream for Orphans<T> {
    type Item = Result<T, Aborted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.care() {
            Care::Finished(result) => Poll::Ready(Some(result)),
            Care::Empty => Poll::Ready(None),
            Care::Pending => {
                self.finished.borrow_mut().waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

// Nothing in it is pinned.
impl<T> Unpin for Orphans<T> {}

impl<T> fmt::Debug for Orphans<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphans").finish_non_exhaustive()
    }
}
