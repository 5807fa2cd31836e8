//! Datagrams that have come from inside of the program.

use std::collections::VecDeque;
use std::io::IoSliceMut;

use super::Received;
use crate::memory;

/// What a queue may hold: datagrams, and octets of them with what each takes beside.
const MOST: usize = 256;
pub(super) const MOST_OCTETS: usize = 512 << 10;
const BESIDE: usize = 128;

/// A queue of datagrams, each with where it has come from.
pub(super) struct Inbox<A> {
    datagrams: VecDeque<(A, Vec<u8>)>,
    octets: usize,
}

impl<A> Default for Inbox<A> {
    fn default() -> Self {
        Self {
            datagrams: VecDeque::new(),
            octets: 0,
        }
    }
}

impl<A> Inbox<A> {
    /// Whether a short datagram has room.
    pub(super) fn has_room(&self) -> bool {
        self.fits(1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Where the next has come from, and its octets.
    pub(super) fn next(&self) -> Option<(&A, usize)> {
        let (from, payload) = self.datagrams.front()?;
        Some((from, payload.len()))
    }

    /// Octets of the next.
    pub(super) fn next_len(&self) -> Option<usize> {
        Some(self.next()?.1)
    }

    /// Whether a datagram of so many octets has room.
    pub(super) fn fits(&self, octets: usize) -> bool {
        self.datagrams.len() < MOST && self.octets + octets + BESIDE <= MOST_OCTETS
    }

    /// Keeps a datagram, if there are room and memory: or else it is lost.
    pub(super) fn put(&mut self, from: A, payload: &[u8]) -> bool {
        if !self.fits(payload.len()) {
            return false;
        }
        memory::copy(payload)
            .map(|payload| self.keep(from, payload))
            .is_ok()
    }

    /// Keeps a datagram that fits.
    pub(super) fn keep(&mut self, from: A, payload: Vec<u8>) {
        self.octets += payload.len() + BESIDE;
        self.datagrams.push_back((from, payload));
    }

    /// Copies the next, if there is one, which only stays if it is looked at; `told` is what is said of where it has come from, and
    /// takes what it has come with.
    pub(super) fn receive(
        &mut self,
        buffers: &mut [IoSliceMut<'_>],
        peek: bool,
        told: impl FnOnce(&mut A) -> Received,
    ) -> Option<Received> {
        let (from, payload) = self.datagrams.front_mut()?;
        let received = Received {
            octets: copy(payload, buffers),
            whole: payload.len(),
            ..told(from)
        };
        if !peek {
            self.octets -= received.whole + BESIDE;
            self.datagrams.pop_front();
        }
        Some(received)
    }

    /// Keeps only what has come from where `stays` says.
    pub(super) fn retain(&mut self, stays: impl Fn(&A) -> bool) {
        self.datagrams.retain(|(from, _)| stays(from));
        let octets = self.datagrams.iter();
        self.octets = octets.map(|(_, payload)| payload.len() + BESIDE).sum();
    }
}

/// Copies as much of a datagram as fits; how much.
pub(super) fn copy(payload: &[u8], buffers: &mut [IoSliceMut<'_>]) -> usize {
    let mut rest = payload;
    for buffer in buffers {
        let (now, later) = rest.split_at(rest.len().min(buffer.len()));
        buffer[..now.len()].copy_from_slice(now);
        rest = later;
    }
    payload.len() - rest.len()
}
