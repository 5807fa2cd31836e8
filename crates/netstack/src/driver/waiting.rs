//! Futures that wait for calls on a stack.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::driver::waiters::Ticket;
use crate::driver::{Driver, DriverRef, Queue};

/// A call that is made again whenever something has happened in `queue`, until it is ready.
///
/// Dropped, it leaves nothing behind.
pub(crate) struct Waiting<'a, F> {
    driver: &'a DriverRef,
    queue: Queue,
    ticket: Option<Ticket>,
    call: F,
}

impl<'a, F, T> Waiting<'a, F>
where
    F: FnMut(&mut Driver) -> Poll<T> + Unpin,
{
    pub(crate) fn new(driver: &'a DriverRef, queue: Queue, call: F) -> Self {
        Self {
            driver,
            queue,
            ticket: None,
            call,
        }
    }
}

impl<F, T> Future for Waiting<'_, F>
where
    F: FnMut(&mut Driver) -> Poll<T> + Unpin,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.driver.with(|driver| {
            let poll = (this.call)(driver);
            match poll {
                Poll::Pending => driver.wait(this.queue, &mut this.ticket, context.waker()),
                Poll::Ready(_) => driver.leave(this.queue, &mut this.ticket),
            }
            poll
        })
    }
}

impl<F> Drop for Waiting<'_, F> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.driver
                .with(|driver| driver.leave(self.queue, &mut self.ticket));
        }
    }
}
