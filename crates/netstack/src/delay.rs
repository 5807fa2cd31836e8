//! Waiting for a time, by the runner's alarm.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::shared::{Limit, Shared};

/// Is ready when its time has come, or the stack has ended.
pub(crate) struct Delay {
    shared: Shared,
    limit: Limit,
}

impl Delay {
    pub(crate) fn new(shared: &Shared, duration: Duration) -> Self {
        let deadline = shared.with(|inner| inner.now()) + duration;
        Self {
            shared: shared.clone(),
            limit: Limit::at(deadline),
        }
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared
            .with(|inner| inner.poll_limit(&mut this.limit, context.waker()))
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if self.limit.is_set() {
            self.shared.with(|inner| inner.end_limit(&mut self.limit));
        }
    }
}

/// Does `work`, for at most `duration`; then it is dropped, with an error of kind `TimedOut`.
pub(crate) async fn within<T>(
    shared: &Shared,
    duration: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut work, mut delay) = (pin!(work), Delay::new(shared, duration));
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending => Pin::new(&mut delay)
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into())),
        ready => ready,
    })
    .await
}
