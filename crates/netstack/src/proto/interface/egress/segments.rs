//! TCP's segments on their way out: the headers of the last one are used again while they hold.

use super::{Egress, IP, Link, PAYLOAD};
use crate::proto::Instant;
use crate::proto::interface::{HEADROOM, Transmit};
use crate::proto::ip::v4::{self, protocol};
use crate::proto::tcp::{TxMeta, TxSink};

/// Puts TCP's segments into frames.
pub(crate) struct Segments<'a> {
    egress: &'a mut Egress,
    now: Instant,
    out: &'a mut dyn Transmit,
    /// Of the packet under construction, its length, and [`TxMeta::cut`].
    pending: Option<(Link, usize)>,
    cut: u16,
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
        }
    }
}

impl Segments<'_> {
    /// Makes the headers of a segment whose destination is another than the last one's.
    fn reserve_anew(&mut self, meta: &TxMeta) -> &mut [u8] {
        let (source, destination) = (meta.source, meta.destination);
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
        self.cut = 0;
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
        let total_len = v4::HEADER_LEN + meta.len;
        if meta.cut == 0 && total_len > self.egress.device_mtu {
            self.egress.ip.frag_fails += 1;
            return None;
        }
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
        self.egress.ip.out_requests += 1;
        if self.cut == 0 {
            self.egress.finish(self.now, link, total_len, self.out);
        } else {
            self.egress.finish_run(total_len, self.cut, self.out);
        }
    }

    #[inline]
    fn longest_run(&self, meta: &TxMeta) -> usize {
        // Only what goes out at once: a frame that waits for its neighbour waits as segments.
        let flow = self.egress.flow.as_ref();
        if self.egress.offload && flow.is_some_and(|flow| flow.fits(self.now, meta)) {
            usize::from(u16::MAX) - v4::HEADER_LEN
        } else {
            0
        }
    }
}
