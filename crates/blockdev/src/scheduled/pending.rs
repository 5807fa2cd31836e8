use alloc::rc::Rc;
use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::request::Work;
use super::state::{Outcome, State};
use crate::SectorDevice;

/// A request, for its first poll to submit and for the others to help with.
pub(super) struct Pending<D: SectorDevice> {
    state: Rc<RefCell<State<D>>>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nobody knows of it.
    New(Work, Range<u64>),
    /// It is queued, or done; this is its ticket.
    Submitted(u64),
    /// Its outcome has been taken.
    Taken,
}

impl<D: SectorDevice> Pending<D> {
    /// The bytes lie on the device, and a buffer has their length or, of a read, none.
    pub(super) fn new(state: Rc<RefCell<State<D>>>, work: Work, bytes: Range<u64>) -> Self {
        Self {
            state,
            stage: Stage::New(work, bytes),
        }
    }
}

impl<D: SectorDevice> Future for Pending<D> {
    type Output = Outcome<D::Error>;

    /// # Panics
    ///
    /// When it has been ready before.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = this.state.borrow_mut();
        match core::mem::replace(&mut this.stage, Stage::Taken) {
            // Others have a turn now, so that what they ask for is done together with this.
            Stage::New(work, bytes) => this.stage = Stage::Submitted(state.submit(work, bytes)),
            Stage::Submitted(ticket) => {
                let outcome = state.take(ticket).or_else(|| {
                    state.turn(ticket, context);
                    state.take(ticket)
                });
                if let Some(outcome) = outcome {
                    return Poll::Ready(outcome);
                }
                this.stage = Stage::Submitted(ticket);
                if state.awaits_flush(ticket) {
                    return Poll::Pending;
                }
            }
            Stage::Taken => panic!("a request is polled after it was ready"),
        }
        // What wakes may run code of others.
        drop(state);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<D: SectorDevice> fmt::Debug for Pending<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.stage).finish()
    }
}

impl<D: SectorDevice> Drop for Pending<D> {
    fn drop(&mut self) {
        if let Stage::Submitted(ticket) = self.stage {
            self.state.borrow_mut().cancel(ticket);
        }
    }
}
