//! Who waits for a commit, and the task that makes one of what waits.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use blockdev::SectorDevice;

use super::super::StoreError;
use super::{Batch, Shared};

/// Most bytes that one group takes from the queue, but for one batch.
const GROUP_BYTES: usize = 1 << 20;
/// Most turns of others for which a group waits to grow.
const TURNS: usize = 16;

/// Why a batch was not committed: as [`StoreError`], but shared by all whose transaction it was.
#[derive(Clone, Debug)]
pub struct CommitError(Rc<StoreError>);

impl CommitError {
    /// What went wrong.
    pub fn get_ref(&self) -> &StoreError {
        &self.0
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CommitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// What a waiting task and the committer have in common.
#[derive(Default)]
struct Ticket {
    outcome: Cell<Option<Result<(), CommitError>>>,
    waker: Cell<Option<Waker>>,
    cancelled: Cell<bool>,
}

pub(super) struct Waiting {
    pub(super) batch: Batch,
    ticket: Rc<Ticket>,
}

/// The future of a commit; when it is dropped nobody waits any more.
#[derive(Default)]
pub(super) struct Place(Rc<Ticket>);

impl Place {
    /// What is to be queued.
    pub(super) fn take_for(&self, batch: Batch) -> Waiting {
        Waiting {
            batch,
            ticket: Rc::clone(&self.0),
        }
    }
}

impl Future for Place {
    type Output = Result<(), CommitError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.0.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.cancelled.set(true);
    }
}

pub(super) async fn commit_all<D>(shared: Rc<Shared<D>>)
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    while shared.wait().await {
        shared.gather().await;
        let group = shared.take();
        match shared.commit(&group).await {
            // Nothing of it has been done, and who can be served is served. After any other failure some of it may have been,
            // and nobody may be told that there was no room.
            Err(StoreError::Full { .. }) if group.len() > 1 => {
                for one in &group {
                    let one = std::slice::from_ref(one);
                    answer(one, shared.commit(one).await);
                    crate::yield_now().await;
                }
            }
            outcome => answer(&group, outcome),
        }
    }
}

fn answer(group: &[Waiting], outcome: Result<(), StoreError>) {
    let outcome = outcome.map_err(|error| CommitError(Rc::new(error)));
    for waiting in group {
        waiting.ticket.outcome.set(Some(outcome.clone()));
        if let Some(waker) = waiting.ticket.waker.take() {
            waker.wake();
        }
    }
}

impl<D> Shared<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    /// Waits until there is something to do; false if there never will be.
    async fn wait(self: &Rc<Self>) -> bool {
        poll_fn(|context| {
            if !self.queue.borrow().is_empty() {
                return Poll::Ready(true);
            }
            if Rc::strong_count(self) == 1 {
                return Poll::Ready(false);
            }
            self.idle.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// Lets whoever is ready to ask for something come along: as long as each turn of the others brings something.
    async fn gather(&self) {
        let mut bytes = 0;
        for _ in 0..TURNS {
            let queued = self
                .queue
                .borrow()
                .iter()
                .map(|next| next.batch.bytes)
                .sum();
            if mem::replace(&mut bytes, queued) == queued || queued > GROUP_BYTES {
                break;
            }
            crate::yield_now().await;
        }
    }

    /// What is next in the queue, all of it of one kind, without that for which nobody waits.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = self.queue.borrow_mut();
        let mut group: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.front() {
            let other = group
                .first()
                .is_some_and(|first| first.batch.space() != next.batch.space());
            bytes += next.batch.bytes;
            if other || (bytes > GROUP_BYTES && !group.is_empty()) {
                break;
            }
            group.extend(
                queue
                    .pop_front()
                    .filter(|next| !next.ticket.cancelled.get()),
            );
        }
        group
    }
}
