use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use super::active::Active;
use super::request::{Request, Work};
use super::{Config, Error};
use crate::{Geometry, SectorDevice};

/// The buffer of a request that was done.
pub(super) type Outcome<E> = Result<Vec<u8>, Error<E>>;

/// A flush that the device goes on with.
#[derive(Debug)]
pub(super) struct Flushing {
    /// The device's number of it.
    pub(super) number: u64,
    /// Whom it is for, in ascending order.
    pub(super) tickets: Vec<u64>,
}

/// What the handles of a queue share.
///
/// Every request here belongs to a future that is alive: one that is dropped takes its own back.
#[derive(Debug)]
pub(super) struct State<D: SectorDevice> {
    pub(super) device: D,
    pub(super) geometry: Geometry,
    pub(super) config: Config,
    /// Most bytes of one transfer, whole blocks, at least one: what the device takes, and a slice.
    pub(super) most: usize,
    pub(super) active: Active,
    /// Those for which there is no place yet, by their tickets.
    waiting: VecDeque<Request>,
    /// The flush that goes on.
    pub(super) flushing: Option<Flushing>,
    /// Flushes whose writes are done, by their tickets in ascending order: for them the next one is. (What one waits for,
    /// later ones do.)
    pub(super) flushes: Vec<u64>,
    /// What nobody has taken yet, by tickets: as a rule few, or flushes, which are taken in this order.
    finished: VecDeque<(u64, Outcome<D::Error>)>,
    next_ticket: u64,
    /// Where the last transfer ended.
    pub(super) head: u64,
    /// What has been transferred, in bytes, calls included.
    pub(super) served: u64,
    /// A transfer of several requests, or of a part of a block, passes through here.
    pub(super) scratch: Vec<u8>,
    /// The requests of a transfer, and how many bytes are each one's.
    pub(super) pieces: Vec<(u64, usize)>,
}

impl<D: SectorDevice> State<D> {
    pub(super) fn new(device: D, config: Config) -> Self {
        let geometry = device.geometry();
        let block_size = geometry.block_size();
        let most = device.max_transfer().min(config.slice).max(block_size);
        Self {
            geometry,
            config,
            most: most - most % block_size,
            device,
            active: Active::default(),
            waiting: VecDeque::new(),
            flushing: None,
            flushes: Vec::new(),
            finished: VecDeque::new(),
            next_ticket: 0,
            head: 0,
            served: 0,
            scratch: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Requests that are not done.
    pub(super) fn len(&self) -> usize {
        let flushing = self.flushing.iter().flat_map(|flush| &flush.tickets);
        self.active.len() + self.waiting.len() + self.flushes.len() + flushing.count()
    }

    /// Takes a request for bytes that lie on the device; returns its ticket.
    pub(super) fn submit(&mut self, work: Work, bytes: Range<u64>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let request = Request::new(ticket, self.served, work, bytes);
        // As long as others wait there is none.
        if self.has_room() {
            self.active.push(request);
        } else {
            self.waiting.push_back(request);
        }
        ticket
    }

    /// What has become of a request, once.
    pub(super) fn take(&mut self, ticket: u64) -> Option<Outcome<D::Error>> {
        let index = self.finished.iter().position(|(of, _)| *of == ticket)?;
        let (_, outcome) = self.finished.swap_remove_front(index)?;
        Some(outcome)
    }

    /// Forgets a request, as far as it is not done.
    pub(super) fn cancel(&mut self, ticket: u64) {
        if self.take(ticket).is_some() {
            return;
        }
        if let Some(index) = self.active.find(ticket) {
            self.remove(index);
        } else if let Ok(index) = self
            .waiting
            .binary_search_by_key(&ticket, |request| request.ticket)
        {
            self.waiting.remove(index);
        } else {
            self.flushes.retain(|flush| *flush != ticket);
            if let Some(flushing) = &mut self.flushing {
                flushing.tickets.retain(|flush| *flush != ticket);
            }
        }
    }

    /// Whether the request is for the end of a flush to go on, of which the device tells the task.
    pub(super) fn awaits_flush(&self, ticket: u64) -> bool {
        self.flushing.as_ref().is_some_and(|flushing| {
            let mut tickets = [&flushing.tickets, &self.flushes].into_iter();
            tickets.any(|tickets| tickets.binary_search(&ticket).is_ok())
        })
    }

    /// An active request is done, or has failed.
    pub(super) fn finish(&mut self, index: usize, result: Result<(), Error<D::Error>>) {
        let request = self.remove(index);
        let ticket = request.ticket;
        let outcome = result.map(|()| request.into_buffer());
        self.finished.push_back((ticket, outcome));
    }

    /// All of these flushes are done, or have failed.
    pub(super) fn finish_flushes(
        &mut self,
        tickets: Vec<u64>,
        result: Result<(), Error<D::Error>>,
    ) {
        let outcome = result.map(|()| Vec::new());
        let finished = tickets.into_iter().map(|ticket| (ticket, outcome.clone()));
        self.finished.extend(finished);
    }

    /// Takes a request out; those that wait take the places that there are.
    pub(super) fn remove(&mut self, index: usize) -> Request {
        let request = self.active.remove(index);
        while self.has_room() {
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.active.push(next);
        }
        request
    }

    fn has_room(&self) -> bool {
        self.active.len() < self.config.requests.max(1)
    }
}
