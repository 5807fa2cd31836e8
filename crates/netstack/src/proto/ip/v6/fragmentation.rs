//! Fragment headers, and cutting a packet into fragments (RFC 8200 §4.5).

use core::ops::Range;

use super::HEADER_LEN;

/// Octets of a fragment header.
pub const FRAGMENT_LEN: usize = 8;

/// What a fragment header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentHeader {
    /// What the fragmentable part of the whole begins with.
    pub next_header: u8,
    /// Where this fragment's part begins in it, in octets.
    pub offset: usize,
    /// Whether others follow.
    pub more: bool,
    /// By which fragments are put together.
    pub identification: u32,
}

impl FragmentHeader {
    /// Reads a header.
    #[must_use]
    pub fn parse(octets: &[u8]) -> Option<Self> {
        let [next_header, _, o0, o1, i0, i1, i2, i3] = *octets.first_chunk()?;
        let offset = u16::from_be_bytes([o0, o1]);
        Some(Self {
            next_header,
            offset: usize::from(offset & !7),
            more: offset & 1 != 0,
            identification: u32::from_be_bytes([i0, i1, i2, i3]),
        })
    }

    /// Whether it is of a whole packet (RFC 6946 §2).
    #[must_use]
    pub fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// The header's octets.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; FRAGMENT_LEN] {
        let [o0, o1] = (self.offset as u16 | u16::from(self.more)).to_be_bytes();
        let [i0, i1, i2, i3] = self.identification.to_be_bytes();
        [self.next_header, 0, o0, o1, i0, i1, i2, i3]
    }
}

/// The fragments of one packet without extension headers: for each its fragment header, and the range
/// of the payload that it carries.
///
/// Their number is bounded by the length of a packet.
#[derive(Debug)]
pub struct Fragments {
    header: FragmentHeader,
    payload_len: usize,
    /// Octets of payload in each fragment but the last; a multiple of eight.
    step: usize,
}

impl Fragments {
    /// Cuts `payload_len` octets of `next_header` so that each piece fits `mtu` octets, with both
    /// headers. Returns `None` where `mtu` carries no eight octets of payload.
    #[must_use]
    pub fn new(
        next_header: u8,
        identification: u32,
        payload_len: usize,
        mtu: usize,
    ) -> Option<Self> {
        let step = mtu.checked_sub(HEADER_LEN + FRAGMENT_LEN)? & !7;
        let header = FragmentHeader {
            next_header,
            offset: 0,
            more: true,
            identification,
        };
        (step > 0).then_some(Self {
            header,
            payload_len,
            step,
        })
    }
}

impl Iterator for Fragments {
    type Item = (FragmentHeader, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.header.offset;
        if start >= self.payload_len {
            return None;
        }
        let end = self.payload_len.min(start + self.step);
        let mut header = self.header;
        header.more = end < self.payload_len;
        self.header.offset = end;
        Some((header, start..end))
    }
}
