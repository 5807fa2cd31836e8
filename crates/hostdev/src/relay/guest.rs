//! From the guest to the stream.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::stream::{BURST, PREFIX};
use super::{MAX_STREAM_FRAME, Wait, after, retry};
use crate::ETHERNET_HEADER_LEN;

/// Octets of frames that are held, at most, as far as these are two at least.
const HELD: usize = 2 << 20;
/// Octets that are written at once, unless one frame alone has more.
///
/// The kernel then keeps them together: passt reads what it finds, waits once for the rest of a frame that it has the
/// beginning of, and would lose its place in the stream were that to come in two parts.
const TOGETHER: usize = 32 << 10;

/// Frames of the guest's, each in a place of its own behind its length, that the stream is still to take.
#[derive(Debug)]
pub(super) struct Outgoing {
    places: Box<[u8]>,
    /// Octets of a place.
    stride: usize,
    /// Octets of the frame in each place, its prefix included.
    lens: Box<[usize]>,
    /// The place of the next frame to be sent, and how many there are.
    head: usize,
    count: usize,
    /// Octets of the next frame that have been sent.
    sent: usize,
    /// Whether the last look found anything.
    read: bool,
}

impl Outgoing {
    pub(super) fn new(max: usize) -> Self {
        let stride = PREFIX + max.min(MAX_STREAM_FRAME);
        let places = (HELD / stride).clamp(2, BURST);
        Self {
            places: vec![0; places * stride].into(),
            stride,
            lens: vec![0; places].into(),
            head: 0,
            count: 0,
            sent: 0,
            read: false,
        }
    }

    /// Whether the last [`advance`](Self::advance) has read something.
    pub(super) fn has_read(&self) -> bool {
        self.read
    }

    /// Loses what there is and what the guest has sent.
    pub(super) fn lose(&mut self, guest: BorrowedFd<'_>) {
        // Should this fail, so will what follows it.
        let _ = self.receive(guest);
        self.count = 0;
    }

    /// Reads once if there is room, and writes what there is.
    pub(super) fn advance(&mut self, guest: BorrowedFd<'_>, stream: BorrowedFd<'_>) -> Wait {
        if self.count == 0 {
            match self.receive(guest) {
                Ok(()) => {}
                Err(error) => return after(&error, Wait::Source),
            }
        }
        while self.count > 0 {
            match self.write(stream) {
                Ok(len) => self.written(len),
                Err(error) => return after(&error, Wait::Sink),
            }
        }
        Wait::Source
    }

    /// Fills the places, of which all are free.
    fn receive(&mut self, guest: BorrowedFd<'_>) -> io::Result<()> {
        (self.head, self.count, self.sent, self.read) = (0, 0, 0, false);
        let mut vectors = [const { empty_vector() }; BURST];
        // SAFETY: `mmsghdr` is plain C data, for which all zeros is a valid value.
        let mut messages: [libc::mmsghdr; BURST] = unsafe { mem::zeroed() };
        let places = self.places.chunks_exact_mut(self.stride);
        for ((place, vector), message) in places.zip(&mut vectors).zip(&mut messages) {
            let place = &mut place[PREFIX..];
            vector.iov_base = place.as_mut_ptr().cast();
            vector.iov_len = place.len();
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let places = self.lens.len();
        // SAFETY: the first `places` messages refer to vectors that are live, and these to places of `self.places`, which
        // is borrowed exclusively and refers to no other memory; there is no timeout.
        let received = retry(|| unsafe {
            libc::recvmmsg(
                guest.as_raw_fd(),
                messages.as_mut_ptr(),
                places as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            ) as isize
        })?;
        for (index, message) in messages.iter().enumerate().take(received) {
            let len = message.msg_len as usize;
            self.read |= len > 0;
            let whole = message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            self.lens[index] = 0;
            if whole && len >= ETHERNET_HEADER_LEN {
                let prefix = (len as u32).to_be_bytes();
                self.places[index * self.stride..][..PREFIX].copy_from_slice(&prefix);
                self.lens[index] = PREFIX + len;
            }
        }
        self.count = received;
        self.skip_empty();
        Ok(())
    }

    /// Writes the next frames, as many as are to stay together.
    fn write(&self, stream: BorrowedFd<'_>) -> io::Result<usize> {
        let mut vectors = [const { empty_vector() }; BURST];
        let (mut used, mut octets) = (0, 0);
        for index in self.head..self.head + self.count {
            let len = self.lens[index];
            let from = if used == 0 { self.sent } else { 0 };
            if used > 0 && octets + len > TOGETHER {
                break;
            }
            if len > 0 {
                let part = &self.places[index * self.stride..][from..len];
                vectors[used].iov_base = part.as_ptr().cast_mut().cast();
                vectors[used].iov_len = part.len();
                octets += part.len();
                used += 1;
            }
        }
        // SAFETY: `msghdr` is plain C data, for which all zeros is a valid value.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = vectors.as_mut_ptr();
        message.msg_iovlen = used;
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the message refers to `used` live vectors, and these to octets of `self.places`, which are only read.
        retry(|| unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const message, flags) })
    }

    /// Takes note of so many octets that the stream has taken.
    fn written(&mut self, mut octets: usize) {
        while self.count > 0 {
            let left = self.lens[self.head] - self.sent;
            if octets < left {
                self.sent += octets;
                return;
            }
            octets -= left;
            self.sent = 0;
            self.head += 1;
            self.count -= 1;
            self.skip_empty();
            if octets == 0 {
                return;
            }
        }
    }

    /// Passes over places whose frame nobody can take.
    fn skip_empty(&mut self) {
        while self.count > 0 && self.lens[self.head] == 0 {
            self.head += 1;
            self.count -= 1;
        }
    }
}

const fn empty_vector() -> libc::iovec {
    libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    }
}

/// Sends each frame as a message, up to [`BURST`]; how many were sent, one at least.
pub(super) fn send_frames<'a>(
    guest: BorrowedFd<'_>,
    frames: impl Iterator<Item = &'a [u8]>,
) -> io::Result<usize> {
    let mut vectors = [const { empty_vector() }; BURST];
    // SAFETY: `mmsghdr` is plain C data, for which all zeros is a valid value.
    let mut messages: [libc::mmsghdr; BURST] = unsafe { mem::zeroed() };
    let mut used = 0;
    for ((frame, vector), message) in frames.zip(&mut vectors).zip(&mut messages) {
        vector.iov_base = frame.as_ptr().cast_mut().cast();
        vector.iov_len = frame.len();
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        used += 1;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the first `used` messages refer to live vectors, and these to frames, which are only read.
    retry(|| unsafe {
        libc::sendmmsg(guest.as_raw_fd(), messages.as_mut_ptr(), used, flags) as isize
    })
}
