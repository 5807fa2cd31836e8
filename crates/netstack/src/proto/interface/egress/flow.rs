//! The headers of TCP's last segment, which the next one's nearly always equal.

use core::net::IpAddr;

use super::{Egress, IP, PAYLOAD, PAYLOAD_V6};
use crate::proto::Instant;
use crate::proto::checksum::Sum;
use crate::proto::interface::HEADROOM;
use crate::proto::ip::v4::protocol;
use crate::proto::ip::{header_len, v6};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::tcp::TxMeta;

/// Ethernet and IP headers that hold for all segments to one destination.
#[derive(Debug)]
pub(in crate::proto::interface) struct Flow {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    tos: u8,
    pub(super) station: MacAddr,
    /// When the neighbour's address is no longer fresh.
    until: Instant,
    /// The headers, with length and checksum zero; those of IPv4 are shorter.
    headers: [u8; PAYLOAD_V6],
    /// The sum of the IPv4 header in `headers`.
    sum: Sum,
    /// The flow label of the last segment over IPv6, and its ports.
    label: Option<([u8; 4], u32)>,
}

impl Egress {
    /// Keeps the headers just begun for the next segment, as long as the neighbour is fresh.
    pub(super) fn remember(&mut self, meta: &TxMeta, station: MacAddr) {
        let v6 = self.v6.as_ref();
        let until = match meta.destination {
            IpAddr::V4(_) => self.arp.fresh_until(station),
            IpAddr::V6(_) => v6.and_then(|v6| v6.neighbours.fresh_until(station)),
        };
        let Some(until) = until else {
            return;
        };
        let mut headers = [0; PAYLOAD_V6];
        let len = IP + header_len(meta.destination);
        headers[..len].copy_from_slice(&self.buffer[HEADROOM..][..len]);
        if meta.destination.is_ipv4() {
            headers[IP + 2..IP + 4].fill(0);
            headers[IP + 10..IP + 12].fill(0);
        }
        self.flow = Some(Flow {
            source: meta.source,
            destination: meta.destination,
            ttl: meta.ttl,
            tos: meta.ecn as u8,
            station,
            until,
            headers,
            sum: Sum::default().add_slice(&headers[IP..PAYLOAD]),
            label: None,
        });
    }
}

impl Flow {
    #[inline]
    pub(super) fn fits(&self, now: Instant, meta: &TxMeta) -> bool {
        self.destination == meta.destination
            && self.source == meta.source
            && (self.ttl, self.tos) == (meta.ttl, meta.ecn as u8)
            && meta.dont_fragment
            && now < self.until
    }

    /// Writes the headers for a packet of `total_len` octets into `frame`, and gives the room after
    /// them.
    #[inline]
    pub(super) fn write<'a>(&self, total_len: u16, frame: &'a mut [u8]) -> &'a mut [u8] {
        if self.destination.is_ipv6() {
            return self.write_v6(total_len, frame);
        }
        let (headers, room) = frame.split_at_mut(PAYLOAD);
        headers.copy_from_slice(&self.headers[..PAYLOAD]);
        headers[IP + 2..IP + 4].copy_from_slice(&total_len.to_be_bytes());
        let checksum = self.sum.add_word(total_len).finish();
        headers[IP + 10..IP + 12].copy_from_slice(&checksum.to_be_bytes());
        room
    }

    fn write_v6<'a>(&self, total_len: u16, frame: &'a mut [u8]) -> &'a mut [u8] {
        let payload_len = total_len - v6::HEADER_LEN as u16;
        let (headers, room) = frame.split_at_mut(PAYLOAD_V6);
        headers.copy_from_slice(&self.headers);
        headers[IP + 4..IP + 6].copy_from_slice(&payload_len.to_be_bytes());
        room
    }

    /// The label of a packet, if it is of the same flow as the last one.
    pub(in crate::proto::interface) fn label(
        &self,
        header: &v6::Header,
        ports: [u8; 4],
    ) -> Option<u32> {
        let (known, label) = self.label?;
        (self.is_of(header) && known == ports).then_some(label)
    }

    /// Keeps the label of a packet that goes where this leads.
    pub(in crate::proto::interface) fn set_label(
        &mut self,
        header: &v6::Header,
        ports: [u8; 4],
        label: u32,
    ) {
        if self.is_of(header) {
            self.label = Some((ports, label));
        }
    }

    /// Whether a packet of TCP has these addresses.
    fn is_of(&self, header: &v6::Header) -> bool {
        self.source == header.source
            && self.destination == header.destination
            && header.next_header == protocol::TCP
    }
}
