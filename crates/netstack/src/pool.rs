//! Frame buffers that go round without being allocated or cleared again.
//!
//! A frame is read into a buffer and handed to the protocols as [`Bytes`]; what they keep are
//! slices of it. When the last slice is gone, the pool finds the buffer to be its own again.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Buffers looked at, and buffers kept for later, at most.
const KEPT: usize = 256;
/// Lent buffers looked at when a free one is wanted.
const LOOKS: usize = 4;

/// A pool of frame buffers of one size.
///
/// [`Stack`](crate::Stack) has its own; whoever drives [`proto::Stack`](crate::proto::Stack) by
/// hand may use one.
///
/// ```
/// use netstack::FramePool;
///
/// let mut pool = FramePool::new(1514);
/// let mut buffer = pool.take();
/// buffer[..3].copy_from_slice(b"abc");
/// let whole = FramePool::lend(buffer);
/// let frame = whole.slice(..3);
/// pool.settle(whole);
/// assert_eq!(frame, "abc"); // The pool has the buffer again once `frame` is dropped.
/// ```
#[derive(Debug)]
pub struct FramePool {
    /// Octets of a buffer.
    size: usize,
    /// Buffers that nobody else holds, with all of their octets initialised.
    free: Vec<BytesMut>,
    /// Whole buffers of which somebody may still hold slices, the longest lent in front.
    lent: VecDeque<Bytes>,
}

impl FramePool {
    /// An empty pool of buffers of `size` octets.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            size,
            free: Vec::new(),
            lent: VecDeque::new(),
        }
    }

    /// A buffer of full size; its content is undefined.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> BytesMut {
        match self.free.pop() {
            Some(buffer) => buffer,
            None => self.reclaim().unwrap_or_else(|| self.allocate()),
        }
    }

    fn reclaim(&mut self) -> Option<BytesMut> {
        for _ in 0..LOOKS.min(self.lent.len()) {
            match self.lent.pop_front()?.try_into_mut() {
                Ok(buffer) => return Some(buffer),
                Err(lent) => self.lent.push_back(lent),
            }
        }
        None
    }

    fn allocate(&self) -> BytesMut {
        // A buffer that was split once has its reference count in place: freezing and reclaiming
        // it does not allocate.
        let mut buffer = BytesMut::zeroed(self.size + 1);
        drop(buffer.split_off(self.size));
        buffer
    }

    /// Gives back a buffer that was not used.
    #[inline]
    pub fn give_back(&mut self, buffer: BytesMut) {
        if self.free.len() < KEPT {
            self.free.push(buffer);
        }
    }

    /// Turns a buffer into a whole that can be sliced; [`FramePool::settle`] must follow.
    #[inline]
    #[must_use]
    pub fn lend(buffer: BytesMut) -> Bytes {
        buffer.freeze()
    }

    /// Takes note of a lent buffer: it is free again when nobody kept a slice of it.
    #[inline]
    pub fn settle(&mut self, whole: Bytes) {
        match whole.try_into_mut() {
            Ok(buffer) => self.give_back(buffer),
            Err(whole) if self.lent.len() < KEPT => self.lent.push_back(whole),
            // Too many are out: this one is freed by its last holder.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FramePool;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_gone() {
        let mut pool = FramePool::new(100);
        let buffer = pool.take();
        assert_eq!(buffer.len(), 100);
        let address = buffer.as_ptr();
        let whole = FramePool::lend(buffer);
        let slice = whole.slice(10..20);
        pool.settle(whole);
        let other = pool.take();
        assert_ne!(
            other.as_ptr(),
            address,
            "a buffer in use was given out again"
        );
        drop(slice);
        let again = pool.take();
        assert_eq!(again.as_ptr(), address);
        assert_eq!(again.len(), 100);
    }

    #[test]
    fn an_unused_buffer_is_the_next_one() {
        let mut pool = FramePool::new(64);
        let buffer = pool.take();
        let address = buffer.as_ptr();
        pool.settle(FramePool::lend(buffer));
        let buffer = pool.take();
        assert_eq!(buffer.as_ptr(), address);
        pool.give_back(buffer);
        assert_eq!(pool.take().as_ptr(), address);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = FramePool::new(8);
        let slices: Vec<_> = (0..2 * super::KEPT)
            .map(|_| {
                let whole = FramePool::lend(pool.take());
                let slice = whole.slice(..4);
                pool.settle(whole);
                slice
            })
            .collect();
        assert_eq!(pool.lent.len(), super::KEPT);
        drop(slices);
    }
}
