//! ICMPv6 at the place where it touches everything else.

use core::net::Ipv6Addr;

use super::egress::Outgoing;
use super::ingress::Incoming;
use crate::proto::Instant;
use crate::proto::icmp::v6::{
    self as icmp, Message, Report, echo_request, is_error, write_checksum, write_echo_reply,
};
use crate::proto::interface::{Interface, SendError, Transmit};
use crate::proto::ip::is_host;
use crate::proto::ip::v6::{Header, protocol, upper_layer};

/// Whether a packet carries an error of ICMPv6, or a redirect, behind whatever headers (RFC 4443 §2.4 (e));
/// `None` where it does not reach to what it carries.
fn is_about_error(packet: &[u8]) -> Option<bool> {
    let (protocol, at) = upper_layer(packet)?;
    let payload = packet.get(at..).filter(|it| !it.is_empty())?;
    Some(protocol == protocol::ICMP && is_error(payload))
}

impl Interface {
    pub(super) fn handle_icmp_v6(
        &mut self,
        now: Instant,
        fragmented: bool,
        at: usize,
        incoming: &Incoming,
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.icmp.in_msgs += 1;
        let header = &incoming.header;
        let (source, destination) = (header.source, header.destination);
        let message = Message::parse(source, destination, &incoming.packet[at..]);
        match message {
            None => v6.icmp.in_errors += 1,
            Some(Message::Discovery(bytes)) => {
                self.handle_discovery(now, header, bytes, fragmented, out);
            }
            // The others are not from who has no address, or says that it has ours.
            Some(_) if incoming.odd => v6.ip.in_addr_errors += 1,
            Some(Message::Echo(request)) => {
                v6.icmp.in_echos += 1;
                self.answer_echo_v6(now, incoming, request, out);
            }
            Some(Message::EchoReply {
                identifier,
                sequence,
                data,
            }) => {
                v6.icmp.in_echo_reps += 1;
                self.take_echo_reply(source.into(), (identifier, sequence), data);
            }
            Some(Message::Error(error, quoted)) => {
                v6.icmp.count_error(error);
                self.act_upon(now, error, &quoted);
            }
            Some(Message::Other) => self.handle_mld(now, incoming, at),
        }
    }

    /// RFC 4443 §4.2: from the address that was asked, or, where many were, from one of ours.
    fn answer_echo_v6(
        &mut self,
        now: Instant,
        incoming: &Incoming,
        request: &[u8],
        out: &mut dyn Transmit,
    ) {
        let Header {
            source,
            destination,
            traffic_class,
            ..
        } = incoming.header;
        let wanted = match incoming.to_many {
            true => Ipv6Addr::UNSPECIFIED,
            false => destination,
        };
        let Ok(from) = self.egress.source_v6(now, wanted, source) else {
            return;
        };
        let mut answer = Outgoing::new(from, source, protocol::ICMP, request.len());
        answer.traffic_class = traffic_class & !0b11;
        let mut write = |room: &mut [u8]| {
            write_echo_reply(request, room);
            write_checksum(from, source, room);
        };
        let sent = self.egress.send_v6(now, &answer, &mut write, out);
        if let (Ok(()), Some(v6)) = (sent, self.egress.v6.as_deref_mut()) {
            v6.icmp.out_msgs += 1;
            v6.icmp.out_echo_reps += 1;
        }
    }

    /// Tells the sender of a packet what is wrong with it, if that is allowed (RFC 4443 §2.4 (e)) and the
    /// rate limit permits it. That a packet was sent to many forbids it or not: the caller knows.
    pub(super) fn report_v6(
        &mut self,
        now: Instant,
        report: Report,
        incoming: &Incoming,
        out: &mut dyn Transmit,
    ) {
        let Header {
            source,
            destination,
            ..
        } = incoming.header;
        if is_about_error(&incoming.packet) == Some(true) || incoming.odd || !is_host(source) {
            return;
        }
        let from = match incoming.to_many {
            true => Ipv6Addr::UNSPECIFIED,
            false => destination,
        };
        self.send_error_v6(now, (from, source), report, &incoming.packet, out);
    }

    fn send_error_v6(
        &mut self,
        now: Instant,
        (from, to): (Ipv6Addr, Ipv6Addr),
        report: Report,
        packet: &[u8],
        out: &mut dyn Transmit,
    ) {
        let permitted = self.tcp.may_report(now, to.into());
        let from = self.egress.source_v6(now, from, to);
        let (Some(v6), Ok(from)) = (self.egress.v6.as_deref_mut(), from) else {
            return;
        };
        if !permitted {
            v6.icmp.out_rate_limited += 1;
            return;
        }
        let mut message = report.message(packet);
        write_checksum(from, to, &mut message);
        let outgoing = Outgoing::new(from, to, protocol::ICMP, message.len());
        let mut write = |room: &mut [u8]| room.copy_from_slice(&message);
        let sent = self.egress.send_v6(now, &outgoing, &mut write, out);
        if let (Ok(()), Some(v6)) = (sent, self.egress.v6.as_deref_mut()) {
            v6.icmp.out_msgs += 1;
            match report {
                Report::PortUnreachable => v6.icmp.out_dest_unreachs += 1,
                Report::ReassemblyTimeExceeded => v6.icmp.out_time_excds += 1,
                Report::ParameterProblem(..) => v6.icmp.out_parm_probs += 1,
            }
        }
    }

    /// Reports that a packet was not put together in time (RFC 8200 §4.5): `start` is the start of its
    /// first fragment.
    pub(super) fn report_reassembly_timeout_v6(
        &mut self,
        now: Instant,
        start: &[u8],
        out: &mut dyn Transmit,
    ) {
        let Some(v6) = self.egress.v6.as_deref_mut() else {
            return;
        };
        v6.ip.reasm_timeout += 1;
        v6.ip.reasm_fails += 1;
        let mut fixed = match start.first_chunk::<{ crate::proto::ip::v6::HEADER_LEN }>() {
            Some(fixed) => *fixed,
            None => return,
        };
        // It is quoted as far as it was kept.
        fixed[4..6].fill(0);
        if let Ok(header) = Header::parse(&fixed)
            && is_host(header.source)
            && is_host(header.destination)
            && is_about_error(start) == Some(false)
        {
            let ends = (header.destination, header.source);
            self.send_error_v6(now, ends, Report::ReassemblyTimeExceeded, start, out);
        }
    }

    pub(super) fn send_echo_request_v6(
        &mut self,
        now: Instant,
        destination: Ipv6Addr,
        (identifier, sequence): (u16, u16),
        data: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let source = self
            .egress
            .source_v6(now, Ipv6Addr::UNSPECIFIED, destination)?;
        let mut message = echo_request(identifier, sequence, data);
        if message.len() > usize::from(u16::MAX) {
            return Err(SendError::TooLarge(
                usize::from(u16::MAX) - icmp::HEADER_LEN,
            ));
        }
        write_checksum(source, destination, &mut message);
        let outgoing = Outgoing::new(source, destination, protocol::ICMP, message.len());
        let mut write = |room: &mut [u8]| room.copy_from_slice(&message);
        self.egress.send_v6(now, &outgoing, &mut write, out)?;
        if let Some(v6) = self.egress.v6.as_deref_mut() {
            v6.icmp.out_msgs += 1;
            v6.icmp.out_echos += 1;
        }
        Ok(())
    }
}
