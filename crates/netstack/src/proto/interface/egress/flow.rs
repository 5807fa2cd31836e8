//! The headers of TCP's last segment, which the next one's nearly always equal.

use super::{Egress, IP, PAYLOAD, PAYLOAD_V6};
use crate::proto::Instant;
use crate::proto::checksum::Sum;
use crate::proto::ip::{Endpoint, v6};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::tcp::TxMeta;

/// Ethernet and IP headers that hold for all segments to one destination.
#[derive(Debug)]
pub(in crate::proto::interface) struct Flow {
    /// The ports are any connection's.
    local: Endpoint,
    remote: Endpoint,
    /// The flow label in `headers`; none over IPv4.
    label: u32,
    ttl: u8,
    tos: u8,
    /// When the neighbour's address is no longer fresh.
    until: Instant,
    /// The headers, with length and checksum zero; those of IPv4 are shorter.
    headers: [u8; PAYLOAD_V6],
    /// The sum of the IPv4 header in `headers`.
    sum: Sum,
}

impl Egress {
    /// Keeps the headers just begun for the next segment, as long as the neighbour is fresh.
    pub(super) fn remember(&mut self, meta: &TxMeta, station: MacAddr) {
        let ipv6 = meta.remote.is_ipv6();
        let until = match ipv6 {
            false => self.arp.fresh_until(station),
            true => {
                let v6 = self.v6.as_ref();
                v6.and_then(|v6| v6.neighbours.fresh_until(station))
            }
        };
        let Some(until) = until else {
            return;
        };
        let mut headers = [0; PAYLOAD_V6];
        let len = if ipv6 { PAYLOAD_V6 } else { PAYLOAD };
        headers[..len].copy_from_slice(&self.buffer[self.frame..][..len]);
        if !ipv6 {
            headers[IP + 2..IP + 4].fill(0);
            headers[IP + 10..IP + 12].fill(0);
        }
        self.flow = Some(Flow {
            local: meta.local,
            remote: meta.remote,
            label: meta.flow_label,
            ttl: meta.ttl,
            tos: meta.ecn as u8,
            until,
            headers,
            sum: Sum::default().add_slice(&headers[IP..PAYLOAD]),
        });
    }

    /// Has the flow's headers be those of another connection over IPv6 between the same addresses.
    pub(super) fn relabel(&mut self, label: u32) {
        if let Some(flow) = &mut self.flow {
            flow.label = label;
            v6::write_flow_label(&mut flow.headers[IP..], label);
        }
    }
}

impl Flow {
    #[inline]
    pub(super) fn fits(&self, now: Instant, meta: &TxMeta) -> bool {
        self.remote.is_at(&meta.remote)
            && self.local.is_at(&meta.local)
            && (self.ttl, self.tos) == (meta.ttl, meta.ecn as u8)
            && meta.dont_fragment
            && now < self.until
    }

    /// Whether the flow label in the headers is that of the segment's connection.
    #[inline]
    pub(super) fn is_labelled(&self, meta: &TxMeta) -> bool {
        self.label == meta.flow_label
    }

    /// Writes the headers for a packet of `total_len` octets into `frame`, and gives the room after
    /// them.
    #[inline]
    pub(super) fn write<'a>(&self, total_len: u16, frame: &'a mut [u8]) -> &'a mut [u8] {
        if self.remote.is_ipv6() {
            return self.write_v6(total_len, frame);
        }
        let (headers, room) = frame.split_at_mut(PAYLOAD);
        headers.copy_from_slice(&self.headers[..PAYLOAD]);
        headers[IP + 2..IP + 4].copy_from_slice(&total_len.to_be_bytes());
        let checksum = self.sum.add_word(total_len).finish();
        headers[IP + 10..IP + 12].copy_from_slice(&checksum.to_be_bytes());
        room
    }

    #[inline]
    fn write_v6<'a>(&self, total_len: u16, frame: &'a mut [u8]) -> &'a mut [u8] {
        let payload_len = total_len - v6::HEADER_LEN as u16;
        let (headers, room) = frame.split_at_mut(PAYLOAD_V6);
        headers.copy_from_slice(&self.headers);
        headers[IP + 4..IP + 6].copy_from_slice(&payload_len.to_be_bytes());
        room
    }
}
