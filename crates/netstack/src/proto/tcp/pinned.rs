//! What a slice of a frame keeps from being freed: the buffer that the frame came in.

use bytes::Bytes;

/// Octets of the buffers to which shorter frames are moved: powers of two.
pub(crate) const SMALLER: [usize; 5] = [2 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10];
/// Octets of the largest buffer: a frame of segments joined to the longest packet, with the headers of
/// Ethernet and of the device.
pub(crate) const LARGEST: usize = 66 << 10;
/// Octets that a buffer takes beside its own: the end that was split off, the count of its holders and
/// its place in the list of the pool.
pub(crate) const OVERHEAD: usize = 128;

/// Octets of the smallest buffer, with what it takes beside its own: so many may a chunk that the user is
/// given keep, however short it is.
pub(crate) const SMALLEST: u32 = (SMALLER[0] + OVERHEAD) as u32;

/// Whether so few octets are to be copied rather than to keep a buffer of `pinned` octets.
#[inline]
pub(crate) fn is_small(octets: usize, pinned: usize) -> bool {
    2 * octets < pinned
}

/// Octets of the memory that a chunk which the user gives keeps, at most, if the user was given it: it is at least half of
/// its buffer, or that is one of the smallest. But for the largest, buffers have a power of two, and what they take beside.
#[inline]
pub(crate) fn by_chunk(octets: usize) -> usize {
    const MOST: usize = LARGEST + OVERHEAD;
    let twice = octets.saturating_mul(2).max(SMALLEST as usize);
    let most = match twice {
        MOST.. => MOST,
        _ => (1 << (twice - OVERHEAD).ilog2()) + OVERHEAD,
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
