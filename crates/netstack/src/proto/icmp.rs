//! ICMP (RFC 792, RFC 1122 §3.2.2), and ICMPv6 in [`v6`]: echo, errors received, and errors sent under a rate limit.

pub mod v6;

mod requests;

pub(crate) use requests::{Request, Requests};

use core::net::IpAddr;
use etherparse::{Icmpv4Slice, Ipv4HeaderSlice};

use super::checksum::{Sum, checksum};
use super::ip::{is_host, v4};

/// Octets of an ICMP header.
pub const HEADER_LEN: usize = 8;

/// The types that are understood or sent.
mod kind {
    pub(super) const ECHO_REPLY: u8 = 0;
    pub(super) const UNREACHABLE: u8 = 3;
    pub(super) const ECHO: u8 = 8;
    pub(super) const TIME_EXCEEDED: u8 = 11;
    pub(super) const PARAMETER_PROBLEM: u8 = 12;
}

/// Why a destination cannot be reached: the codes of type 3 that a host tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Code 0, and 5, 6, 8, 11 and 12, which mean no more to a host.
    Network,
    /// Code 1, and 7.
    Host,
    /// Code 2: the host does not know the protocol.
    Protocol,
    /// Code 3: nobody listens on the port.
    Port,
    /// Code 4: the datagram is too large for the next hop and must not be fragmented. The MTU of
    /// that hop, 0 from routers older than RFC 1191. Over IPv6, Packet Too Big.
    FragmentationNeeded {
        /// In octets, with the IP header.
        next_hop_mtu: u16,
    },
    /// Codes 9, 10 and 13: somebody forbids it.
    Prohibited,
    /// Another code, given here.
    Other(u8),
}

impl Unreachable {
    fn from_code(code: u8, next_hop_mtu: u16) -> Self {
        match code {
            0 | 5 | 6 | 8 | 11 | 12 => Self::Network,
            1 | 7 => Self::Host,
            2 => Self::Protocol,
            3 => Self::Port,
            4 => Self::FragmentationNeeded { next_hop_mtu },
            9 | 10 | 13 => Self::Prohibited,
            _ => Self::Other(code),
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Network => 0,
            Self::Host => 1,
            Self::Protocol => 2,
            Self::Port => 3,
            Self::FragmentationNeeded { .. } => 4,
            Self::Prohibited => 13,
            Self::Other(code) => code,
        }
    }

    /// Whether the datagram's sender should give up at once (RFC 1122 §4.2.3.9: protocol and port
    /// unreachable are hard errors; network and host unreachable may pass).
    #[must_use]
    pub fn is_hard(self) -> bool {
        matches!(self, Self::Protocol | Self::Port | Self::Prohibited)
    }
}

/// An error that a host or router reports about a datagram of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Type 3.
    Unreachable(Unreachable),
    /// Type 11: the time to live ran out (code 0), or that of reassembly (code 1).
    TimeExceeded,
    /// Type 12.
    ParameterProblem,
}

/// The start of a datagram of ours as an error quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Its source: an address of ours, if the error is honest.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// Its protocol.
    pub protocol: u8,
    /// Octets of the datagram, as its header says.
    pub total_len: usize,
    /// The flow label of IPv6; 0 of IPv4.
    pub flow_label: u32,
    /// The first eight octets of its payload.
    pub transport: [u8; 8],
}

/// A valid ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Type 8: to be answered with the same octets.
    Echo(&'a [u8]),
    /// Type 0: identifier, sequence number and data.
    EchoReply {
        /// Tells one sender of requests from another.
        identifier: u16,
        /// Tells one request from another.
        sequence: u16,
        /// What the request held.
        data: &'a [u8],
    },
    /// Types 3, 11 and 12.
    Error(Error, Quoted),
    /// Anything else: to be dropped without a word (RFC 1122 §3.2.2).
    Other,
}

impl<'a> Message<'a> {
    /// Reads and checks an ICMP message; `None` if it is malformed or its checksum is wrong.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let slice = Icmpv4Slice::from_slice(bytes).ok()?;
        if checksum(bytes) != 0 {
            return None;
        }
        let [high, low, ..] = slice.bytes5to8();
        let rest = &bytes[HEADER_LEN..];
        let error = match slice.type_u8() {
            kind::ECHO if slice.code_u8() == 0 => return Some(Self::Echo(bytes)),
            kind::ECHO_REPLY if slice.code_u8() == 0 => {
                let [_, _, s0, s1] = slice.bytes5to8();
                let (identifier, sequence) = (
                    u16::from_be_bytes([high, low]),
                    u16::from_be_bytes([s0, s1]),
                );
                return Some(Self::EchoReply {
                    identifier,
                    sequence,
                    data: rest,
                });
            }
            kind::UNREACHABLE => {
                let [_, _, m0, m1] = slice.bytes5to8();
                let mtu = u16::from_be_bytes([m0, m1]);
                Error::Unreachable(Unreachable::from_code(slice.code_u8(), mtu))
            }
            kind::TIME_EXCEEDED => Error::TimeExceeded,
            kind::PARAMETER_PROBLEM => Error::ParameterProblem,
            _ => return Some(Self::Other),
        };
        Some(Self::Error(error, Quoted::parse(rest)?))
    }
}

impl Quoted {
    /// Reads the start of a packet of either family; `None` if it does not reach to the ports.
    pub(crate) fn parse_any(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            6 => Self::parse_v6(bytes),
            _ => Self::parse(bytes),
        }
    }

    /// Reads the start of an IPv4 packet; `None` if it does not reach to the ports.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
        let transport = bytes[header.slice().len()..].first_chunk::<8>()?;
        // Only the first fragment shows the ports.
        (header.fragments_offset().value() == 0).then_some(Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            protocol: header.protocol().0,
            total_len: usize::from(header.total_len()),
            flow_label: 0,
            transport: *transport,
        })
    }
}

/// The answer to an echo request, which is all of its ICMP message: written into `reply`, of the
/// same length.
///
/// # Panics
///
/// If the lengths differ or are less than a header.
pub fn write_echo_reply(request: &[u8], reply: &mut [u8]) {
    reply.copy_from_slice(request);
    reply[0] = kind::ECHO_REPLY;
    write_checksum(reply);
}

/// An echo request.
#[must_use]
pub fn echo_request(identifier: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![kind::ECHO, 0, 0, 0];
    message.extend_from_slice(&identifier.to_be_bytes());
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(data);
    write_checksum(&mut message);
    message
}

/// Destination Unreachable about `packet`, a whole IPv4 packet.
#[must_use]
pub fn unreachable(reason: Unreachable, packet: &[u8]) -> Vec<u8> {
    let mtu = match reason {
        Unreachable::FragmentationNeeded { next_hop_mtu } => next_hop_mtu,
        _ => 0,
    };
    error(kind::UNREACHABLE, reason.code(), mtu, packet)
}

/// Time Exceeded in reassembly about the datagram whose first fragment starts `packet`.
#[must_use]
pub fn reassembly_time_exceeded(packet: &[u8]) -> Vec<u8> {
    error(kind::TIME_EXCEEDED, 1, 0, packet)
}

fn error(kind: u8, code: u8, low_word: u16, packet: &[u8]) -> Vec<u8> {
    // As much of the packet as fits 576 octets with both headers (RFC 1812 §4.3.2.3).
    let room = v4::MINIMUM_REASSEMBLY - v4::HEADER_LEN - HEADER_LEN;
    let quoted = &packet[..packet.len().min(room)];
    let [m0, m1] = low_word.to_be_bytes();
    let mut message = vec![kind, code, 0, 0, 0, 0, m0, m1];
    message.extend_from_slice(quoted);
    write_checksum(&mut message);
    message
}

fn write_checksum(message: &mut [u8]) {
    message[2..4].fill(0);
    let sum = Sum::default().add_slice(message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// Whether an error may be sent about a packet (RFC 1122 §3.2.2): not about one that was sent to
/// many, nor a fragment other than the first, nor an ICMP error, nor one whose source is not a
/// single host.
///
/// `to_many` tells whether the link-layer or IP destination was a group or broadcast address.
#[must_use]
pub fn may_report(header: &v4::Header, payload: &[u8], to_many: bool) -> bool {
    let about_error = header.protocol == v4::protocol::ICMP
        && !matches!(payload.first(), Some(&(kind::ECHO | kind::ECHO_REPLY)));
    !to_many && !about_error && is_host(header.source) && header.fragment_offset == 0
}

#[cfg(test)]
mod tests;
