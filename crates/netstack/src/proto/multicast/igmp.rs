//! The formats of IGMP (RFC 3376 §4; RFC 2236 §2 and RFC 1112 appendix I for what was before).

use core::net::Ipv4Addr;
use core::time::Duration;

use super::{Heard, Message, Query, Version, report, value_of};
use crate::proto::checksum::checksum;
use crate::proto::ip::v4;

/// IGMP's protocol number.
pub const PROTOCOL: u8 = 2;
/// All hosts of the link, which all are always in (RFC 1112 §4).
pub const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// All routers that speak the third version (RFC 3376 §4.2.14).
const ALL_V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

/// Octets of the IPv4 header with its option.
const IP_HEADER: usize = v4::HEADER_LEN + ROUTER_ALERT.len();
/// That routers are to look at the packet (RFC 2113).
const ROUTER_ALERT: [u8; 4] = [148, 4, 0, 0];
/// Internetwork control (RFC 3376 §4).
const TOS: u8 = 0xc0;

const QUERY: u8 = 0x11;
const V1_REPORT: u8 = 0x12;
const V2_REPORT: u8 = 0x16;
const V2_LEAVE: u8 = 0x17;
const V3_REPORT: u8 = 0x22;

/// Reads the message in an IPv4 packet whose header has been checked; `None` if it is none that concerns a host, or
/// not to be believed: a query without the option Router Alert, or one about all groups that was sent to one (RFC 3376
/// §9.1).
#[must_use]
pub fn parse(header: &v4::Header, packet: &[u8]) -> Option<Heard<Ipv4Addr>> {
    let options = packet.get(v4::HEADER_LEN..header.header_len)?;
    let message = packet.get(header.header_len..header.total_len)?;
    if checksum(message) != 0 {
        return None;
    }
    let ([kind, code, _, _, group @ ..], rest) = message.split_first_chunk::<8>()?;
    let group = Ipv4Addr::from(*group);
    match *kind {
        QUERY => {
            let query = query(group, *code, rest)?;
            let alert = query.version == Version::First || has_router_alert(options);
            let right = query.group.unwrap_or(ALL_SYSTEMS) == header.destination;
            (alert && right).then_some(Heard::Query(query))
        }
        // Elsewhere no router hears it (RFC 2236 §3).
        V1_REPORT | V2_REPORT if group.is_multicast() && header.destination == group => {
            Some(Heard::OlderReport(group))
        }
        _ => None,
    }
}

/// A query, whose version its length tells (RFC 3376 §7.1).
fn query(group: Ipv4Addr, code: u8, rest: &[u8]) -> Option<Query<Ipv4Addr>> {
    let (version, code, numbers) = match rest {
        // Ten seconds, in tenths.
        [] if code == 0 => (Version::First, 100, None),
        [] => (Version::Second, u32::from(code), None),
        [flags, interval, ..] if rest.len() >= 4 => (
            Version::Third,
            value_of(code.into(), 4),
            Some((*flags, *interval)),
        ),
        _ => return None,
    };
    Query::read(version, group, Duration::from_millis(100) * code, numbers)
}

fn has_router_alert(mut options: &[u8]) -> bool {
    while let Some((&kind, rest)) = options.split_first() {
        // RFC 791 §3.1: the end, and no operation, have no length.
        options = match kind {
            0 => return false,
            1 => rest,
            kind if kind == ROUTER_ALERT[0] => return true,
            _ => match rest.first() {
                Some(&length @ 2..) => rest.get(usize::from(length) - 1..).unwrap_or(&[]),
                _ => return false,
            },
        };
    }
    false
}

/// The IPv4 packet that carries `message` from `source`, which is 0.0.0.0 if we have no address, and where it goes.
#[must_use]
pub fn packet(source: Ipv4Addr, message: &Message<Ipv4Addr>) -> (Ipv4Addr, Vec<u8>) {
    let plain = |kind: u8, group: Ipv4Addr| [&[kind, 0, 0, 0][..], &group.octets()].concat();
    let (destination, mut body) = match message {
        Message::Report(records) => {
            let body = report(V3_REPORT, records, Ipv4Addr::octets);
            (ALL_V3_ROUTERS, body)
        }
        Message::OlderReport(Version::First, group) => (*group, plain(V1_REPORT, *group)),
        Message::OlderReport(_, group) => (*group, plain(V2_REPORT, *group)),
        Message::Leave(group) => (ALL_ROUTERS, plain(V2_LEAVE, *group)),
    };
    let sum = checksum(&body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0; v4::HEADER_LEN];
    packet.extend(ROUTER_ALERT);
    packet.extend(body);
    let mut header = v4::Header::new(source, destination, PROTOCOL, packet.len() - v4::HEADER_LEN);
    (header.ttl, header.tos) = (1, TOS);
    header.write(&mut packet);
    // One with an option: longer by a word, and summed up again.
    packet[0] = 0x40 | (IP_HEADER / 4) as u8;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..IP_HEADER]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    (destination, packet)
}

#[cfg(test)]
mod tests;
