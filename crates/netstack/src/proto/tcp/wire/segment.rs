//! A segment: SEG.* of RFC 9293 §3.3.1, its reading, writing and acceptability.

use core::hash::{Hash, Hasher};
use core::net::IpAddr;

use bytes::{Buf, Bytes};
use etherparse::{IpNumber, TcpHeaderSlice};

use super::options::TcpOptions;
use super::seq::Seq;
use crate::proto::checksum::Sum;
use crate::proto::ip::{Ecn, Endpoint, is_host};
use crate::proto::tcp::wire::ip::IpMeta;

/// Octets of a TCP header without options.
pub(crate) const HEADER_LEN: usize = 20;

/// The control bits (RFC 9293 §3.1) that are looked at here; URG is ignored and so is its pointer:
/// urgent data stays in line (RFC 6093).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) u8);

impl Flags {
    pub(crate) const FIN: Self = Self(0x01);
    pub(crate) const SYN: Self = Self(0x02);
    pub(crate) const RST: Self = Self(0x04);
    pub(crate) const PSH: Self = Self(0x08);
    pub(crate) const ACK: Self = Self(0x10);
    pub(crate) const ECE: Self = Self(0x40);
    pub(crate) const CWR: Self = Self(0x80);

    #[inline]
    pub(crate) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    #[inline]
    pub(crate) const fn with(self, flag: Self) -> Self {
        Self(self.0 | flag.0)
    }
}

/// The addresses and ports of a connection, from our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FourTuple {
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
}

impl Hash for FourTuple {
    /// Two words for IPv4, five for IPv6: the derived implementation hashes octet by octet.
    // Always: a hasher that is handed on lies in memory, which doubles what a hash costs.
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match (self.local.ip(), self.remote.ip()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                state.write_u64(u64::from(local.to_bits()) << 32 | u64::from(remote.to_bits()));
            }
            (local, remote) => hash_wide(local, remote, state),
        }
        state.write_u64(u64::from(self.local.port()) << 16 | u64::from(self.remote.port()));
    }
}

/// The addresses of IPv6, word by word.
#[inline(always)]
fn hash_wide<H: Hasher>(local: IpAddr, remote: IpAddr, state: &mut H) {
    for address in [local, remote] {
        let bits = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        state.write_u64((bits >> 64) as u64);
        state.write_u64(bits as u64);
    }
}

/// A segment that has arrived and whose checksum is right.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) tuple: FourTuple,
    pub(crate) seq: Seq,
    /// Meaningful when ACK is set.
    pub(crate) ack: Seq,
    /// As it is in the header, not scaled.
    pub(crate) wnd: u16,
    pub(crate) flags: Flags,
    pub(crate) ecn: Ecn,
    pub(crate) options: TcpOptions,
    pub(crate) payload: Bytes,
    /// Octets of the frame that it came in, at most.
    pub(crate) frame_len: u32,
}

/// Octets of an Ethernet header and an IP header, at most: over IPv6, what lies behind longer ones is copied.
const BENEATH: u32 = 14 + 60;

/// Why octets that arrived are no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// Shorter than its header says, or the header shorter than 20 octets.
    Header,
    /// The checksum is wrong.
    Checksum,
    /// Port 0, or from an address that no host has.
    Address,
}

impl Segment {
    /// Reads a segment and verifies its checksum, unless the device has.
    #[inline]
    pub(crate) fn parse(ip: &IpMeta, mut octets: Bytes) -> Result<Self, ParseError> {
        let header = TcpHeaderSlice::from_slice(&octets).map_err(|_| ParseError::Header)?;
        let length = u16::try_from(octets.len()).map_err(|_| ParseError::Header)?;
        let sum = || {
            Sum::pseudo_header(ip.source, ip.destination, IpNumber::TCP.0, length)
                .add_slice(&octets)
        };
        if !ip.checksummed && sum().finish() != 0 {
            return Err(ParseError::Checksum);
        }
        let tuple = FourTuple {
            local: Endpoint::new(ip.destination, header.destination_port()),
            remote: Endpoint::new(ip.source, header.source_port()),
        };
        if tuple.local.port() == 0 || tuple.remote.port() == 0 || !is_host(ip.source) {
            return Err(ParseError::Address);
        }
        let header_len = header.slice().len();
        let (seq, ack) = (
            Seq(header.sequence_number()),
            Seq(header.acknowledgment_number()),
        );
        let (wnd, flags) = (header.window_size(), Flags(header.slice()[13]));
        // In two places and last, or its parts would be moved there.
        let with = |options, payload| Self {
            tuple,
            seq,
            ack,
            wnd,
            flags,
            ecn: ip.ecn,
            options,
            payload,
            frame_len: u32::from(length) + BENEATH,
        };
        if header_len == HEADER_LEN {
            octets.advance(HEADER_LEN);
            return Ok(with(TcpOptions::default(), octets));
        }
        let options = TcpOptions::parse(header.options());
        octets.advance(header_len);
        Ok(with(options, octets))
    }

    /// SEG.LEN: octets of payload, and one each for SYN and FIN.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        let control = u32::from(self.flags.has(Flags::SYN)) + u32::from(self.flags.has(Flags::FIN));
        self.payload.len() as u32 + control
    }

    /// The sequence number after the segment's last.
    #[inline]
    pub(crate) fn end(&self) -> Seq {
        self.seq + self.len()
    }

    /// The acceptability test of RFC 9293 §3.10.7.4, first step.
    #[inline]
    pub(crate) fn is_acceptable(&self, rcv_nxt: Seq, rcv_wnd: u32) -> bool {
        let in_window = |seq: Seq| rcv_nxt.le(seq) && seq.lt(rcv_nxt + rcv_wnd);
        match (self.len(), rcv_wnd) {
            (0, 0) => self.seq == rcv_nxt,
            (0, _) => in_window(self.seq),
            (_, 0) => false,
            (len, _) => in_window(self.seq) || in_window(self.seq + (len - 1)),
        }
    }

    /// Cuts off what is before `start`, a SYN included.
    pub(crate) fn trim_front(&mut self, start: Seq) {
        let mut excess = start.since(self.seq);
        if excess == 0 {
            return;
        }
        self.seq = start;
        if self.flags.has(Flags::SYN) {
            self.flags.0 &= !Flags::SYN.0;
            excess -= 1;
        }
        let octets = (excess as usize).min(self.payload.len());
        self.payload.advance(octets);
        if excess as usize > octets {
            self.flags.0 &= !Flags::FIN.0;
        }
    }

    /// Cuts off what is at or after `end`.
    pub(crate) fn trim_back(&mut self, end: Seq) {
        let excess = self.end().since(end);
        if excess == 0 {
            return;
        }
        let fin = u32::from(self.flags.has(Flags::FIN));
        self.flags.0 &= !Flags::FIN.0;
        let keep = self.payload.len().saturating_sub((excess - fin) as usize);
        self.payload.truncate(keep);
    }
}

/// The header of a segment to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) tuple: FourTuple,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) wnd: u16,
    pub(crate) flags: Flags,
    pub(crate) options: TcpOptions,
}

impl Header {
    /// Octets of the header with its options.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        HEADER_LEN + self.options.encoded_len()
    }

    /// Writes header and payload to `to`, which is as long as both; `payload` fills the octets that
    /// it is given and adds them to the checksum.
    ///
    /// Written by hand: etherparse builds the header in an array of its own and sums it in a pass
    /// of its own, 399 instructions for a header with timestamps against 45 (callgrind).
    #[inline]
    pub(crate) fn write(&self, to: &mut [u8], payload: impl FnOnce(Sum, &mut [u8]) -> Sum) {
        let total = to.len();
        let header_len = self.len();
        let (header, body) = to.split_at_mut(header_len);
        let (fixed, options) = header.split_at_mut(HEADER_LEN);
        let mut bytes = [0; HEADER_LEN];
        bytes[0..2].copy_from_slice(&self.tuple.local.port().to_be_bytes());
        bytes[2..4].copy_from_slice(&self.tuple.remote.port().to_be_bytes());
        bytes[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        bytes[12] = (header_len as u8 / 4) << 4;
        bytes[13] = self.flags.0;
        bytes[14..16].copy_from_slice(&self.wnd.to_be_bytes());
        let (local, remote) = (self.tuple.local.ip(), self.tuple.remote.ip());
        let mut sum =
            Sum::pseudo_header(local, remote, IpNumber::TCP.0, total as u16).add_slice(&bytes);
        if !options.is_empty() {
            self.options.write(options);
            sum = sum.add_slice(options);
        }
        let sum = payload(sum, body);
        bytes[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        fixed.copy_from_slice(&bytes);
    }
}

#[cfg(test)]
mod tests;
