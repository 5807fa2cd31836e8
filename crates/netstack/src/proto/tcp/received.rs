//! A piece of what a peer has sent, and the memory that it keeps from being freed.

use bytes::{Buf, Bytes};

/// Octets up to which small pieces are copied together.
pub(super) const CHUNK: usize = 2 << 10;

/// Received octets.
#[derive(Debug)]
pub(super) enum Piece {
    /// Part of the frame that they came in, whose buffer has so many octets.
    Shared(Bytes, u32),
    /// Copied; those before the index are read already.
    Copied(Vec<u8>, u32),
}

impl Piece {
    /// Octets of a frame whose buffer has `pinned` octets: shared if they are at least half of that,
    /// or else copied.
    pub(super) fn new(octets: Bytes, pinned: usize) -> Self {
        if is_small(octets.len(), pinned) {
            Self::copied(&octets)
        } else {
            Self::Shared(octets, pinned as u32)
        }
    }

    pub(super) fn copied(octets: &[u8]) -> Self {
        Self::Copied(octets.to_vec(), 0)
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(octets, _) => octets,
            Self::Copied(octets, read) => &octets[*read as usize..],
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Shared(octets, _) => octets.len(),
            Self::Copied(octets, read) => octets.len() - *read as usize,
        }
    }

    /// Octets of the memory that the piece keeps from being freed.
    #[inline]
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Shared(_, pinned) => *pinned as usize,
            Self::Copied(octets, _) => octets.capacity(),
        }
    }

    /// Drops the first `octets`, of which there are so many.
    #[inline]
    pub(super) fn advance(&mut self, octets: usize) {
        match self {
            Self::Shared(shared, _) => shared.advance(octets),
            Self::Copied(_, read) => *read += octets as u32,
        }
    }

    /// Takes the first `octets`, of which there are more. Both parts keep the whole.
    pub(super) fn split_to(&mut self, octets: usize) -> Bytes {
        if let Self::Copied(copied, read) = self {
            let held = copied.capacity() as u32;
            let mut shared = Bytes::from(core::mem::take(copied));
            shared.advance(*read as usize);
            *self = Self::Shared(shared, held);
        }
        match self {
            Self::Shared(shared, _) => shared.split_to(octets),
            Self::Copied(..) => Bytes::new(),
        }
    }

    pub(super) fn into_bytes(self) -> Bytes {
        match self {
            Self::Shared(octets, _) => octets,
            Self::Copied(octets, read) => {
                let mut shared = Bytes::from(octets);
                shared.advance(read as usize);
                shared
            }
        }
    }

    /// Copies what is a small part of the memory that it keeps.
    #[inline]
    pub(super) fn own(&mut self) {
        if let Self::Shared(octets, pinned) = self
            && is_small(octets.len(), *pinned as usize)
        {
            *self = Self::copied(octets);
        }
    }

    /// Appends a copy, if this one is copied itself and both are small.
    pub(super) fn append(&mut self, octets: &[u8]) -> bool {
        match self {
            Self::Copied(copied, _) if copied.len() + octets.len() <= CHUNK => {
                copied.extend_from_slice(octets);
                true
            }
            _ => false,
        }
    }

    /// The same before the first octet.
    pub(super) fn prepend(&mut self, octets: &[u8]) -> bool {
        match self {
            Self::Copied(copied, 0) if copied.len() + octets.len() <= CHUNK / 4 => {
                copied.splice(..0, octets.iter().copied());
                true
            }
            _ => false,
        }
    }
}

/// Whether so few octets are to be copied rather than to keep a buffer of `pinned` octets.
#[inline]
pub(super) fn is_small(octets: usize, pinned: usize) -> bool {
    2 * octets < pinned
}
