//! Ephemeral ports (RFC 6056), of UDP and TCP alike.

/// First and last, unless said otherwise: Linux's.
pub(crate) const EPHEMERAL: (u16, u16) = (32_768, 60_999);

/// Each port of a range once, beginning with one that `start` decides.
pub(crate) fn from(start: u32, (first, last): (u16, u16)) -> impl Iterator<Item = u16> {
    let count = u32::from(last.max(first) - first) + 1;
    (0..count).map(move |step| first + (start.wrapping_add(step) % count) as u16)
}
