//! What a slice of a frame keeps from being freed: the buffer that the frame came in.

use bytes::Bytes;

/// Octets of the smallest buffer that frames come in, with what it takes beside its own: so many may a
/// chunk that the user is given keep, however short it is.
pub(crate) const SMALLEST: u32 = (2 << 10) + 128;
/// The same of the largest.
const LARGEST: usize = (66 << 10) + 128;

/// Whether so few octets are to be copied rather than to keep a buffer of `pinned` octets.
#[inline]
pub(crate) fn is_small(octets: usize, pinned: usize) -> bool {
    2 * octets < pinned
}

/// Octets of the memory that a chunk which the user gives keeps, at most, if the user was given
/// it: it is at least half of its buffer, or that is one of the smallest.
#[inline]
pub(crate) fn by_chunk(octets: usize) -> usize {
    let twice = octets.max(SMALLEST as usize / 2).saturating_mul(2);
    octets.max(twice.min(LARGEST))
}

/// Whether a part of a chunk which the user gives, that may be of a frame, is to be copied rather than to keep all of it.
#[inline]
pub(crate) fn is_small_part(octets: usize, chunk: usize) -> bool {
    octets < chunk && chunk <= LARGEST && is_small(octets, by_chunk(chunk))
}

/// A copy, or where there is no memory for it the same.
pub(crate) fn copy(octets: &Bytes) -> Bytes {
    let mut copy = Vec::new();
    match copy.try_reserve_exact(octets.len()) {
        Ok(()) => copy.extend_from_slice(octets),
        Err(_) => return octets.clone(),
    }
    copy.into()
}
