use alloc::vec::Vec;

use super::request::Request;

/// The requests among which is chosen, by their tickets.
#[derive(Debug, Default)]
pub(super) struct Active {
    requests: Vec<Request>,
    /// Where each of them goes on, or `NOWHERE`: what is looked for is found in a glance.
    places: Vec<u64>,
    /// How many of them change what is on the device.
    changes: usize,
}

/// The place of one that is a flush or must wait for others. No request goes on there, as that would
/// be its last byte at most.
const NOWHERE: u64 = u64::MAX;

impl Active {
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn get(&self, index: usize) -> &Request {
        &self.requests[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut Request {
        &mut self.requests[index]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }

    pub(super) fn find(&self, ticket: u64) -> Option<usize> {
        self.requests
            .binary_search_by_key(&ticket, |request| request.ticket)
            .ok()
    }

    /// Puts a request behind all others, which it may have to wait for.
    pub(super) fn push(&mut self, mut request: Request) {
        // Reads among themselves and flushes hold nobody up.
        if request.is_change() || self.changes > 0 {
            let earlier = self.requests.iter();
            request.blockers = earlier.filter(|it| it.precedes(&request)).count();
        }
        self.changes += usize::from(request.is_change());
        self.places.push(place(&request));
        self.requests.push(request);
    }

    /// Takes a request out, for which others need wait no longer.
    pub(super) fn remove(&mut self, index: usize) -> Request {
        let request = self.requests.remove(index);
        self.places.remove(index);
        self.changes -= usize::from(request.is_change());
        if request.is_change() || self.changes > 0 {
            let behind = self.requests[index..].iter_mut();
            for (later, at) in behind.zip(&mut self.places[index..]) {
                if request.precedes(later) {
                    later.blockers -= 1;
                    *at = place(later);
                }
            }
        }
        request
    }

    /// The next `len` bytes of a request have been transferred. Whether those were the last.
    pub(super) fn advance(&mut self, index: usize, len: usize) -> bool {
        let request = &mut self.requests[index];
        request.cursor += len as u64;
        self.places[index] = place(request);
        request.cursor == request.bytes.end
    }

    /// Of those that may be done now and are no flushes: the lowest at or above `head`, or the lowest
    /// of all; among equals the oldest.
    pub(super) fn next_upwards(&self, head: u64) -> Option<usize> {
        let (mut above, mut lowest) = (NOWHERE, NOWHERE);
        for place in &self.places {
            above = above.min(if *place >= head { *place } else { NOWHERE });
            lowest = lowest.min(*place);
        }
        let next = if above == NOWHERE { lowest } else { above };
        if next == NOWHERE {
            return None;
        }
        self.places.iter().position(|place| *place == next)
    }

    /// Of those that may be done now and are no flushes: which go on at `place`, the oldest first.
    pub(super) fn at(&self, place: u64) -> impl Iterator<Item = &Request> {
        let places = self.places.iter().enumerate();
        places
            .filter(move |(_, at)| **at == place)
            .map(|(index, _)| &self.requests[index])
    }
}

fn place(request: &Request) -> u64 {
    if request.is_free() && !request.is_flush() {
        request.cursor
    } else {
        NOWHERE
    }
}
