//! From the stream to the guest.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::guest::send_frames;
use super::{MAX_STREAM_FRAME, Wait, after, retry};
use crate::ETHERNET_HEADER_LEN;

/// Octets of a frame's length.
pub(super) const PREFIX: usize = 4;
/// Octets read at once, at least.
const BATCH: usize = 4 * (PREFIX + MAX_STREAM_FRAME);
/// Frames sent at once, at most.
pub(super) const BURST: usize = 64;

/// Octets of a stream that have been read, and the frames in them.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: Box<[u8]>,
    /// What of `buffer` has not been looked at.
    rest: Range<usize>,
    /// Octets to come of a frame that nobody can take.
    skip: usize,
    max: usize,
    /// Frames that the guest is still to take, in order.
    found: Vec<Range<usize>>,
}

impl Frames {
    /// None so far; those longer than `max` octets, and those shorter than an Ethernet header, are passed over.
    pub(super) fn new(max: usize) -> Self {
        Self {
            buffer: vec![0; BATCH].into(),
            rest: 0..0,
            skip: 0,
            max: max.min(MAX_STREAM_FRAME),
            found: Vec::with_capacity(BURST),
        }
    }

    /// Forgets a stream that has ended.
    pub(super) fn forget(&mut self) {
        self.rest = 0..0;
        self.skip = 0;
        self.found.clear();
    }

    /// Reads once, and sends what frames there are.
    pub(super) fn advance(&mut self, stream: BorrowedFd<'_>, guest: BorrowedFd<'_>) -> Wait {
        if self.found.is_empty() {
            let room = self.room();
            let (to, len) = (room.as_mut_ptr(), room.len());
            // SAFETY: `room` is a live, exclusively borrowed slice of this length.
            let read = retry(|| unsafe {
                libc::recv(stream.as_raw_fd(), to.cast(), len, libc::MSG_DONTWAIT)
            });
            match read {
                Ok(0) => return Wait::Closed,
                Ok(len) => self.rest.end += len,
                Err(error) => return after(&error, Wait::Source),
            }
            self.find();
        }
        while !self.found.is_empty() {
            let frames = self.found.iter().map(|frame| &self.buffer[frame.clone()]);
            match send_frames(guest, frames) {
                Ok(sent) => drop(self.found.drain(..sent)),
                Err(error) => return after(&error, Wait::Sink),
            }
            if self.found.is_empty() {
                self.find();
            }
        }
        Wait::Source
    }

    /// Where more may be read into: never nothing, as long as no frame has been found.
    pub(super) fn room(&mut self) -> &mut [u8] {
        debug_assert!(self.found.is_empty());
        if self.rest.is_empty() {
            self.rest = 0..0;
        } else if self.buffer.len() - self.rest.start < PREFIX + MAX_STREAM_FRAME {
            self.buffer.copy_within(self.rest.clone(), 0);
            self.rest = 0..self.rest.len();
        }
        &mut self.buffer[self.rest.end..]
    }

    /// Looks for frames, up to [`BURST`].
    fn find(&mut self) {
        while self.found.len() < BURST
            && let Some(frame) = self.next()
        {
            self.found.push(frame);
        }
    }

    /// The next whole frame that can be taken.
    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let skipped = self.skip.min(self.rest.len());
            self.skip -= skipped;
            self.rest.start += skipped;
            let prefix = self.buffer[self.rest.clone()].first_chunk::<PREFIX>()?;
            let len = u32::from_be_bytes(*prefix) as usize;
            if !(ETHERNET_HEADER_LEN..=self.max).contains(&len) {
                self.rest.start += PREFIX;
                self.skip = len;
                continue;
            }
            let start = self.rest.start + PREFIX;
            let frame = start..start + len;
            if frame.end > self.rest.end {
                return None;
            }
            self.rest.start = frame.end;
            return Some(frame);
        }
    }
}

#[cfg(test)]
mod tests;
