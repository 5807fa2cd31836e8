//! Frame buffers that go round without being allocated or cleared again.
//!
//! A frame is read into a buffer and handed to the protocols as [`Bytes`]; what they keep are
//! slices of it. When the last slice is gone, the pool finds the buffer to be its own again.

use bytes::{Bytes, BytesMut};
use std::alloc::{Layout, handle_alloc_error};
use std::collections::VecDeque;
use std::ops::Range;

use crate::proto::ip::v6;
use crate::proto::link::ethernet;
use crate::proto::tcp::pinned::{LARGEST, OVERHEAD, SMALLER};

/// Buffers kept for later, and lent buffers kept in mind, at most.
const KEPT: usize = 256;
/// Octets of either, at most.
const KEPT_OCTETS: usize = 2 << 20;
/// Lent buffers looked at when a free one is wanted.
const LOOKS: usize = 4;

/// The octets of memory that a frame of so many octets keeps as long as a slice of it is held.
pub(crate) fn held_by_frame(frame: usize) -> usize {
    let fits = SMALLER.into_iter().find(|size| frame <= *size);
    fits.unwrap_or(LARGEST.max(frame)) + OVERHEAD
}

/// A pool of frame buffers of one size.
///
/// [`Stack`](crate::Stack) has its own; whoever drives [`proto::Interface`](crate::proto::Interface) by
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
    /// Buffers that are kept, at most.
    kept: usize,
    /// Buffers that nobody else holds, with all of their octets initialised.
    free: Vec<BytesMut>,
    /// Whole buffers of which somebody may still hold slices, the longest lent in front.
    lent: VecDeque<Bytes>,
}

impl FramePool {
    /// An empty pool of buffers of `size` octets.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self::keeping(KEPT_OCTETS, size)
    }

    /// The same, which keeps at most so many octets.
    fn keeping(octets: usize, size: usize) -> Self {
        Self {
            size,
            kept: KEPT.min(octets / size.max(1)),
            free: Vec::new(),
            lent: VecDeque::new(),
        }
    }

    /// A buffer of full size; its content is undefined.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> BytesMut {
        match self.try_take() {
            Some(buffer) => buffer,
            None => handle_alloc_error(self.layout()),
        }
    }

    /// The same, if there is memory for it.
    #[inline]
    fn try_take(&mut self) -> Option<BytesMut> {
        self.free
            .pop()
            .or_else(|| self.reclaim())
            .or_else(|| self.allocate())
    }

    /// Octets of memory that the pool keeps from being freed. Of a lent buffer it is not known whether
    /// somebody else, who answers for it too, still holds it.
    fn held(&self) -> usize {
        (self.free.len() + self.lent.len()) * (self.size + OVERHEAD)
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

    /// Of a buffer's allocation, with the octet that is split off.
    fn layout(&self) -> Layout {
        Layout::array::<u8>(self.size + 1).expect("what a device reads fits an allocation")
    }

    fn allocate(&self) -> Option<BytesMut> {
        let mut octets = Vec::new();
        octets.try_reserve_exact(self.size + 1).ok()?;
        octets.resize(self.size + 1, 0);
        let mut buffer = BytesMut::from(Bytes::from(octets));
        // A buffer that was split once has its reference count in place: freezing and reclaiming
        // it does not allocate.
        drop(buffer.split_off(self.size));
        Some(buffer)
    }

    /// Gives back a buffer that was not used.
    #[inline]
    pub fn give_back(&mut self, buffer: BytesMut) {
        if self.free.len() < self.kept {
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
            Err(whole) if self.lent.len() < self.kept => self.lent.push_back(whole),
            // Too many are out: this one is freed by its last holder.
            Err(_) => {}
        }
    }
}

/// What of a frame is its packet's: what follows is not to choose the buffer, as what is kept of the frame is
/// charged by the length of the packet.
#[inline]
fn without_padding(buffer: &[u8], frame: Range<usize>) -> Range<usize> {
    if frame.len() <= SMALLER[0] {
        return frame;
    }
    let octets = &buffer[frame.clone()];
    let read = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
    let ip = ethernet::HEADER_LEN;
    let packet = match read(ip - 2) {
        ethernet::IPV4 => usize::from(read(ip + 2)),
        ethernet::IPV6 => usize::from(read(ip + 4)) + v6::HEADER_LEN,
        _ => return frame,
    };
    frame.start..frame.end.min(frame.start + ip + packet)
}

/// The buffers that a device reads into, and smaller ones: a short frame is moved to the smallest
/// that takes it, lest a few octets that wait to be read hold on to 64 KiB.
#[derive(Debug)]
pub(crate) struct ReceiveBuffers {
    whole: FramePool,
    /// By ascending size, each less than the device's.
    smaller: Vec<FramePool>,
}

/// A frame in a buffer that goes back to its pool.
pub(crate) struct Lent {
    buffer: Bytes,
    frame: Range<usize>,
    /// Which of the smaller pools it belongs to.
    smaller: Option<usize>,
}

impl Lent {
    #[inline]
    pub(crate) fn frame(&self) -> Bytes {
        self.buffer.slice(self.frame.clone())
    }
}

impl ReceiveBuffers {
    /// Buffers of `size` octets, for a stack that may hold so many octets of `memory`.
    pub(crate) fn new(size: usize, memory: usize) -> Self {
        // Two at least of the device's: one is read into while the other one is lent.
        let kept = KEPT_OCTETS.min(memory / 32).max(2 * size);
        let smaller = SMALLER.into_iter().filter(|smaller| *smaller < size);
        Self {
            whole: FramePool::keeping(kept, size),
            smaller: smaller.map(|size| FramePool::keeping(kept, size)).collect(),
        }
    }

    #[inline]
    pub(crate) fn take(&mut self) -> BytesMut {
        self.whole.take()
    }

    /// Octets of memory that the pools keep from being freed.
    pub(crate) fn held(&self) -> usize {
        self.whole.held() + self.smaller.iter().map(FramePool::held).sum::<usize>()
    }

    /// Keeps nothing for later but what the next frame is read into: what is lent is freed by its last holder.
    pub(crate) fn give_up(&mut self) {
        let next = self.whole.free.pop();
        for pool in self.smaller.iter_mut().chain([&mut self.whole]) {
            pool.free.clear();
            pool.lent.clear();
        }
        self.whole.free.extend(next);
    }

    #[inline]
    pub(crate) fn give_back(&mut self, buffer: BytesMut) {
        self.whole.give_back(buffer);
    }

    /// Lends the frame that was read into `buffer`; [`ReceiveBuffers::settle`] must follow. `None` if there is no
    /// memory to lend it and to read the next one: it is lost.
    #[inline]
    pub(crate) fn lend(&mut self, buffer: BytesMut, frame: Range<usize>) -> Option<Lent> {
        let frame = without_padding(&buffer, frame);
        let fits = |pool: &FramePool| frame.len() <= pool.size;
        let smaller = self.smaller.iter().position(fits);
        let other = match smaller {
            Some(smaller) => self.smaller[smaller].try_take(),
            None => self.whole.try_take(),
        };
        let Some(mut other) = other else {
            self.whole.give_back(buffer);
            return None;
        };
        if smaller.is_none() {
            self.whole.give_back(other);
            let buffer = FramePool::lend(buffer);
            return Some(Lent {
                buffer,
                frame,
                smaller,
            });
        }
        let length = frame.len();
        other[..length].copy_from_slice(&buffer[frame]);
        self.whole.give_back(buffer);
        Some(Lent {
            buffer: FramePool::lend(other),
            frame: 0..length,
            smaller,
        })
    }

    #[inline]
    pub(crate) fn settle(&mut self, lent: Lent) {
        let pool = match lent.smaller {
            Some(smaller) => &mut self.smaller[smaller],
            None => &mut self.whole,
        };
        pool.settle(lent.buffer);
    }
}

#[cfg(test)]
mod tests;
