//! Waiting for a time, by the runner's alarm.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::driver::{DriverRef, Limit};

/// Is ready when its time has come, or the stack has ended.
pub(crate) struct Delay {
    driver: DriverRef,
    limit: Limit,
}

impl Delay {
    pub(crate) fn new(driver: &DriverRef, duration: Duration) -> Self {
        let deadline = driver.with(|driver| driver.now()) + duration;
        Self {
            driver: driver.clone(),
            limit: Limit::at(deadline),
        }
    }
}

impl Future for Delay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.driver
            .with(|driver| driver.poll_limit(&mut this.limit, context.waker()))
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        if self.limit.is_set() {
            self.driver.with(|driver| driver.end_limit(&mut self.limit));
        }
    }
}

/// Does `work`, for at most `duration`; then it is dropped, with an error of kind `TimedOut`.
pub(crate) async fn within<T>(
    driver: &DriverRef,
    duration: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let (mut work, mut delay) = (pin!(work), Delay::new(driver, duration));
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Pending => Pin::new(&mut delay)
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into())),
        ready => ready,
    })
    .await
}
