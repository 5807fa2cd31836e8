//! Giving way to other tasks.

use core::pin::Pin;
use core::task::{Context, Poll};

/// Lets the other tasks that are ready run before this one goes on.
///
/// The task goes to the end of the run queue, behind all that are ready, and
/// those that an event makes ready meanwhile go ahead of it.
#[doc(alias = "yield")]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
