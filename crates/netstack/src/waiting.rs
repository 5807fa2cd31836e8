//! Futures that wait for calls on a stack.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::shared::{Inner, Queue, Shared};
use crate::waiters::Ticket;

/// A call that is made again whenever something has happened in `queue`, until it is ready.
///
/// Dropped, it leaves nothing behind.
pub(crate) struct Waiting<'a, F> {
    shared: &'a Shared,
    queue: Queue,
    ticket: Option<Ticket>,
    call: F,
}

impl<'a, F, T> Waiting<'a, F>
where
    F: FnMut(&mut Inner) -> Poll<T> + Unpin,
{
    pub(crate) fn new(shared: &'a Shared, queue: Queue, call: F) -> Self {
        Self {
            shared,
            queue,
            ticket: None,
            call,
        }
    }
}

impl<F, T> Future for Waiting<'_, F>
where
    F: FnMut(&mut Inner) -> Poll<T> + Unpin,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.shared.with(|inner| {
            let poll = (this.call)(inner);
            match poll {
                Poll::Pending => inner.wait(this.queue, &mut this.ticket, context.waker()),
                Poll::Ready(_) => inner.leave(this.queue, &mut this.ticket),
            }
            poll
        })
    }
}

impl<F> Drop for Waiting<'_, F> {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.shared
                .with(|inner| inner.leave(self.queue, &mut self.ticket));
        }
    }
}
