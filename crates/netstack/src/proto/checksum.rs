//! The Internet checksum (RFC 1071), fast, and folded into copies.
//!
//! The sum is kept in 64 bits of the machine's own byte order (RFC 1071 §2(B): the sum does not
//! depend on byte order) and folded once at the end.

use core::net::IpAddr;

/// Octets summed per step of the main loop: thirty-two additions with carry, one fold of the carry.
const BLOCK: usize = 256;

/// A running one's-complement sum over 16-bit words.
///
/// Every piece but the last must have an even length, as the words of the whole do.
///
/// ```
/// use netstack::proto::checksum::Sum;
///
/// // The example of RFC 1071 §3.
/// let sum = Sum::default().add_slice(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
/// assert_eq!(sum.finish(), !0xddf2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of the pseudo-header of TCP and UDP (RFC 9293 §3.1), and of all upper layers of IPv6 (RFC
    /// 8200 §8.1); `length` counts the transport header and its payload, in octets.
    #[inline]
    #[must_use]
    pub fn pseudo_header(
        source: impl Into<IpAddr>,
        destination: impl Into<IpAddr>,
        protocol: u8,
        length: u16,
    ) -> Self {
        let rest = u64::from(u16::from(protocol).to_be()) + u64::from(length.to_be());
        match (source.into(), destination.into()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let source = u32::from_ne_bytes(source.octets());
                let destination = u32::from_ne_bytes(destination.octets());
                // Three 32-bit values and a 16-bit one cannot overflow 64 bits.
                Self(u64::from(source) + u64::from(destination) + rest)
            }
            (source, destination) => Self(rest).add_address(source).add_address(destination),
        }
    }

    #[inline]
    fn add_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.add_slice(&address.octets()),
            IpAddr::V6(address) => {
                let bits = u128::from_ne_bytes(address.octets());
                let sum = add_carry(self.0, bits as u64);
                Self(add_carry(sum, (bits >> 64) as u64))
            }
        }
    }

    /// Adds one 16-bit word, given in host order.
    #[inline]
    #[must_use]
    pub fn add_word(self, word: u16) -> Self {
        Self(add_carry(self.0, u64::from(word.to_be())))
    }

    /// Adds `bytes`; an odd last octet counts as if a zero octet followed it.
    #[inline]
    #[must_use]
    pub fn add_slice(self, bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut sum = self.0;
        for block in blocks {
            sum = add_block(sum, block);
        }
        Self(add_rest(sum, rest))
    }

    /// Copies `from` to the start of `to` and adds what is copied.
    ///
    /// # Panics
    ///
    /// If `to` is shorter than `from`.
    #[inline]
    #[must_use]
    pub fn add_copy(self, from: &[u8], to: &mut [u8]) -> Self {
        // One copy of all and then the sum, of what is in the cache now, takes fewer instructions than
        // turns of both.
        to[..from.len()].copy_from_slice(from);
        self.add_slice(from)
    }

    /// Adds the sum of another piece that starts at an even offset of the whole.
    #[inline]
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        Self(add_carry(self.0, other.0))
    }

    /// The checksum: the complement of the folded sum, in host order.
    ///
    /// Over data that contains a correct checksum this is 0.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u16 {
        !u16::from_be(fold(self.0))
    }
}

/// The checksum of `bytes`: what goes into a header whose checksum field is zero; 0 when a header
/// that holds its checksum is right.
#[inline]
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::default().add_slice(bytes).finish()
}

/// A checksum field after one 16-bit word under it has changed (RFC 1624, equation 3).
#[inline]
#[must_use]
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(((sum & 0xffff) + (sum >> 16)) as u16)
}

/// One's-complement addition of 64-bit numbers.
#[inline]
fn add_carry(left: u64, right: u64) -> u64 {
    let (sum, carry) = left.overflowing_add(right);
    // When there was a carry, `sum` is below `u64::MAX`.
    sum + u64::from(carry)
}

// Always: a call costs as much as a third of the additions.
#[inline(always)]
fn add_block<const N: usize>(sum: u64, block: &[u8; N]) -> u64 {
    let (words, _) = block.as_chunks::<8>();
    let (mut sum, mut carry) = (sum, false);
    for word in words {
        (sum, carry) = sum.carrying_add(u64::from_ne_bytes(*word), carry);
    }
    // The carry of the last addition goes in at the other end; it cannot carry again.
    sum + u64::from(carry)
}

/// Adds the first `N` octets, if there are as many; returns what is left.
// Always, for the same reason.
#[inline(always)]
fn add_first<const N: usize>(sum: u64, bytes: &[u8]) -> (u64, &[u8]) {
    match bytes.split_first_chunk::<N>() {
        Some((block, rest)) => (add_block(sum, block), rest),
        None => (sum, bytes),
    }
}

/// Adds what is left after blocks of [`BLOCK`] octets.
// Always, for the same reason.
#[inline(always)]
fn add_rest(sum: u64, rest: &[u8]) -> u64 {
    let (sum, rest) = add_first::<{ BLOCK / 2 }>(sum, rest);
    let (sum, rest) = add_first::<{ BLOCK / 4 }>(sum, rest);
    let (sum, rest) = add_first::<{ BLOCK / 8 }>(sum, rest);
    let (sum, rest) = add_first::<{ BLOCK / 16 }>(sum, rest);
    let (sum, tail) = add_first::<{ BLOCK / 32 }>(sum, rest);
    match tail {
        [] => sum,
        // What a TCP segment of 1,460 octets ends with.
        [a, b, c, d] => add_carry(sum, u32::from_ne_bytes([*a, *b, *c, *d]).into()),
        _ => {
            let mut last = [0; 8];
            last[..tail.len()].copy_from_slice(tail);
            add_carry(sum, u64::from_ne_bytes(last))
        }
    }
}

#[inline]
fn fold(sum: u64) -> u16 {
    // What carries goes in at the other end, and cannot carry again.
    let (sum, carry) = (sum as u32).overflowing_add((sum >> 32) as u32);
    let sum = sum + u32::from(carry);
    let (sum, carry) = (sum as u16).overflowing_add((sum >> 16) as u16);
    sum + u16::from(carry)
}

#[cfg(test)]
mod tests;
