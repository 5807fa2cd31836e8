//! The events of a stack's addresses, as a stream.

use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::driver::Queue;
use crate::driver::address_events::AddressEvent;
use crate::driver::waiting::Place;
use crate::sockets::stack::Stack;

/// What happens to the addresses of a [`Stack`] from [`Stack::address_events`] on. The last 32 events are
/// kept for who reads slowly. It ends with the stack.
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct AddressEvents<'a> {
    place: Place<'a>,
    next: u64,
}

impl<'a> AddressEvents<'a> {
    pub(super) fn new(stack: &'a Stack) -> Self {
        Self {
            place: Place::new(&stack.driver, Queue::Address),
            next: stack.driver.with(|driver| driver.next_address_event()),
        }
    }
}

impl Stream for AddressEvents<'_> {
    type Item = AddressEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<AddressEvent>> {
        let Self { place, next } = self.get_mut();
        place.poll(context, |driver| match driver.poll_address_event(next) {
            Poll::Pending if driver.check().is_err() => Poll::Ready(None),
            event => event.map(Some),
        })
    }
}
