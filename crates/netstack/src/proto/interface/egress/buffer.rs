//! Where things are in the buffer in which frames are put together, and how runs go out of it.

use bytes::{Buf, BytesMut};

use super::Egress;
use crate::proto::interface::{HEADROOM, Run, Transmit};
use crate::proto::ip::{v4, v6};
use crate::proto::link::ethernet;

/// Where an IP header starts in a frame.
pub(in crate::proto::interface) const IP: usize = ethernet::HEADER_LEN;
/// Where the payload of an IPv4 datagram starts in a frame, and that of an IPv6 packet.
pub(super) const PAYLOAD: usize = IP + v4::HEADER_LEN;
pub(super) const PAYLOAD_V6: usize = IP + v6::HEADER_LEN;

/// Octets from which on copies are fastest: a line of the processor's cache.
const LINE: usize = 64;
/// Where the payload of a packet starts in the buffer: the data of a TCP segment, which follows twenty octets of
/// header and twelve of timestamps, at a line.
pub(super) const TRANSPORT: usize = 2 * LINE - 32;
/// Where a frame with an IPv4 datagram starts in the buffer, and one with an IPv6 packet.
pub(super) const FRAME: usize = TRANSPORT - PAYLOAD;
pub(super) const FRAME_V6: usize = TRANSPORT - PAYLOAD_V6;
const _: () = assert!(HEADROOM <= FRAME_V6);

/// Octets that are zero, the first of them at a line.
pub(super) fn from_line(len: usize) -> BytesMut {
    let mut octets = BytesMut::zeroed(len + LINE - 1);
    octets.advance(octets.as_ptr().align_offset(LINE).min(LINE - 1));
    octets
}

impl Egress {
    /// Sends the run that was begun last and ends at `end`: octets of the header of TCP or UDP, and of payload in each of
    /// its parts.
    pub(super) fn finish_run(
        &mut self,
        end: usize,
        (header_len, segment): (usize, u16),
        udp: bool,
        out: &mut dyn Transmit,
    ) {
        let transport = TRANSPORT - self.frame;
        let run = Run {
            transport,
            header_len: transport + header_len,
            segment,
            ipv6: self.frame == FRAME_V6,
            udp,
        };
        out.transmit_run(&mut self.buffer[self.frame - HEADROOM..end], &run);
    }
}
