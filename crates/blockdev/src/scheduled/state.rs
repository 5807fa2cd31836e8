use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::ops::Range;

use super::request::{Request, Work};
use super::{Config, Error};
use crate::{Geometry, SectorDevice};

/// The buffer of a request that was done.
pub(super) type Outcome<E> = Result<Vec<u8>, Error<E>>;

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
    /// Those among which is chosen, by their tickets.
    pub(super) active: Vec<Request>,
    /// Those for which there is no place yet, by their tickets.
    waiting: VecDeque<Request>,
    /// What nobody has taken yet.
    finished: BTreeMap<u64, Outcome<D::Error>>,
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
            active: Vec::new(),
            waiting: VecDeque::new(),
            finished: BTreeMap::new(),
            next_ticket: 0,
            head: 0,
            served: 0,
            scratch: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Requests that are not done.
    pub(super) fn len(&self) -> usize {
        self.active.len() + self.waiting.len()
    }

    /// Takes a request for bytes that lie on the device; returns its ticket.
    pub(super) fn submit(&mut self, work: Work, bytes: Range<u64>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let request = Request::new(ticket, self.served, work, bytes);
        self.waiting.push_back(request);
        self.admit();
        ticket
    }

    /// What has become of a request, once.
    pub(super) fn take(&mut self, ticket: u64) -> Option<Outcome<D::Error>> {
        self.finished.remove(&ticket)
    }

    /// Forgets a request, as far as it is not done.
    pub(super) fn cancel(&mut self, ticket: u64) {
        if self.finished.remove(&ticket).is_some() {
            return;
        }
        if let Some(index) = self.find(ticket) {
            self.remove(index);
        } else if let Ok(index) = self
            .waiting
            .binary_search_by_key(&ticket, |request| request.ticket)
        {
            self.waiting.remove(index);
        }
    }

    /// Where an active request is.
    pub(super) fn find(&self, ticket: u64) -> Option<usize> {
        self.active
            .binary_search_by_key(&ticket, |request| request.ticket)
            .ok()
    }

    /// An active request is done, or has failed.
    pub(super) fn finish(&mut self, index: usize, result: Result<(), Error<D::Error>>) {
        let request = self.remove(index);
        let ticket = request.ticket;
        let outcome = result.map(|()| request.into_buffer());
        self.finished.insert(ticket, outcome);
    }

    fn remove(&mut self, index: usize) -> Request {
        let request = self.active.remove(index);
        for later in &mut self.active[index..] {
            later.blockers -= usize::from(request.precedes(later));
        }
        self.admit();
        request
    }

    /// Those that wait take the places that there are.
    fn admit(&mut self) {
        while self.active.len() < self.config.requests.max(1) {
            let Some(mut request) = self.waiting.pop_front() else {
                break;
            };
            request.blockers = self
                .active
                .iter()
                .filter(|earlier| earlier.precedes(&request))
                .count();
            self.active.push(request);
        }
    }
}
