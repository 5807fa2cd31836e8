//! A piece of what a peer has sent, and the memory that it keeps from being freed.

use bytes::{Buf, Bytes};

use crate::proto::tcp::pinned::is_small;

/// Octets up to which small pieces are copied together.
pub(crate) const CHUNK: usize = 2 << 10;

/// Received octets.
#[derive(Debug)]
pub(super) enum Piece {
    /// Part of the frame that they came in, whose buffer has so many octets.
    Shared(Bytes, u32),
    Copied(Vec<u8>),
}

impl Piece {
    /// Octets of a frame whose buffer has `pinned` octets: shared if they are at least half of that,
    /// or else copied.
    pub(crate) fn new(octets: Bytes, pinned: usize) -> Self {
        if is_small(octets.len(), pinned) {
            Self::Copied(octets.to_vec())
        } else {
            Self::Shared(octets, pinned as u32)
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(octets, _) => octets,
            Self::Copied(octets) => octets,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Octets of the memory that the piece keeps from being freed.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Shared(_, pinned) => *pinned as usize,
            Self::Copied(octets) => octets.capacity(),
        }
    }

    /// Drops the first `octets`, of which there are so many.
    pub(crate) fn advance(&mut self, octets: usize) {
        match self {
            Self::Shared(shared, _) => shared.advance(octets),
            Self::Copied(copied) => {
                copied.drain(..octets);
            }
        }
    }

    /// Appends a copy, if this one is copied itself and both are small.
    pub(crate) fn append(&mut self, octets: &[u8]) -> bool {
        match self {
            Self::Copied(copied) if copied.len() + octets.len() <= CHUNK => {
                copied.extend_from_slice(octets);
                true
            }
            _ => false,
        }
    }

    /// The same before the first octet; what is moved by it is a fraction of a chunk.
    pub(super) fn prepend(&mut self, octets: &[u8]) -> bool {
        match self {
            Self::Copied(copied) if copied.len() + octets.len() <= CHUNK / 4 => {
                copied.splice(..0, octets.iter().copied());
                true
            }
            _ => false,
        }
    }
}
