//! ICMP at the place where it touches everything else.

use bytes::Bytes;
use core::net::{IpAddr, Ipv4Addr};

use super::{Event, Interface, SendError, Transmit};
use crate::proto::Instant;
use crate::proto::counters::Icmp;
use crate::proto::icmp::{self, Error, Message, Quoted, Request, Unreachable};
use crate::proto::ip::Endpoint;
use crate::proto::ip::v4::{Header, protocol};
use crate::proto::link::ethernet;
use crate::proto::tcp::IcmpError;

impl Icmp {
    /// Counts an error that was received.
    pub(super) fn count_error(&mut self, error: Error) {
        match error {
            Error::Unreachable(_) => self.in_dest_unreachs += 1,
            Error::TimeExceeded => self.in_time_excds += 1,
            Error::ParameterProblem => self.in_parm_probs += 1,
        }
    }
}

impl Interface {
    pub(super) fn handle_icmp(
        &mut self,
        now: Instant,
        header: &Header,
        packet: &Bytes,
        to_many: bool,
        out: &mut dyn Transmit,
    ) {
        self.icmp.in_msgs += 1;
        let bytes = &packet[header.header_len..];
        match Message::parse(bytes) {
            None => self.icmp.in_errors += 1,
            // RFC 1122 §3.2.2.6 lets a host be silent when all were asked.
            Some(Message::Echo(_)) if to_many => self.icmp.in_echos += 1,
            Some(Message::Echo(request)) => {
                self.icmp.in_echos += 1;
                self.answer_echo(now, header, request, out);
            }
            Some(Message::EchoReply {
                identifier,
                sequence,
                data,
            }) => {
                self.icmp.in_echo_reps += 1;
                self.take_echo_reply(header.source.into(), (identifier, sequence), data);
            }
            Some(Message::Error(error, quoted)) => {
                self.icmp.count_error(error);
                self.act_upon(now, error, &quoted);
            }
            Some(Message::Other) => {}
        }
    }

    /// Tells of an echo reply from an address of either family, if it is to a request of ours.
    pub(super) fn take_echo_reply(
        &mut self,
        source: IpAddr,
        (identifier, sequence): (u16, u16),
        data: &[u8],
    ) {
        let request = Request {
            destination: source,
            identifier,
            sequence,
            octets: data.len() as u16,
        };
        if self.echo_requests.take(&request) {
            self.push_event(Event::EchoReply {
                source,
                identifier,
                sequence,
                data: Bytes::copy_from_slice(data),
            });
        }
    }

    fn answer_echo(
        &mut self,
        now: Instant,
        header: &Header,
        request: &[u8],
        out: &mut dyn Transmit,
    ) {
        let mut answer = Header::new(
            header.destination,
            header.source,
            protocol::ICMP,
            request.len(),
        );
        answer.tos = header.tos & !0b11;
        let sent = if answer.total_len <= self.egress.path_mtu(now, header.source.into()) {
            let write = |room: &mut [u8]| icmp::write_echo_reply(request, room);
            self.egress.send(now, &answer, write, out)
        } else {
            answer.dont_fragment = false;
            let mut reply = vec![0; request.len()];
            icmp::write_echo_reply(request, &mut reply);
            self.egress.send_datagram(now, answer, &reply, out)
        };
        if sent.is_ok() {
            self.icmp.out_msgs += 1;
            self.icmp.out_echo_reps += 1;
        }
    }

    /// Acts upon an error about a packet of ours, of either family.
    pub(super) fn act_upon(&mut self, now: Instant, error: Error, quoted: &Quoted) {
        if !self.egress.is_local(quoted.source) {
            return;
        }
        match quoted.protocol {
            protocol::TCP => self.handle_tcp_error(now, error, quoted),
            protocol::UDP => self.handle_udp_error(now, error, quoted),
            _ => {}
        }
    }

    fn handle_tcp_error(&mut self, now: Instant, error: Error, quoted: &Quoted) {
        let error = match error {
            Error::Unreachable(Unreachable::FragmentationNeeded { next_hop_mtu }) => {
                IcmpError::FragmentationNeeded(next_hop_mtu)
            }
            Error::Unreachable(Unreachable::Port | Unreachable::Protocol) => {
                IcmpError::PortUnreachable
            }
            Error::Unreachable(Unreachable::Network) => IcmpError::NetworkUnreachable,
            _ => IcmpError::HostUnreachable,
        };
        // TCP checks that the sequence number is of a segment in flight before it believes the
        // error (RFC 5927 §4.1), and keeps the path MTU for each connection.
        let (source, destination) = (quoted.source, quoted.destination);
        self.tcp
            .handle_icmp(now, source, destination, &quoted.transport, error);
    }

    fn handle_udp_error(&mut self, now: Instant, error: Error, quoted: &Quoted) {
        let [s0, s1, d0, d1, ..] = quoted.transport;
        let local = Endpoint::new(quoted.source, u16::from_be_bytes([s0, s1]));
        let peer = Endpoint::new(quoted.destination, u16::from_be_bytes([d0, d1]));
        match error {
            // Only about datagrams that a socket of ours can have sent, whomever else it is connected to.
            Error::Unreachable(Unreachable::FragmentationNeeded { next_hop_mtu })
                if self.udp.find(None, local).is_some() && self.is_of_our_flow(quoted) =>
            {
                let (to, len) = (quoted.destination, quoted.total_len);
                let current = self.egress.path_mtu(now, to);
                self.egress
                    .paths
                    .handle(now, to, next_hop_mtu, len, current);
            }
            Error::Unreachable(reason) if reason.is_hard() && self.is_of_our_flow(quoted) => {
                if let Some(id) = self.udp.handle_unreachable(local, peer) {
                    self.udp.announce(id);
                }
            }
            _ => {}
        }
    }

    /// Whether a datagram that is quoted has the flow label that ours have, which nobody can foretell who does not see
    /// them (RFC 8201 §4, RFC 6437 §3). Those of IPv4 have none, nor has what a translator to IPv4 quotes (RFC 7915
    /// §4.1), of which the usual prefixes are known (RFC 6052 §2.1, RFC 8215 §3).
    fn is_of_our_flow(&self, quoted: &Quoted) -> bool {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (quoted.source, quoted.destination)
        else {
            return true;
        };
        if let [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] = destination.segments()
            && quoted.flow_label == 0
        {
            return true;
        }
        let [s0, s1, d0, d1, ..] = quoted.transport;
        self.egress.v6.as_deref().is_some_and(|v6| {
            let (ends, ports) = ((source, destination), [s0, s1, d0, d1]);
            (v6.calls.flow_label)(v6, ends, quoted.protocol, ports) == quoted.flow_label
        })
    }

    /// Reports to the sender of `packet` that it did not reach its goal, if that is allowed and the
    /// rate limit permits it.
    pub(super) fn report(
        &mut self,
        now: Instant,
        reason: Unreachable,
        header: &Header,
        packet: &Bytes,
        to_many: bool,
        out: &mut dyn Transmit,
    ) {
        if icmp::may_report(header, &packet[header.header_len..], to_many)
            && self.send_error(now, header.destination, header.source, out, || {
                icmp::unreachable(reason, packet)
            })
        {
            self.icmp.out_dest_unreachs += 1;
        }
    }

    /// Reports that the datagram whose first fragment starts `packet` was not put together in time
    /// (RFC 1122 §3.3.2). An empty `packet` stands for a first fragment that never came.
    pub(super) fn report_reassembly_timeout(
        &mut self,
        now: Instant,
        packet: &[u8],
        out: &mut dyn Transmit,
    ) {
        let Some((&source, &destination)) = packet
            .get(12..16)
            .and_then(|bytes| bytes.first_chunk::<4>())
            .zip(
                packet
                    .get(16..20)
                    .and_then(|bytes| bytes.first_chunk::<4>()),
            )
        else {
            return;
        };
        let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
        if self.egress.routes.is_local(destination)
            && self.send_error(now, destination, source, out, || {
                icmp::reassembly_time_exceeded(packet)
            })
        {
            self.icmp.out_time_excds += 1;
        }
    }

    fn send_error(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        to: Ipv4Addr,
        out: &mut dyn Transmit,
        message: impl FnOnce() -> Vec<u8>,
    ) -> bool {
        if !self.tcp.may_report(now, to.into()) {
            self.icmp.out_rate_limited += 1;
            return false;
        }
        let message = message();
        let mut header = Header::new(from, to, protocol::ICMP, message.len());
        header.dont_fragment = false;
        let sent = self
            .egress
            .send_datagram(now, header, &message, out)
            .is_ok();
        self.icmp.out_msgs += u64::from(sent);
        sent
    }

    /// Sends an echo request; its answer, of the same length, comes as [`Event::EchoReply`]. Replies
    /// to anything but the last 1,024 requests that are unanswered are dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`] if no route leads to `destination` or `data` exceeds a datagram.
    pub fn send_echo_request(
        &mut self,
        now: Instant,
        destination: impl Into<IpAddr>,
        identifier: u16,
        sequence: u16,
        data: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let destination = destination.into().to_canonical();
        let numbers = (identifier, sequence);
        match destination {
            IpAddr::V4(to) => self.send_echo_request_v4(now, to, numbers, data, out)?,
            IpAddr::V6(to) => {
                let calls = self.egress.calls_v6().ok_or(SendError::NoRoute)?;
                (calls.send_echo_request)(self, now, to, numbers, data, out)?;
            }
        }
        self.echo_requests.add(Request {
            destination,
            identifier,
            sequence,
            octets: data.len() as u16,
        });
        self.settle_events();
        Ok(())
    }

    fn send_echo_request_v4(
        &mut self,
        now: Instant,
        destination: Ipv4Addr,
        (identifier, sequence): (u16, u16),
        data: &[u8],
        out: &mut dyn Transmit,
    ) -> Result<(), SendError> {
        let source = self.egress.routes.source_for(destination);
        let source = source.ok_or(SendError::NoRoute)?;
        let message = icmp::echo_request(identifier, sequence, data);
        let mut header = Header::new(source, destination, protocol::ICMP, message.len());
        header.dont_fragment = false;
        self.egress.send_datagram(now, header, &message, out)?;
        self.icmp.out_msgs += 1;
        self.icmp.out_echos += 1;
        Ok(())
    }

    /// Tells the senders of datagrams whose next hop did not answer (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2): to
    /// them it is as if a router had said that the host is unreachable.
    pub(super) fn report_undeliverable(&mut self, now: Instant) {
        if self.egress.undeliverable.is_empty() {
            return;
        }
        for frame in core::mem::take(&mut self.egress.undeliverable) {
            if let Some(quoted) = Quoted::parse_any(&frame[ethernet::HEADER_LEN..]) {
                self.act_upon(now, Error::Unreachable(Unreachable::Host), &quoted);
            }
        }
    }
}
