//! The way in of IPv6: from a packet to the protocol that it is for.

use bytes::{Buf, Bytes};

use super::V6;
use crate::proto::Instant;
use crate::proto::account::Kind;
use crate::proto::icmp::v6::Report;
use crate::proto::interface::ingress::From;
use crate::proto::interface::{Interface, Transmit};
use crate::proto::ip::v4::protocol::{TCP, UDP};
use crate::proto::ip::v6::{
    Chain, FragmentHeader, HEADER_LEN, Header, Refusal, Step, may_be_on_link, protocol,
};
use crate::proto::ip::{Fragment, Reassembled};
use crate::proto::tcp::pinned;

/// Octets of a first fragment that are kept for an error about the whole, at most.
const START: usize = 200;
/// Octets of the headers before a segment of TCP, at most, for it not to be copied: those of IPv4.
const HEADERS: usize = 60;

/// A packet, with what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) header: Header,
    pub(super) packet: Bytes,
    /// It was sent to many.
    pub(super) to_many: bool,
    /// It came from the link, from nobody's address or from one of ours: neighbour discovery alone hears it.
    pub(super) odd: bool,
    /// It came in a frame to us alone.
    pub(super) alone: bool,
    /// The device vouches for the checksum of TCP or UDP.
    checksummed: bool,
}

impl V6 {
    /// Decides whether a packet is for us: `None` if not, else whether it was sent to many, and whether its
    /// source is odd ([`Incoming::odd`]).
    #[inline]
    fn accept(&mut self, header: &Header, from: From) -> Option<(bool, bool)> {
        let pair = Some((header.source, header.destination));
        if from == From::Link && self.accepted == pair {
            return Some((false, false));
        }
        let accepted = self.accept_anew(header, from);
        if from == From::Link && accepted == Some((false, false)) {
            self.accepted = pair;
        }
        accepted
    }

    fn accept_anew(&self, header: &Header, from: From) -> Option<(bool, bool)> {
        let (source, destination) = (header.source, header.destination);
        let to_many = destination.is_multicast();
        if from == From::Loopback {
            return Some((to_many, false));
        }
        let odd = source.is_unspecified() || self.is_local(source);
        if !may_be_on_link(source, destination) || (odd && header.next_header != protocol::ICMP) {
            return None;
        }
        let ours = match to_many {
            true => self.is_member(destination),
            // A unicast packet in a frame to many is none that an honest host sends.
            false => from == From::Link && self.is_local(destination),
        };
        ours.then_some((to_many, odd))
    }
}

impl Interface {
    /// Takes one IPv6 packet.
    pub(super) fn handle_packet_v6(
        &mut self,
        now: Instant,
        mut packet: Bytes,
        from: From,
        checksummed: bool,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.ip.in_receives += 1;
        let Ok(header) = Header::parse(&packet) else {
            v6.ip.in_hdr_errors += 1;
            return;
        };
        let addresses = (header.source, header.destination);
        if header.next_header == TCP && from == From::Link && v6.accepted == Some(addresses) {
            // Nearly always: what is left to do of all that is below.
            v6.ip.in_delivers += 1;
            packet.truncate(header.total_len());
            packet.advance(HEADER_LEN);
            let addresses = (header.source.into(), header.destination.into());
            self.deliver_tcp(now, addresses, header.traffic_class, packet, checksummed);
            return;
        }
        self.handle_any_v6(now, header, packet, (from, checksummed), out);
    }

    /// Takes a packet with this header.
    #[inline(never)]
    fn handle_any_v6(
        &mut self,
        now: Instant,
        header: Header,
        mut packet: Bytes,
        (from, checksummed): (From, bool),
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let Some((to_many, odd)) = v6.accept(&header, from) else {
            v6.ip.in_addr_errors += 1;
            return;
        };
        packet.truncate(header.total_len());
        let incoming = Incoming {
            header,
            packet,
            to_many,
            odd,
            alone: from == From::Link,
            checksummed,
        };
        self.walk(now, Chain::new(header.next_header), incoming, out);
    }

    /// Goes along the headers.
    #[inline]
    fn walk(&mut self, now: Instant, mut chain: Chain, incoming: Incoming, out: &mut dyn Transmit) {
        match chain.walk(&incoming.packet) {
            Ok(Step::Upper(protocol, at)) => {
                self.deliver_v6(now, &chain, (protocol, at), incoming, out);
            }
            Ok(Step::Fragment(fragment, at)) => {
                self.handle_fragment_v6(now, &fragment, at, incoming, out);
            }
            Err(refusal) => self.refuse(now, refusal, &incoming, out),
        }
    }

    /// A chain of headers is not taken.
    #[cold]
    fn refuse(
        &mut self,
        now: Instant,
        refusal: Refusal,
        incoming: &Incoming,
        out: &mut dyn Transmit,
    ) {
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.ip.in_hdr_errors += 1;
        }
        let (code, at) = match refusal {
            Refusal::Silent => return,
            Refusal::Problem(code, at) if !incoming.to_many => (code, at),
            Refusal::Problem(..) => return,
            Refusal::ProblemToAll(at) => (2, at),
        };
        let report = Report::ParameterProblem(code, at as u32);
        self.report_v6(now, report, incoming, out);
    }

    fn handle_fragment_v6(
        &mut self,
        now: Instant,
        fragment: &FragmentHeader,
        at: usize,
        incoming: Incoming,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.ip.reasm_reqds += 1;
        let Incoming { header, packet, .. } = &incoming;
        // What is put together has no header but IPv6's: those before the fragment's have been seen to.
        let first = Header {
            next_header: fragment.next_header,
            payload_len: 0,
            ..*header
        };
        let mut kept = [0; HEADER_LEN];
        first.write(&mut kept);
        let fragment = Fragment {
            source: header.source.into(),
            destination: header.destination.into(),
            protocol: 0,
            identification: fragment.identification,
            offset: fragment.offset,
            more: fragment.more,
            header: &kept,
            start: &packet[..packet.len().min(at + 8).min(START)],
            payload: &packet[at..],
        };
        let room = self.reassembly.held() + self.tcp.account().left_at_ease();
        let reassembled = self.reassembly.handle(now, &fragment, room);
        let dropped = self.reassembly.take_dropped();
        let held = self.reassembly.held();
        self.tcp.account().set(Kind::Fragments, held);
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.ip.reasm_fails += dropped;
        match reassembled {
            Reassembled::Incomplete => {}
            Reassembled::Refused => v6.ip.reasm_fails += 1,
            Reassembled::Complete(mut whole) => {
                let payload_len = whole.len() - HEADER_LEN;
                whole[4..6].copy_from_slice(&(payload_len as u16).to_be_bytes());
                let Ok(header) = Header::parse(&whole) else {
                    return;
                };
                v6.ip.reasm_oks += 1;
                let whole = Incoming {
                    header,
                    packet: whole.into(),
                    checksummed: false,
                    ..incoming
                };
                self.walk(now, Chain::reassembled(header.next_header), whole, out);
            }
        }
    }

    /// Gives a whole packet to its protocol, which begins at `at`.
    #[inline]
    fn deliver_v6(
        &mut self,
        now: Instant,
        chain: &Chain,
        (protocol, at): (u8, usize),
        mut incoming: Incoming,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        let Header {
            source,
            destination,
            ..
        } = incoming.header;
        let addresses = (source.into(), destination.into());
        match protocol {
            TCP if !incoming.to_many => {
                v6.ip.in_delivers += 1;
                incoming.packet.advance(at);
                if at > HEADERS {
                    // So long are they that the segment may be a small part of its frame.
                    incoming.packet = pinned::copy(incoming.packet);
                }
                let tos = incoming.header.traffic_class;
                self.deliver_tcp(now, addresses, tos, incoming.packet, incoming.checksummed);
            }
            // RFC 9293 §3.9.2.3: TCP is never spoken to many.
            TCP => v6.ip.in_discards += 1,
            UDP => {
                v6.ip.in_delivers += 1;
                let segment = incoming.packet.slice(at..);
                #[cfg(feature = "dhcp")]
                if self.is_for_dhcpv6(destination, &segment) {
                    let ends = (source, destination);
                    self.deliver_dhcpv6(now, ends, &segment, incoming.checksummed);
                    return;
                }
                let len = incoming.packet.len();
                if !self.deliver_datagram(addresses, &segment, incoming.checksummed, len)
                    && !incoming.to_many
                {
                    self.report_v6(now, Report::PortUnreachable, &incoming, out);
                }
            }
            protocol::ICMP => {
                v6.ip.in_delivers += 1;
                self.handle_icmp_v6(now, chain.is_fragmented(), at, &incoming, out);
            }
            _ => {
                v6.ip.in_unknown_protos += 1;
                // RFC 4443 §3.4: the next header is not known here.
                let refusal = Refusal::Problem(1, chain.pointer());
                self.refuse(now, refusal, &incoming, out);
            }
        }
    }
}
