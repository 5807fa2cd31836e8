//! Sequence numbers modulo 2^32 (RFC 9293 §3.4).

use core::cmp::Ordering;
use core::ops::{Add, AddAssign, Sub};

/// A sequence number.
///
/// The comparisons hold for numbers less than 2^31 apart, as all numbers of a window are; they are
/// no total order, which is why this is not `Ord`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    #[inline]
    pub(crate) const fn lt(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    #[inline]
    pub(crate) const fn le(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) <= 0
    }

    #[inline]
    pub(crate) const fn gt(self, other: Self) -> bool {
        other.lt(self)
    }

    #[inline]
    pub(crate) const fn ge(self, other: Self) -> bool {
        other.le(self)
    }

    #[inline]
    pub(crate) const fn max(self, other: Self) -> Self {
        if self.lt(other) { other } else { self }
    }

    #[inline]
    pub(crate) const fn min(self, other: Self) -> Self {
        if self.lt(other) { self } else { other }
    }

    /// Octets from `start` to this number, zero when this number is before `start`.
    #[inline]
    pub(crate) const fn since(self, start: Self) -> u32 {
        let distance = self.0.wrapping_sub(start.0);
        if (distance as i32) < 0 { 0 } else { distance }
    }
}

impl Add<u32> for Seq {
    type Output = Self;

    #[inline]
    fn add(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }
}

impl AddAssign<u32> for Seq {
    #[inline]
    fn add_assign(&mut self, octets: u32) {
        *self = *self + octets;
    }
}

impl Sub<u32> for Seq {
    type Output = Self;

    #[inline]
    fn sub(self, octets: u32) -> Self {
        Self(self.0.wrapping_sub(octets))
    }
}

impl Sub for Seq {
    type Output = u32;

    /// Octets from `start` to this number, modulo 2^32.
    #[inline]
    fn sub(self, start: Self) -> u32 {
        self.0.wrapping_sub(start.0)
    }
}

/// A number as the key of a map whose keys all lie within one window at a time, hence within half of
/// the sequence space: so their order is total, and stays as the window moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start(pub(crate) Seq);

impl Ord for Start {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.0.wrapping_sub(other.0.0) as i32).cmp(&0)
    }
}

impl PartialOrd for Start {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Seq;

    #[test]
    fn rfc9293_3_4_comparison_is_modulo_2_to_the_32() {
        assert!(Seq(u32::MAX).lt(Seq(0)));
        assert!(Seq(5).gt(Seq(u32::MAX - 5)));
        assert!(Seq(7).le(Seq(7)) && Seq(7).ge(Seq(7)) && !Seq(7).lt(Seq(7)));
        assert_eq!(Seq(2) - Seq(u32::MAX), 3);
        assert_eq!(Seq(u32::MAX) + 3, Seq(2));
        assert_eq!(Seq(2).since(Seq(3)), 0);
        assert_eq!(Seq(1).max(Seq(u32::MAX)), Seq(1));
        assert_eq!(Seq(1).min(Seq(u32::MAX)), Seq(u32::MAX));
    }
}
