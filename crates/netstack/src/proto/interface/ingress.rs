//! The way in: from a frame to the protocol that it is for.

use bytes::{Buf, Bytes};
use core::net::IpAddr;

use super::{Interface, Transmit};
use crate::proto::Instant;
use crate::proto::account::Kind;
use crate::proto::icmp::Unreachable;
use crate::proto::ip::v4::{HEADER_LEN, Header, HeaderError, protocol};
use crate::proto::ip::{Expired, Reassembled};
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::multicast::igmp;
use crate::proto::tcp::{Ecn, IpMeta};
use crate::proto::udp::{Delivery, Room};

/// How a packet came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// In a frame to our hardware address.
    Link,
    /// In a frame to a group or to all.
    Broadcast,
    /// From ourselves.
    Loopback,
}

impl Interface {
    /// Takes one frame from the link. What is kept of it is kept as slices of `frame`.
    ///
    /// Answers that need no further decision (ARP, echo, ICMP errors) go out at once; what TCP has
    /// to say waits for [`Interface::poll`].
    #[inline]
    pub fn handle_frame(&mut self, now: Instant, frame: Bytes, out: &mut dyn Transmit) {
        self.handle_received(now, frame, false, out);
    }

    /// As [`Interface::handle_frame`], for a device that may have joined segments to one longer
    /// than the MTU, and that says whether it vouches for the checksum of TCP or UDP.
    #[inline]
    pub fn handle_received(
        &mut self,
        now: Instant,
        mut frame: Bytes,
        checksummed: bool,
        out: &mut dyn Transmit,
    ) {
        let Some(header) = ethernet::Header::parse(&frame) else {
            return;
        };
        let from = match header.destination {
            mac if mac == self.egress.mac => From::Link,
            MacAddr::BROADCAST => From::Broadcast,
            mac if mac.is_group() => From::Broadcast,
            _ => return,
        };
        frame.advance(ethernet::HEADER_LEN);
        match header.ether_type {
            ethernet::IPV4 => self.handle_packet(now, frame, from, checksummed, out),
            ethernet::IPV6 => self.handle_packet_of_v6(now, frame, from, checksummed, out),
            ethernet::ARP => self.handle_arp(now, &frame, out),
            _ => {}
        }
    }

    fn handle_packet_of_v6(
        &mut self,
        now: Instant,
        packet: Bytes,
        from: From,
        checksummed: bool,
        out: &mut dyn Transmit,
    ) {
        if let Some(calls) = self.egress.calls_v6() {
            (calls.handle_packet)(self, now, packet, from, checksummed, out);
        }
    }

    /// Takes a packet that we sent to ourselves.
    pub(super) fn handle_looped(&mut self, now: Instant, packet: Bytes, out: &mut dyn Transmit) {
        match packet.first().map(|first| first >> 4) {
            Some(6) => self.handle_packet_of_v6(now, packet, From::Loopback, false, out),
            _ => self.handle_packet(now, packet, From::Loopback, false, out),
        }
    }

    /// Counts a frame that there was no memory for.
    pub(crate) fn discard(&mut self) {
        self.egress.ip.in_discards += 1;
    }

    /// Takes one IPv4 packet.
    #[inline]
    fn handle_packet(
        &mut self,
        now: Instant,
        mut packet: Bytes,
        from: From,
        checksummed: bool,
        out: &mut dyn Transmit,
    ) {
        self.egress.ip.in_receives += 1;
        let parsed = Header::parse(&packet);
        let header = match &parsed {
            Ok(header) => header,
            Err(HeaderError::Malformed | HeaderError::Checksum) => {
                self.egress.ip.in_hdr_errors += 1;
                return;
            }
        };
        let Some(to_many) = self.accept(header, from) else {
            self.egress.ip.in_addr_errors += 1;
            return;
        };
        packet.truncate(header.total_len);
        if header.is_fragment() {
            self.handle_fragment(now, header, &packet, to_many, out);
            return;
        }
        self.deliver(now, header, packet, (to_many, checksummed), out);
    }

    /// Decides whether a packet is for us: `None` if not, else whether it was sent to many.
    #[inline]
    fn accept(&mut self, header: &Header, from: From) -> Option<bool> {
        let pair = Some((header.source, header.destination));
        if from == From::Link && self.accepted == pair {
            return Some(false);
        }
        let accepted = self.accept_anew(header, from);
        if from == From::Link && accepted == Some(false) {
            self.accepted = pair;
        }
        accepted
    }

    fn accept_anew(&self, header: &Header, from: From) -> Option<bool> {
        let routes = &self.egress.routes;
        let unicast = routes.is_local(header.destination);
        match from {
            From::Loopback => Some(false),
            _ if header.destination.is_loopback() || header.source.is_loopback() => None,
            From::Broadcast if is_unconfigured(header) => Some(true),
            _ if !routes.is_valid_source(header.source) => None,
            From::Link if unicast => Some(false),
            // RFC 1122 §3.3.6: a unicast datagram in a broadcast frame is to be dropped.
            From::Broadcast if unicast => None,
            From::Link | From::Broadcast => {
                let to = header.destination;
                let many = routes.is_broadcast(to) || self.is_member(to);
                #[cfg(feature = "dhcp")]
                let many = many || self.accepts_unconfigured(header);
                many.then_some(true)
            }
        }
    }

    fn handle_fragment(
        &mut self,
        now: Instant,
        header: &Header,
        packet: &Bytes,
        to_many: bool,
        out: &mut dyn Transmit,
    ) {
        self.egress.ip.reasm_reqds += 1;
        // Under pressure they make room for each other only.
        let room = self.reassembly.held() + self.tcp.account().left_at_ease();
        let mut kept = [0; HEADER_LEN];
        let fragment = header.fragment(packet, &mut kept);
        let reassembled = self.reassembly.handle(now, &fragment, room);
        self.egress.ip.reasm_fails += self.reassembly.take_dropped();
        self.tcp
            .account()
            .set(Kind::Fragments, self.reassembly.held());
        match reassembled {
            Reassembled::Incomplete => {}
            Reassembled::Refused => self.egress.ip.reasm_fails += 1,
            Reassembled::Complete(mut whole) => {
                let Ok(header) = Header::reassembled(&mut whole) else {
                    return;
                };
                self.egress.ip.reasm_oks += 1;
                self.deliver(now, &header, whole.into(), (to_many, false), out);
            }
        }
    }

    /// Gives up the reassemblies whose time is over.
    #[inline]
    pub(super) fn poll_reassembly(&mut self, now: Instant, out: &mut dyn Transmit) {
        if self.reassembly.poll_at().is_some_and(|at| at <= now) {
            self.give_up_reassembly(now, out);
        }
    }

    fn give_up_reassembly(&mut self, now: Instant, out: &mut dyn Transmit) {
        while let Some(expired) = self.reassembly.poll(now) {
            self.tcp
                .account()
                .set(Kind::Fragments, self.reassembly.held());
            match expired {
                Expired::V4(start) => {
                    self.egress.ip.reasm_timeout += 1;
                    self.egress.ip.reasm_fails += 1;
                    self.report_reassembly_timeout(now, &start, out);
                }
                Expired::V6(start) => {
                    if let Some(calls) = self.egress.calls_v6() {
                        (calls.report_reassembly_timeout)(self, now, &start, out);
                    }
                }
            }
        }
    }

    /// Gives a whole packet to its protocol: one that was sent to many or not, and whose transport
    /// checksum the device vouches for or not.
    #[inline]
    fn deliver(
        &mut self,
        now: Instant,
        header: &Header,
        mut packet: Bytes,
        (to_many, checksummed): (bool, bool),
        out: &mut dyn Transmit,
    ) {
        match header.protocol {
            protocol::TCP if !to_many => {
                self.egress.ip.in_delivers += 1;
                let addresses = (header.source.into(), header.destination.into());
                packet.advance(header.header_len);
                self.deliver_tcp(now, addresses, header.tos, packet, checksummed);
            }
            // RFC 9293 §3.9.2.3: TCP is never spoken to many.
            protocol::TCP => self.egress.ip.in_discards += 1,
            protocol::UDP => self.deliver_udp(now, header, &packet, (to_many, checksummed), out),
            protocol::ICMP => {
                self.egress.ip.in_delivers += 1;
                self.handle_icmp(now, header, &packet, to_many, out);
            }
            igmp::PROTOCOL if self.multicast.is_some() => {
                self.egress.ip.in_delivers += 1;
                self.handle_igmp(now, header, &packet);
            }
            _ => {
                self.egress.ip.in_unknown_protos += 1;
                self.report(now, Unreachable::Protocol, header, &packet, to_many, out);
            }
        }
    }

    /// Gives TCP a segment between two addresses, from a packet of a traffic class.
    #[inline]
    pub(super) fn deliver_tcp(
        &mut self,
        now: Instant,
        (source, destination): (IpAddr, IpAddr),
        traffic_class: u8,
        segment: Bytes,
        checksummed: bool,
    ) {
        self.make_way_for_tcp();
        let meta = IpMeta {
            source,
            destination,
            ecn: Ecn::from_traffic_class(traffic_class),
            checksummed,
        };
        self.tcp.handle_segment(now, &meta, segment);
    }

    fn deliver_udp(
        &mut self,
        now: Instant,
        header: &Header,
        packet: &Bytes,
        (to_many, checksummed): (bool, bool),
        out: &mut dyn Transmit,
    ) {
        self.egress.ip.in_delivers += 1;
        let segment = packet.slice(header.header_len..);
        #[cfg(feature = "dhcp")]
        if self.is_for_dhcp(&segment) {
            self.deliver_dhcp(now, header, &segment, checksummed);
            return;
        }
        if header.source.is_unspecified() && !is_to_dhcp_server(&segment) {
            self.egress.ip.in_addr_errors += 1;
            return;
        }
        let (routes, to) = (&self.egress.routes, header.destination);
        if !(routes.is_local(to) || routes.is_broadcast(to) || self.is_member(to)) {
            self.egress.ip.in_addr_errors += 1;
            return;
        }
        let addresses = (header.source.into(), header.destination.into());
        if !self.deliver_datagram(addresses, &segment, checksummed, header.total_len) {
            self.report(now, Unreachable::Port, header, packet, to_many, out);
        }
    }

    /// Gives a UDP datagram between two addresses, from a packet of `len` octets, to the socket that it is
    /// for; tells whether there is one, or the datagram is not one.
    pub(super) fn deliver_datagram(
        &mut self,
        addresses: (IpAddr, IpAddr),
        segment: &Bytes,
        checksummed: bool,
        len: usize,
    ) -> bool {
        let frame = ethernet::HEADER_LEN + len;
        let pinned = (self.tcp.config().held_by_frame)(frame);
        let room = Room {
            octets: self.datagram_octets,
            left: self.tcp.account().left(),
            pinned,
        };
        match self.udp.handle(addresses, segment, checksummed, &room) {
            Delivery::Queued(id) => {
                self.udp_counters.in_datagrams += 1;
                self.udp.announce(id);
                self.settle_waiting();
            }
            Delivery::QueueFull => self.udp_counters.rcvbuf_errors += 1,
            Delivery::Malformed { checksum } => {
                self.udp_counters.in_errors += 1;
                self.udp_counters.in_csum_errors += u64::from(checksum);
            }
            Delivery::NoPort => {
                self.udp_counters.no_ports += 1;
                return false;
            }
        }
        true
    }
}

/// Whether this may be from a host that looks for its address, the only one to speak from 0.0.0.0
/// (RFC 1122 §3.2.1.3).
fn is_unconfigured(header: &Header) -> bool {
    header.source.is_unspecified()
        && header.destination.is_broadcast()
        && header.protocol == protocol::UDP
        && !header.is_fragment()
}

/// Whether a UDP datagram is to the port of DHCP servers (RFC 2131 §4.1): a socket of ours may be one.
fn is_to_dhcp_server(segment: &[u8]) -> bool {
    segment.get(2..4) == Some(&67u16.to_be_bytes())
}
