//! Cutting a datagram into fragments (RFC 791 §3.2), and what these are to be put together again.

use super::{HEADER_LEN, Header, HeaderError};
use crate::proto::ip::Fragment;

impl Header {
    /// The fragment that came in `packet`, of which this is the header; `kept` is room for the header that
    /// the whole is to have.
    pub(crate) fn fragment<'a>(
        &self,
        packet: &'a [u8],
        kept: &'a mut [u8; HEADER_LEN],
    ) -> Fragment<'a> {
        if self.fragment_offset == 0 {
            let total_len = HEADER_LEN + self.payload_len();
            let header_len = HEADER_LEN;
            let first = Self {
                header_len,
                total_len,
                ..*self
            };
            first.write(kept);
        }
        Fragment {
            source: self.source.into(),
            destination: self.destination.into(),
            protocol: self.protocol,
            identification: self.identification.into(),
            offset: self.fragment_offset,
            more: self.more_fragments,
            header: kept,
            start: &packet[..packet.len().min(self.header_len + 8)],
            payload: &packet[self.header_len..self.total_len],
        }
    }

    /// The header of what was put together, which has that of the first fragment in front, and is given
    /// this one.
    pub(crate) fn reassembled(whole: &mut [u8]) -> Result<Self, HeaderError> {
        let mut header = Self::parse(whole)?;
        header.more_fragments = false;
        header.total_len = whole.len();
        header.write(whole);
        Ok(header)
    }
}

/// The fragments of one datagram: for each, its header and the range of the payload it carries.
///
/// The number of fragments is bounded by the length of a datagram.
#[derive(Debug)]
pub struct Fragments {
    header: Header,
    payload_len: usize,
    /// Octets of payload in each fragment but the last; a multiple of eight.
    step: usize,
    next: usize,
}

impl Fragments {
    /// Cuts the datagram that `header` describes so that each piece fits `mtu` octets (IPv4 header
    /// included). A datagram that fits comes out whole.
    ///
    /// Returns `None` if it does not fit and must not be fragmented, or if `mtu` cannot carry
    /// eight octets of payload.
    #[must_use]
    pub fn new(header: Header, mtu: usize) -> Option<Self> {
        let payload_len = header.payload_len();
        let room = mtu.checked_sub(HEADER_LEN)?;
        let step = if payload_len <= room {
            payload_len
        } else {
            room & !7
        };
        let allowed = payload_len <= room || (!header.dont_fragment && step > 0);
        allowed.then_some(Self {
            header,
            payload_len,
            step,
            next: 0,
        })
    }
}

impl Iterator for Fragments {
    type Item = (Header, core::ops::Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let first_of_empty = start == 0 && self.payload_len == 0 && self.step == 0;
        if start >= self.payload_len && !first_of_empty {
            return None;
        }
        let end = self.payload_len.min(start + self.step);
        let mut header = self.header;
        header.fragment_offset += start;
        header.more_fragments |= end < self.payload_len;
        header.header_len = HEADER_LEN;
        header.total_len = HEADER_LEN + end - start;
        // One past the end ends the iteration for an empty payload too.
        self.next = end.max(1);
        self.step = self.step.max(1);
        Some((header, start..end))
    }
}
