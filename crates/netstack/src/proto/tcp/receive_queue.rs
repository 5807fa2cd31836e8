//! Octets received in order and not yet read by the user: slices of the frames they came in.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// A queue of small slices is copied together when it has more of them than this and they hold, on
/// average, fewer octets than [`SMALL_AVERAGE`]: each pins the whole buffer that it is part of.
const MANY: usize = 32;
const SMALL_AVERAGE: usize = 512;

/// The receive buffer of a connection, without what is out of order.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    slices: VecDeque<Bytes>,
    len: usize,
}

impl ReceiveQueue {
    /// Octets that can be read.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends what arrived.
    #[inline]
    pub(super) fn push(&mut self, octets: Bytes) {
        self.len += octets.len();
        self.slices.push_back(octets);
        if self.slices.len() > MANY && self.len < self.slices.len() * SMALL_AVERAGE {
            self.collapse();
        }
    }

    /// Copies all slices to one. As at least [`MANY`] more must arrive before the next time, each
    /// octet is copied a few times at most.
    fn collapse(&mut self) {
        let mut all = BytesMut::with_capacity(self.len);
        for slice in self.slices.drain(..) {
            all.extend_from_slice(&slice);
        }
        self.slices.push_back(all.freeze());
    }

    /// Copies octets to `to` and takes them out; returns how many.
    pub(super) fn read(&mut self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        while let Some(slice) = self.slices.front_mut() {
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
            if octets < slice.len() {
                slice.advance(octets);
                break;
            }
            self.slices.pop_front();
        }
        self.len -= copied;
        copied
    }

    /// Takes the next slice, at most `max` octets of it.
    pub(super) fn read_slice(&mut self, max: usize) -> Bytes {
        let Some(slice) = self.slices.front_mut() else {
            return Bytes::new();
        };
        let octets = if slice.len() > max {
            slice.split_to(max)
        } else {
            self.slices.pop_front().unwrap_or_default()
        };
        self.len -= octets.len();
        octets
    }

    /// Copies octets to `to` and leaves them; returns how many.
    pub(super) fn peek(&self, to: &mut [u8]) -> usize {
        let mut copied = 0;
        for slice in &self.slices {
            let octets = slice.len().min(to.len() - copied);
            to[copied..copied + octets].copy_from_slice(&slice[..octets]);
            copied += octets;
        }
        copied
    }

    /// Frees what an empty queue still holds.
    pub(super) fn shrink(&mut self) {
        if self.slices.is_empty() {
            self.slices = VecDeque::new();
        }
    }

    /// Drops everything; returns how many octets that was.
    pub(super) fn clear(&mut self) -> usize {
        self.slices = VecDeque::new();
        core::mem::take(&mut self.len)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{MANY, ReceiveQueue};

    #[test]
    fn reads_peeks_and_slices_in_order() {
        let mut queue = ReceiveQueue::default();
        queue.push(Bytes::from_static(b"abc"));
        queue.push(Bytes::from_static(b"defgh"));
        let mut buffer = [0; 5];
        assert_eq!((queue.peek(&mut buffer), &buffer), (5, b"abcde"));
        assert_eq!(
            (queue.read(&mut buffer[..4]), &buffer[..4]),
            (4, &b"abcd"[..])
        );
        assert_eq!(queue.read_slice(2), "ef");
        assert_eq!(queue.read_slice(9), "gh");
        assert_eq!((queue.read_slice(9), queue.len()), (Bytes::new(), 0));
    }

    #[test]
    fn many_small_slices_are_copied_together() {
        let mut queue = ReceiveQueue::default();
        let mut model = Vec::new();
        for round in 0..1000_u32 {
            queue.push(Bytes::copy_from_slice(&round.to_be_bytes()));
            model.extend_from_slice(&round.to_be_bytes());
            assert!(queue.slices.len() <= MANY + 1);
        }
        let mut buffer = vec![0; 5000];
        assert_eq!(queue.read(&mut buffer), 4000);
        assert_eq!(buffer[..4000], model);
    }
}
