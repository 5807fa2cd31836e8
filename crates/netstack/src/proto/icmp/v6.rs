//! ICMPv6 (RFC 4443): the same for IPv6, with a checksum over the addresses too.

use core::net::Ipv6Addr;

use super::{Error, Quoted, Unreachable};
use crate::proto::checksum::Sum;
use crate::proto::ip::v6::{
    FRAGMENT_LEN, FragmentHeader, HEADER_LEN as IP_HEADER_LEN, Header, MINIMUM_MTU, protocol,
};

/// Octets of the header of an error or an echo.
pub const HEADER_LEN: usize = 8;

/// The types that are understood or sent.
mod kind {
    pub(super) const UNREACHABLE: u8 = 1;
    pub(super) const PACKET_TOO_BIG: u8 = 2;
    pub(super) const TIME_EXCEEDED: u8 = 3;
    pub(super) const PARAMETER_PROBLEM: u8 = 4;
    /// Types below are errors.
    pub(super) const FIRST_INFORMATIONAL: u8 = 128;
    pub(super) const ECHO: u8 = 128;
    pub(super) const ECHO_REPLY: u8 = 129;
    pub(super) const ROUTER_SOLICITATION: u8 = 133;
    pub(super) const REDIRECT: u8 = 137;
}

/// A valid ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// To be answered with the same octets.
    Echo(&'a [u8]),
    /// Identifier, sequence number and data.
    EchoReply {
        /// Tells one sender of requests from another.
        identifier: u16,
        /// Tells one request from another.
        sequence: u16,
        /// What the request held.
        data: &'a [u8],
    },
    /// An error about a packet of ours.
    Error(Error, Quoted),
    /// Neighbour discovery (RFC 4861): the whole message.
    Discovery(&'a [u8]),
    /// Anything else: to be dropped without a word (RFC 4443 §2.4 (b)).
    Other,
}

impl<'a> Message<'a> {
    /// Reads and checks a message; `None` if it is malformed, its checksum is wrong, or it tells of a path that
    /// carries less than any may.
    #[must_use]
    pub fn parse(source: Ipv6Addr, destination: Ipv6Addr, bytes: &'a [u8]) -> Option<Self> {
        let [kind, code, _, _, a, b, c, d] = *bytes.first_chunk()?;
        let length = u16::try_from(bytes.len()).ok()?;
        let sum = Sum::pseudo_header(source, destination, protocol::ICMP, length);
        if sum.add_slice(bytes).finish() != 0 {
            return None;
        }
        let error = match kind {
            kind::ECHO if code == 0 => return Some(Self::Echo(bytes)),
            kind::ECHO_REPLY if code == 0 => {
                return Some(Self::EchoReply {
                    identifier: u16::from_be_bytes([a, b]),
                    sequence: u16::from_be_bytes([c, d]),
                    data: &bytes[HEADER_LEN..],
                });
            }
            kind::ROUTER_SOLICITATION..=kind::REDIRECT => return Some(Self::Discovery(bytes)),
            kind::UNREACHABLE => Error::Unreachable(unreachable(code)),
            kind::PACKET_TOO_BIG => {
                let mtu = u32::from_be_bytes([a, b, c, d]);
                // RFC 8201 §4: one below the least is not believed at all.
                if mtu < MINIMUM_MTU as u32 {
                    return None;
                }
                let next_hop_mtu = mtu.min(u16::MAX.into()) as u16;
                Error::Unreachable(Unreachable::FragmentationNeeded { next_hop_mtu })
            }
            kind::TIME_EXCEEDED => Error::TimeExceeded,
            // RFC 4443 §3.4: the next header is not known there.
            kind::PARAMETER_PROBLEM if code == 1 => Error::Unreachable(Unreachable::Protocol),
            kind::PARAMETER_PROBLEM => Error::ParameterProblem,
            _ => return Some(Self::Other),
        };
        Some(Self::Error(error, Quoted::parse_v6(&bytes[HEADER_LEN..])?))
    }
}

fn unreachable(code: u8) -> Unreachable {
    match code {
        0 | 2 => Unreachable::Network,
        1 | 5 | 6 => Unreachable::Prohibited,
        3 => Unreachable::Host,
        4 => Unreachable::Port,
        other => Unreachable::Other(other),
    }
}

impl Quoted {
    /// Reads the start of an IPv6 packet of ours, which has no extension header but that of a fragment;
    /// `None` if it does not reach to the ports.
    pub(crate) fn parse_v6(bytes: &[u8]) -> Option<Self> {
        let mut fixed = *bytes.first_chunk::<IP_HEADER_LEN>()?;
        let payload_len = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        // The rest is cut off: the header is read as if it had none.
        fixed[4..6].fill(0);
        let header = Header::parse(&fixed).ok()?;
        let mut transport = &bytes[IP_HEADER_LEN..];
        let mut protocol = header.next_header;
        if protocol == protocol::FRAGMENT {
            let fragment = FragmentHeader::parse(transport)?;
            if fragment.offset > 0 {
                return None;
            }
            protocol = fragment.next_header;
            transport = &transport[FRAGMENT_LEN..];
        }
        Some(Self {
            source: header.source.into(),
            destination: header.destination.into(),
            protocol,
            total_len: IP_HEADER_LEN + payload_len,
            flow_label: header.flow_label,
            transport: *transport.first_chunk()?,
        })
    }
}

/// What is told of a packet to who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Nobody listens on the port.
    PortUnreachable,
    /// It was not put together in time.
    ReassemblyTimeExceeded,
    /// It cannot be processed: the code (RFC 4443 §3.4), and the octet where it shows.
    ParameterProblem(u8, u32),
}

impl Report {
    /// The message, without its checksum, about `packet`, of which it quotes what fits 1,280 octets with
    /// both headers (RFC 4443 §2.4 (c)).
    #[must_use]
    pub fn message(self, packet: &[u8]) -> Vec<u8> {
        let (kind, code, word) = match self {
            Self::PortUnreachable => (kind::UNREACHABLE, 4, 0),
            Self::ReassemblyTimeExceeded => (kind::TIME_EXCEEDED, 1, 0),
            Self::ParameterProblem(code, pointer) => (kind::PARAMETER_PROBLEM, code, pointer),
        };
        let room = MINIMUM_MTU - IP_HEADER_LEN - HEADER_LEN;
        let quoted = &packet[..packet.len().min(room)];
        let mut message = vec![kind, code, 0, 0];
        message.extend_from_slice(&word.to_be_bytes());
        message.extend_from_slice(quoted);
        message
    }
}

/// The answer to an echo request, which is all of its message: written into `reply`, of the same length,
/// without its checksum.
///
/// # Panics
///
/// If the lengths differ or are less than a header.
pub fn write_echo_reply(request: &[u8], reply: &mut [u8]) {
    reply.copy_from_slice(request);
    reply[0] = kind::ECHO_REPLY;
}

/// An echo request, without its checksum.
#[must_use]
pub fn echo_request(identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![kind::ECHO, 0, 0, 0];
    message.extend_from_slice(&identifier.to_be_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(data);
    message
}

/// Writes the checksum of a message between two addresses.
///
/// # Panics
///
/// If the message is shorter than four octets or longer than 65,535.
pub fn write_checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &mut [u8]) {
    let length = u16::try_from(message.len()).expect("an ICMPv6 message is at most 65535 octets");
    message[2..4].fill(0);
    let sum = Sum::pseudo_header(source, destination, protocol::ICMP, length).add_slice(message);
    message[2..4].copy_from_slice(&sum.finish().to_be_bytes());
}

/// Whether the payload of a packet, ICMPv6, is an error or a redirect, about which none is sent
/// (RFC 4443 §2.4 (e)).
#[must_use]
pub fn is_error(payload: &[u8]) -> bool {
    let informational = kind::FIRST_INFORMATIONAL..;
    !payload
        .first()
        .is_some_and(|kind| informational.contains(kind) && *kind != kind::REDIRECT)
}

#[cfg(test)]
mod tests;
