//! Waiting for a time, by the runner's alarm.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::proto::Instant;
use crate::shared::Shared;

/// Is ready when its time has come, or the stack has ended.
pub(crate) struct Delay {
    shared: Shared,
    deadline: Instant,
    key: Option<(Instant, u64)>,
}

impl Delay {
    pub(crate) fn new(shared: &Shared, duration: Duration) -> Self {
        let deadline = shared.with(|inner| inner.now()) + duration;
        Self {
            shared: shared.clone(),
            deadline,
            key: None,
        }
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (key, deadline) = (self.key.take(), self.deadline);
        let key = self.shared.with(|inner| {
            if let Some(key) = key {
                inner.remove_delay(key);
            }
            let over = inner.check().is_err() || inner.now() >= deadline;
            (!over).then(|| inner.add_delay(deadline, context.waker().clone()))
        });
        self.key = key;
        match key {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.shared.with(|inner| inner.remove_delay(key));
        }
    }
}

/// The end of a wait that a user has limited: made when the wait begins, dropped when it ends.
#[derive(Default)]
pub(crate) struct Limit {
    delay: Option<Delay>,
}

impl Limit {
    /// Passes on a poll's result, or, when it has been pending for `timeout`, an error of kind
    /// `TimedOut`.
    pub(crate) fn apply<T>(
        &mut self,
        context: &mut Context<'_>,
        shared: &Shared,
        timeout: Option<Duration>,
        poll: Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        let (Poll::Pending, Some(timeout)) = (&poll, timeout) else {
            self.delay = None;
            return poll;
        };
        let delay = self
            .delay
            .get_or_insert_with(|| Delay::new(shared, timeout));
        if Pin::new(delay).poll(context).is_pending() {
            return Poll::Pending;
        }
        self.delay = None;
        Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()))
    }
}
