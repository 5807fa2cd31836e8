//! Octets received in order and not yet read by the user: slices of the frames they came in, and
//! copies where a slice would be a small part of its frame's buffer.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::piece::{CHUNK, Piece};
use crate::proto::tcp::on_demand::Part;
use crate::proto::tcp::pinned::{self, SMALLEST, is_small};

/// Slices for which a queue may have room that is kept to be used again: those of a batch of frames.
const KEPT: usize = 64;
/// Octets of the reference count of a copy.
const REFERENCES: usize = 3 * size_of::<usize>();

/// Octets that do not move any more.
#[derive(Debug)]
struct Slice {
    octets: Bytes,
    /// Octets of the memory that it keeps from being freed.
    pinned: u32,
}

/// The receive buffer of a connection, without what is out of order.
///
/// A small slice is copied once another follows it, and not at once: nearly always the user reads it
/// before.
#[derive(Debug, Default)]
pub(crate) struct ReceiveQueue {
    slices: VecDeque<Slice>,
    /// A copy of what follows the slices, to which more can be appended.
    #[allow(clippy::box_collection)] // Most connections never have one.
    open: Option<Box<Vec<u8>>>,
    len: usize,
    /// Octets of the memory that the queue takes beside its own.
    held: usize,
    /// The last slice may be small, or there is a copy after it.
    uneven: bool,
}

impl Part for ReceiveQueue {
    const INITIAL: Self = Self {
        slices: VecDeque::new(),
        open: None,
        len: 0,
        held: 0,
        uneven: false,
    };

    fn initial() -> &'static Self {
        static INITIAL: ReceiveQueue = ReceiveQueue::INITIAL;
        &INITIAL
    }

    fn renew(&mut self) -> bool {
        self.slices.clear();
        self.open = None;
        self.len = 0;
        self.held = self.kept();
        self.uneven = false;
        self.slices.capacity() <= KEPT
    }

    #[inline]
    fn kept(&self) -> usize {
        self.slices.capacity() * size_of::<Slice>()
    }
}

impl ReceiveQueue {
    /// Octets that can be read.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Octets of the memory that the queue takes beside its own.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Appends what arrived in a frame whose buffer has `pinned` octets.
    #[inline]
    pub(crate) fn push(&mut self, octets: Bytes, pinned: usize) {
        if self.uneven || is_small(octets.len(), pinned) {
            self.push_uneven(octets, pinned);
        } else {
            self.push_slice(octets, pinned as u32);
        }
    }

    #[inline]
    fn push_slice(&mut self, octets: Bytes, pinned: u32) {
        self.len += octets.len();
        self.append(octets, pinned);
    }

    #[inline]
    fn append(&mut self, octets: Bytes, pinned: u32) {
        if self.slices.len() == self.slices.capacity() {
            self.grow();
        }
        self.held += pinned as usize;
        self.slices.push_back(Slice { octets, pinned });
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let before = self.kept();
        self.slices.reserve(1);
        self.held += self.kept() - before;
    }

    #[inline(never)]
    fn push_uneven(&mut self, octets: Bytes, pinned: usize) {
        let small = is_small(octets.len(), pinned);
        if self.len == 0 {
            self.uneven = small;
            self.push_slice(octets, pinned as u32);
        } else if small {
            self.own_last();
            self.push_copy(&octets);
        } else {
            self.own_last();
            self.close();
            self.push_slice(octets, pinned as u32);
        }
    }

    /// Appends what was out of order.
    pub(super) fn push_piece(&mut self, piece: Piece) {
        self.own_last();
        match piece {
            Piece::Copied(octets) => self.push_copy(&octets),
            Piece::Shared(octets, pinned) => {
                self.close();
                self.push_slice(octets, pinned);
            }
        }
    }

    fn push_copy(&mut self, octets: &[u8]) {
        if let Some(open) = &self.open
            && open.len() + octets.len() > CHUNK
        {
            self.close();
        }
        let before = self.open_held();
        self.open.get_or_insert_default().extend_from_slice(octets);
        self.held += self.open_held() - before;
        self.len += octets.len();
        self.uneven = true;
    }

    /// Copies the last slice if it is small and nothing follows it.
    fn own_last(&mut self) {
        if self.open.is_none()
            && let Some(last) = self.slices.back()
            && is_small(last.octets.len(), last.pinned as usize)
            && let Some(last) = self.slices.pop_back()
        {
            self.len -= last.octets.len();
            self.held -= last.pinned as usize;
            self.push_copy(&last.octets);
        }
    }

    /// Makes a slice of the copy that can grow.
    fn close(&mut self) {
        self.uneven = false;
        self.held -= self.open_held();
        if let Some(open) = self.open.take() {
            let pinned = (open.capacity() + REFERENCES) as u32;
            self.append(Bytes::from(*open), pinned);
        }
    }

    /// Octets of the memory that the copy that can grow takes.
    fn open_held(&self) -> usize {
        let open = self.open.as_deref();
        open.map_or(0, |open| size_of_val(open) + open.capacity())
    }

    /// Copies octets to `to` and takes them out; returns how many.
    pub(crate) fn read(&mut self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        if self.open.is_some() && to.len() > self.len - self.open_len() {
            self.close();
        }
        while let Some(Slice { octets: slice, .. }) = self.slices.front_mut() {
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
            if octets < slice.len() {
                slice.advance(octets);
                break;
            }
            if let Some(read) = self.slices.pop_front() {
                self.held -= read.pinned as usize;
            }
        }
        self.len -= copied;
        copied
    }

    fn open_len(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.len())
    }

    /// Takes the next slice, at most `max` octets of it, for who may keep it: a copy if it is a small part
    /// of what it would keep from being freed, of which nobody keeps count any more.
    #[inline]
    pub(crate) fn read_chunk(&mut self, max: usize) -> Bytes {
        self.take_slice::<true>(max)
    }

    /// Takes the next slice, at most `max` octets of it, for who drops it at once.
    #[cfg(any(feature = "hyper", test))]
    pub(crate) fn read_slice(&mut self, max: usize) -> Bytes {
        self.take_slice::<false>(max)
    }

    /// Takes the next slice, as one that is kept or not.
    #[inline]
    fn take_slice<const KEPT: bool>(&mut self, max: usize) -> Bytes {
        let Some(slice) = self.slices.front_mut() else {
            return self.take_copy::<KEPT>(max);
        };
        if KEPT && slice.pinned > SMALLEST {
            return self.take_of_long(max);
        }
        if slice.octets.len() > max {
            self.len -= max;
            return slice.octets.split_to(max);
        }
        let Some(slice) = self.slices.pop_front() else {
            return Bytes::new();
        };
        self.held -= slice.pinned as usize;
        self.len -= slice.octets.len();
        slice.octets
    }

    /// The same, as one that is kept, where the buffer is not one of the smallest.
    #[inline(never)]
    fn take_of_long(&mut self, max: usize) -> Bytes {
        let pinned = self.slices.front().map_or(0, |slice| slice.pinned);
        let octets = self.take_slice::<false>(max);
        if is_small(octets.len(), pinned as usize) {
            return pinned::copy(octets);
        }
        octets
    }

    /// The same where only the copy that can grow is left.
    #[cold]
    fn take_copy<const KEPT: bool>(&mut self, max: usize) -> Bytes {
        if self.open.is_none() {
            return Bytes::new();
        }
        self.close();
        self.take_slice::<KEPT>(max)
    }

    /// Copies octets to `to` and leaves them; returns how many.
    pub(crate) fn peek(&self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        let open = self.open.as_deref().map_or(&[][..], Vec::as_slice);
        let slices = self.slices.iter().map(|slice| &slice.octets[..]);
        for slice in slices.chain([open]) {
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
            if copied == to.len() {
                break;
            }
        }
        copied
    }

    /// Frees what is held for nothing: room for more, and the frame of a small slice that was not
    /// read.
    pub(crate) fn shrink(&mut self) {
        self.own_last();
        self.held -= self.open_held() + self.kept();
        if let Some(open) = &mut self.open {
            open.shrink_to_fit();
        }
        self.slices.shrink_to_fit();
        self.held += self.open_held() + self.kept();
    }
}

#[cfg(test)]
mod tests;
