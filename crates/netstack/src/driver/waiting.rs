//! Futures that wait for calls on a stack.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::Ticket;
use super::{Driver, DriverRef, Queue};

/// A place in `queue`, which is taken by a call that has to wait and given back by one that is ready.
///
/// Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    driver: &'a DriverRef,
    queue: Queue,
    ticket: Option<Ticket>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(driver: &'a DriverRef, queue: Queue) -> Self {
        let ticket = None;
        Self {
            driver,
            queue,
            ticket,
        }
    }

    /// Makes a call; if it is not ready the task is woken when something has happened in the queue.
    pub(crate) fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        call: impl FnOnce(&mut Driver) -> Poll<T>,
    ) -> Poll<T> {
        self.driver.with(|driver| {
            let poll = call(driver);
            match poll {
                Poll::Pending => driver.wait(self.queue, &mut self.ticket, context.waker()),
                Poll::Ready(_) => driver.leave(self.queue, &mut self.ticket),
            }
            poll
        })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.driver
                .with(|driver| driver.leave(self.queue, &mut self.ticket));
        }
    }
}

/// A call that is made again whenever something has happened in a queue, until it is ready.
pub(crate) struct Waiting<'a, F> {
    place: Place<'a>,
    call: F,
}

impl<'a, F, T> Waiting<'a, F>
where
    F: FnMut(&mut Driver) -> Poll<T> + Unpin,
{
    pub(crate) fn new(driver: &'a DriverRef, queue: Queue, call: F) -> Self {
        let place = Place::new(driver, queue);
        Self { place, call }
    }
}

impl<F, T> Future for Waiting<'_, F>
where
    F: FnMut(&mut Driver) -> Poll<T> + Unpin,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Self { place, call } = &mut *self;
        place.poll(context, call)
    }
}
