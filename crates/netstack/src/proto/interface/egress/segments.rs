//! TCP's segments on their way out: the headers of the last one are used again while they hold.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::flow::Flow;
use super::{Egress, FRAME, FRAME_V6, IP, Link, TRANSPORT};
use crate::proto::Instant;
use crate::proto::interface::Transmit;
use crate::proto::ip::v4::{self, protocol};
use crate::proto::ip::v6;
use crate::proto::tcp::{TxMeta, TxSink};

/// Puts TCP's segments into frames.
pub(crate) struct Segments<'a> {
    egress: &'a mut Egress,
    now: Instant,
    out: &'a mut dyn Transmit,
    /// What is under construction.
    pending: Pending,
    /// Where its frame ends in the buffer.
    end: usize,
    /// [`TxMeta::cut`].
    cut: u16,
}

/// The way of the packet under construction.
#[derive(Clone, Copy)]
enum Pending {
    /// There is none.
    Nothing,
    /// There is none, but the headers of a segment that went by the flow are still in the buffer.
    Headers,
    /// That of the flow.
    Flow,
    Link(Link),
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
            pending: Pending::Nothing,
            end: TRANSPORT,
            cut: 0,
        }
    }
}

impl Segments<'_> {
    /// Makes the headers of a segment whose destination is another than the last one's.
    #[inline(never)]
    fn reserve_anew(&mut self, meta: &TxMeta) -> &mut [u8] {
        self.cut = 0;
        let link = match (meta.source(), meta.destination()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.begin_v4(meta, source, destination)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.begin_v6(meta, source, destination)
            }
            // No connection has addresses of two families: it goes nowhere.
            _ => Link::Nowhere,
        };
        self.pending = Pending::Link(link);
        &mut self.egress.buffer[TRANSPORT..self.end]
    }

    fn begin_v6(&mut self, meta: &TxMeta, source: Ipv6Addr, destination: Ipv6Addr) -> Link {
        let mut header = v6::Header::new(source, destination, protocol::TCP, meta.len);
        header.hop_limit = meta.ttl;
        header.traffic_class = meta.ecn as u8;
        header.flow_label = meta.flow_label;
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
        egress.begin_v6(link, &header);
        if let Link::Station(station) = link {
            egress.remember(meta, station);
        }
        link
    }

    fn begin_v4(&mut self, meta: &TxMeta, source: Ipv4Addr, destination: Ipv4Addr) -> Link {
        let egress = &mut *self.egress;
        let mut header = v4::Header::new(source, destination, protocol::TCP, meta.len);
        header.ttl = meta.ttl;
        header.tos = meta.ecn as u8;
        if !meta.dont_fragment {
            header.dont_fragment = false;
            header.identification = egress.next_identification();
        }
        // Whoever asks TCP itself for a connection may name any source.
        let link = match egress.routes.may_send(source, destination) {
            true => egress.link(self.now, destination),
            false => None,
        };
        let link = link.unwrap_or(Link::Nowhere);
        egress.begin(link, &header);
        if let (Link::Station(station), true) = (link, meta.dont_fragment) {
            egress.remember(meta, station);
        }
        link
    }

    /// Counts a packet that is sent.
    #[inline]
    fn count(&mut self) {
        if self.egress.frame == FRAME {
            self.egress.ip.out_requests += 1;
        } else if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.ip.out_requests += 1;
        }
    }

    /// Sends what does not go by the flow, or what the device is to cut apart.
    #[inline(never)]
    fn commit_otherwise(&mut self) {
        let link = match self.pending {
            Pending::Nothing | Pending::Headers => return,
            Pending::Flow => None,
            Pending::Link(link) => Some(link),
        };
        self.pending = Pending::Nothing;
        self.count();
        let total_len = self.end - self.egress.frame - IP;
        match link {
            Some(link) => self.egress.finish(self.now, link, total_len, self.out),
            None => self.finish_run(),
        }
    }

    /// Sends the run of segments that was begun last.
    fn finish_run(&mut self) {
        // RFC 9293 §3.1: the data offset, in words of four octets.
        let header_len = usize::from(self.egress.buffer[TRANSPORT + 12] >> 4) * 4;
        let segments = (header_len, self.cut);
        self.egress.finish_run(self.end, segments, false, self.out);
    }
}

impl TxSink for Segments<'_> {
    #[inline]
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        let ipv6 = meta.remote.is_ipv6();
        let before = self.end;
        self.egress.frame = if ipv6 { FRAME_V6 } else { FRAME };
        self.end = TRANSPORT + meta.len;
        let total_len = self.end - self.egress.frame - IP;
        if meta.cut == 0 && total_len > self.egress.device_mtu {
            self.egress.ip.frag_fails += 1;
            self.pending = Pending::Nothing;
            return None;
        }
        self.cut = meta.cut;
        let fits = |flow: &&Flow| flow.fits(self.now, meta);
        let Some(flow) = self.egress.flow.as_ref().filter(fits) else {
            return Some(self.reserve_anew(meta));
        };
        let headers = matches!(self.pending, Pending::Headers) && self.end == before;
        self.pending = Pending::Flow;
        if !flow.is_labelled(meta) {
            self.egress.relabel(meta.flow_label);
        } else if headers {
            return Some(&mut self.egress.buffer[TRANSPORT..self.end]);
        }
        let egress = &mut *self.egress;
        let frame = &mut egress.buffer[egress.frame..self.end];
        Some(egress.flow.as_ref()?.write(total_len as u16, frame))
    }

    #[inline]
    fn reserve_again(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        if !matches!(self.pending, Pending::Headers) {
            return self.reserve(meta);
        }
        self.pending = Pending::Flow;
        Some(&mut self.egress.buffer[TRANSPORT..self.end])
    }

    #[inline]
    fn commit(&mut self) {
        if self.cut != 0 || !matches!(self.pending, Pending::Flow) {
            return self.commit_otherwise();
        }
        self.count();
        self.pending = Pending::Headers;
        self.out
            .transmit(&self.egress.buffer[self.egress.frame..self.end]);
    }

    #[inline]
    fn longest_run(&self, meta: &TxMeta) -> usize {
        // Only what goes out at once: a frame that waits for its neighbour waits as segments.
        let flow = self.egress.flow.as_ref();
        let ipv6 = meta.remote.is_ipv6();
        if self.egress.offload[usize::from(ipv6)]
            && flow.is_some_and(|flow| flow.fits(self.now, meta))
        {
            let header_len = if ipv6 { v6::HEADER_LEN } else { v4::HEADER_LEN };
            usize::from(u16::MAX) - header_len
        } else {
            0
        }
    }
}
