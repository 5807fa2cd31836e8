//! A flush of an image that goes on while the guest does: a thread makes it, which the guest calls by one count and which
//! answers by another.
//!
//! The thread is on spt `spt/flush.rs`, on hvt `hvt/flush.rs`. It makes one flush for each call, so that a guest that calls
//! without end has one at a time.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::polling::{eventfd, eventfd_that_waits};

/// What is added to the second count at the end of a flush.
pub(crate) const SUCCEEDED: u64 = 1;
/// More than one of these make no [`SUCCEEDED`] either.
pub(crate) const FAILED: u64 = 2;

/// How the guest, or who serves it, and the thread speak to each other.
#[derive(Debug)]
pub(crate) struct Background {
    /// The count that the thread waits for.
    pub(crate) begin: OwnedFd,
    /// The count that can be waited for, and read without waiting.
    pub(crate) end: OwnedFd,
}

impl Background {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            begin: eventfd_that_waits()?,
            end: eventfd()?,
        })
    }

    /// The descriptors, as an entry of the manifest has them.
    pub(crate) fn fds(&self) -> io::Result<[u16; 2]> {
        let fd = |fd: &OwnedFd| u16::try_from(fd.as_raw_fd()).map_err(io::Error::other);
        Ok([fd(&self.begin)?, fd(&self.end)?])
    }
}
