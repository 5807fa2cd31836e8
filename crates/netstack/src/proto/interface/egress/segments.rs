//! TCP's segments on their way out: the headers of the last one are used again while they hold.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Egress, IP, Link, PAYLOAD, PAYLOAD_V6};
use crate::proto::Instant;
use crate::proto::interface::{HEADROOM, Transmit};
use crate::proto::ip::v4::{self, protocol};
use crate::proto::ip::{header_len, v6};
use crate::proto::tcp::{TxMeta, TxSink};

/// Puts TCP's segments into frames.
pub(crate) struct Segments<'a> {
    egress: &'a mut Egress,
    now: Instant,
    out: &'a mut dyn Transmit,
    /// Of the packet under construction, its length, and [`TxMeta::cut`].
    pending: Option<(Link, usize)>,
    cut: u16,
    /// Whether it is of IPv6.
    v6: bool,
}

impl Egress {
    /// The way out for TCP's segments.
    pub(crate) fn segments<'a>(
        &'a mut self,
        now: Instant,
        out: &'a mut dyn Transmit,
    ) -> Segments<'a> {
        Segments {
            egress: self,
            now,
            out,
            pending: None,
            cut: 0,
            v6: false,
        }
    }
}

impl Segments<'_> {
    /// Makes the headers of a segment whose destination is another than the last one's.
    fn reserve_anew(&mut self, meta: &TxMeta) -> &mut [u8] {
        self.cut = 0;
        match (meta.source, meta.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.reserve_v4(meta, source, destination)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.reserve_v6(meta, source, destination)
            }
            // No connection has addresses of two families: it goes nowhere.
            _ => {
                self.pending = None;
                &mut self.egress.buffer[HEADROOM + PAYLOAD_V6..][..meta.len]
            }
        }
    }

    /// Completes a packet of IPv6.
    fn label(&mut self, total_len: usize) {
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.ip.out_requests += 1;
            (v6.calls.label)(self.egress, total_len);
        }
    }

    fn reserve_v6(&mut self, meta: &TxMeta, source: Ipv6Addr, destination: Ipv6Addr) -> &mut [u8] {
        let mut header = v6::Header::new(source, destination, protocol::TCP, meta.len);
        header.hop_limit = meta.ttl;
        header.traffic_class = meta.ecn as u8;
        let egress = &mut *self.egress;
        let may_send = egress
            .v6
            .as_ref()
            .is_some_and(|v6| v6.may_send(source, destination));
        let link = match egress.calls_v6().filter(|_| may_send) {
            Some(calls) => (calls.link)(egress, self.now, destination),
            None => None,
        };
        let link = link.unwrap_or(Link::Nowhere);
        self.pending = Some((link, header.total_len()));
        self.egress.begin_v6(link, &header);
        if let Link::Station(station) = link {
            self.egress.remember(meta, station);
        }
        &mut self.egress.buffer[HEADROOM..][PAYLOAD_V6..IP + header.total_len()]
    }

    fn reserve_v4(&mut self, meta: &TxMeta, source: Ipv4Addr, destination: Ipv4Addr) -> &mut [u8] {
        let mut header = v4::Header::new(source, destination, protocol::TCP, meta.len);
        header.ttl = meta.ttl;
        header.tos = meta.ecn as u8;
        if !meta.dont_fragment {
            header.dont_fragment = false;
            header.identification = self.egress.next_identification();
        }
        // Whoever asks TCP itself for a connection may name any source.
        let link = match self.egress.routes.may_send(source, destination) {
            true => self.egress.link(self.now, destination),
            false => None,
        };
        let link = link.unwrap_or(Link::Nowhere);
        self.pending = Some((link, header.total_len));
        self.egress.begin(link, &header);
        if let (Link::Station(station), true) = (link, meta.dont_fragment) {
            self.egress.remember(meta, station);
        }
        &mut self.egress.buffer[HEADROOM..][PAYLOAD..IP + header.total_len]
    }
}

impl TxSink for Segments<'_> {
    #[inline]
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        let total_len = header_len(meta.destination) + meta.len;
        if meta.cut == 0 && total_len > self.egress.device_mtu {
            self.egress.ip.frag_fails += 1;
            return None;
        }
        self.v6 = meta.destination.is_ipv6();
        if let Some(flow) = &self.egress.flow
            && flow.fits(self.now, meta)
        {
            self.pending = Some((Link::Station(flow.station), total_len));
            self.cut = meta.cut;
            let frame = &mut self.egress.buffer[HEADROOM..][..IP + total_len];
            return Some(flow.write(total_len as u16, frame));
        }
        Some(self.reserve_anew(meta))
    }

    #[inline]
    fn commit(&mut self) {
        let Some((link, total_len)) = self.pending.take() else {
            return;
        };
        if self.v6 {
            self.label(total_len);
        } else {
            self.egress.ip.out_requests += 1;
        }
        if self.cut == 0 {
            self.egress.finish(self.now, link, total_len, self.out);
        } else {
            let run = (self.cut, self.v6);
            self.egress.finish_run(total_len, run, self.out);
        }
    }

    #[inline]
    fn longest_run(&self, meta: &TxMeta) -> usize {
        // Only what goes out at once: a frame that waits for its neighbour waits as segments.
        let flow = self.egress.flow.as_ref();
        let offload = self.egress.offload[usize::from(meta.destination.is_ipv6())];
        if offload && flow.is_some_and(|flow| flow.fits(self.now, meta)) {
            usize::from(u16::MAX) - header_len(meta.destination)
        } else {
            0
        }
    }
}
