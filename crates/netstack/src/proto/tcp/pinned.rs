//! What a slice of a frame keeps from being freed: the buffer that the frame came in.

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
