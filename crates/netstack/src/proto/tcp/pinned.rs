//! What a slice of a frame keeps from being freed: the buffer that the frame came in.

use bytes::Bytes;

/// Octets of the smallest buffer that frames come in, with what it takes beside its own: so many may a
/// chunk that the user is given keep, however short it is.
pub(crate) const SMALLEST: u32 = (2 << 10) + BESIDE as u32;
/// The same of the largest.
const LARGEST: usize = (66 << 10) + BESIDE;
/// What each takes beside its own octets.
const BESIDE: usize = 128;

/// Whether so few octets are to be copied rather than to keep a buffer of `pinned` octets.
#[inline]
pub(crate) fn is_small(octets: usize, pinned: usize) -> bool {
    2 * octets < pinned
}

/// Octets of the memory that a chunk which the user gives keeps, at most, if the user was given it: it is at least half of
/// its buffer, or that is one of the smallest. But for the largest, buffers have a power of two, and what they take beside.
#[inline]
pub(crate) fn by_chunk(octets: usize) -> usize {
    let twice = octets.saturating_mul(2).max(SMALLEST as usize);
    let most = match twice {
        LARGEST.. => LARGEST,
        _ => (1 << (twice - BESIDE).ilog2()) + BESIDE,
    };
    octets.max(most)
}

/// A copy, or where there is no memory for it the same.
pub(crate) fn copy(octets: Bytes) -> Bytes {
    let mut copy = Vec::new();
    if copy.try_reserve_exact(octets.len()).is_err() {
        return octets;
    }
    copy.extend_from_slice(&octets);
    copy.into()
}
