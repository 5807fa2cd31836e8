//! What is done next.

use alloc::sync::Arc;
use core::mem;
use core::task::{Context, Poll};

use super::request::Request;
use super::state::{Flushing, State};
use crate::device::failed;
use crate::{Operation, SectorDevice};

impl<D: SectorDevice> State<D> {
    /// Does a slice of what is queued: something, if there is anything. If the request waits for a flush that goes on, the
    /// task is woken at its end.
    pub(super) fn turn(&mut self, ticket: u64, context: &mut Context<'_>) {
        if self.flush(ticket, context) {
            return;
        }
        let slice = self.config.slice as u64;
        let mut spent = 0;
        let mut next = self.overdue().or_else(|| self.next_upwards());
        while let Some(index) = next {
            spent += self.serve(index, slice.saturating_sub(spent));
            next = self
                .next_upwards()
                .filter(|&index| spent.saturating_add(self.cost(index)) <= slice);
        }
        self.served += spent;
    }

    /// Attends to flushes; whether there was anything to do.
    fn flush(&mut self, ticket: u64, context: &mut Context<'_>) -> bool {
        self.gather_flushes();
        // Its end concerns nobody else, and the device would keep the wakers of all who ask.
        if self.flushing.is_some() && !self.awaits_flush(ticket) {
            return false;
        }
        let (number, tickets) = if let Some(Flushing { number, tickets }) = self.flushing.take() {
            (Ok(number), tickets)
        } else if self.flushes.is_empty() {
            return false;
        } else {
            (self.device.begin_flush(), mem::take(&mut self.flushes))
        };
        let ended = match number {
            Ok(number) => match self.device.poll_flush(number, context) {
                Poll::Ready(ended) => ended,
                Poll::Pending => {
                    self.flushing = Some(Flushing { number, tickets });
                    return false;
                }
            },
            Err(error) => Err(error),
        };
        let ended = ended.map_err(|error| failed(Operation::Flush, 0, 0)(Arc::new(error)));
        self.finish_flushes(tickets, ended);
        true
    }

    /// Takes out those whose writes before them are done: they keep no place from others.
    fn gather_flushes(&mut self) {
        let is_ready = |request: &Request| request.is_flush() && request.is_free();
        loop {
            let ready = self.active.iter().position(is_ready);
            let Some(index) = ready else { break };
            let flush = self.remove(index);
            self.flushes.push(flush.ticket);
        }
    }

    /// The oldest that has been overtaken by too much.
    fn overdue(&self) -> Option<usize> {
        self.active.iter().position(|request| {
            !request.is_flush()
                && request.is_free()
                && self.served - request.since >= self.config.patience
        })
    }

    /// The next above the head, or the lowest of all (C-SCAN).
    fn next_upwards(&self) -> Option<usize> {
        self.active.next_upwards(self.head)
    }
}
