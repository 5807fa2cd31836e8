use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::{Geometry, Operation};

/// What is to be done.
#[derive(Debug)]
pub(super) enum Work {
    /// The buffer may be empty until the first transfer.
    Read(Vec<u8>),
    Write(Vec<u8>),
    Discard,
    Flush,
}

/// Something that has been asked for.
#[derive(Debug)]
pub(super) struct Request {
    /// Ascending in the order of submission.
    pub(super) ticket: u64,
    pub(super) work: Work,
    /// The bytes; none for a flush.
    pub(super) bytes: Range<u64>,
    /// The bytes before this have been transferred.
    pub(super) cursor: u64,
    /// How many of those submitted before must be done first.
    pub(super) blockers: usize,
    /// How much had been transferred when it was submitted.
    pub(super) since: u64,
}

/// A transfer, or a share in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole blocks, so many bytes.
    Whole(usize),
    /// Bytes within one block.
    Part {
        /// Where the block begins.
        block: u64,
        /// Where the bytes begin within the block.
        start: usize,
        len: usize,
    },
}

impl Request {
    pub(super) fn new(ticket: u64, since: u64, work: Work, bytes: Range<u64>) -> Self {
        Self {
            ticket,
            work,
            cursor: bytes.start,
            bytes,
            blockers: 0,
            since,
        }
    }

    /// Whether this, submitted before `later`, must be done before it. Bytes of the same block do not
    /// matter: where one is changed in part, the rest stays.
    pub(super) fn precedes(&self, later: &Self) -> bool {
        match (&self.work, &later.work) {
            (Work::Flush, _) | (Work::Read(_), Work::Read(_) | Work::Flush) => false,
            (Work::Write(_) | Work::Discard, Work::Flush) => true,
            _ => self.bytes.start < later.bytes.end && later.bytes.start < self.bytes.end,
        }
    }

    /// Whether it changes what is on the device.
    pub(super) fn is_change(&self) -> bool {
        matches!(self.work, Work::Write(_) | Work::Discard)
    }

    pub(super) fn is_flush(&self) -> bool {
        matches!(self.work, Work::Flush)
    }

    /// Whether it may be done now.
    pub(super) fn is_free(&self) -> bool {
        self.blockers == 0
    }

    /// The kind of transfer, if it is one that others may share.
    pub(super) fn transfer(&self) -> Option<Operation> {
        match self.work {
            Work::Read(_) => Some(Operation::Read),
            Work::Write(_) => Some(Operation::Write),
            Work::Discard | Work::Flush => None,
        }
    }

    /// What is transferred next, of whole blocks `most` bytes at most, which is whole blocks too.
    pub(super) fn piece(&self, geometry: Geometry, most: usize) -> Piece {
        let block_size = geometry.block_size();
        let start = geometry.within_block(self.cursor);
        let left = usize::try_from(self.bytes.end - self.cursor).unwrap_or(usize::MAX);
        if start == 0 && left >= block_size {
            let len = left.min(most);
            return Piece::Whole(len - len % block_size);
        }
        Piece::Part {
            block: self.cursor - start as u64,
            start,
            len: left.min(block_size - start),
        }
    }

    /// The next `len` bytes of the buffer.
    pub(super) fn buffer(&mut self, len: usize) -> &mut [u8] {
        // They are within the buffer, whose length is a usize.
        let start = (self.cursor - self.bytes.start) as usize;
        let total = (self.bytes.end - self.bytes.start) as usize;
        let buffer = match &mut self.work {
            Work::Read(buffer) => {
                if buffer.len() != total {
                    *buffer = vec![0; total];
                }
                buffer
            }
            Work::Write(buffer) => buffer,
            Work::Discard | Work::Flush => return &mut [],
        };
        &mut buffer[start..start + len]
    }

    pub(super) fn into_buffer(self) -> Vec<u8> {
        match self.work {
            Work::Read(buffer) | Work::Write(buffer) => buffer,
            Work::Discard | Work::Flush => Vec::new(),
        }
    }
}
