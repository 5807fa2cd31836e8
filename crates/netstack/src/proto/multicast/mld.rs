//! The formats of MLD (RFC 3810 §5; RFC 2710 §3 for what was before).

use core::net::Ipv6Addr;
use core::time::Duration;

use super::{Heard, Message, Query, Version, report, value_of};
use crate::proto::checksum::Sum;
use crate::proto::ip::v6::{ALL_NODES, ALL_ROUTERS, HEADER_LEN, Header, protocol};

/// All routers that speak the second version (RFC 3810 §5.2.14).
const ALL_V2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// Hop-by-hop options: that routers are to look at the packet, for MLD (RFC 2711 §2.1), and padding.
const HOP_BY_HOP: [u8; 8] = [protocol::ICMP, 0, ROUTER_ALERT, 2, 0, 0, 1, 0];
const ROUTER_ALERT: u8 = 5;

/// Type of a query.
pub const QUERY: u8 = 130;
const V1_REPORT: u8 = 131;
const V1_DONE: u8 = 132;
const V2_REPORT: u8 = 143;

/// Whether a group is one that is never reported: that of all nodes, or one that is for the interface alone (RFC 3810
/// §6).
#[must_use]
pub fn is_silent(group: Ipv6Addr) -> bool {
    group == ALL_NODES || group.octets()[1] & 0xf < 2
}

/// Reads the message at `at` of an IPv6 packet whose header and checksum have been verified; `None` if it is none that
/// concerns a host, or not to be believed: one that may have passed a router, or that is not marked for them (RFC 3810
/// §5.1.14, §5.2.13).
#[must_use]
pub fn parse(packet: &[u8], at: usize) -> Option<Heard<Ipv6Addr>> {
    let header = Header::parse(packet).ok()?;
    let extensions = packet.get(HEADER_LEN..at)?;
    let message = packet.get(at..header.total_len())?;
    let near = header.hop_limit == 1 && header.source.is_unicast_link_local();
    if !near || header.next_header != protocol::HOP_BY_HOP || !has_router_alert(extensions) {
        return None;
    }
    let ([kind, _, _, _, delay @ .., _, _], rest) = message.split_first_chunk::<8>()?;
    let (group, rest) = rest.split_first_chunk::<16>()?;
    let group = Ipv6Addr::from(*group);
    match *kind {
        QUERY => query(u16::from_be_bytes(*delay), group, rest).map(Heard::Query),
        // Elsewhere no router hears it (RFC 2710 §3).
        V1_REPORT if group.is_multicast() && header.destination == group => {
            Some(Heard::OlderReport(group))
        }
        _ => None,
    }
}

/// A query, whose version its length tells (RFC 3810 §8.1).
fn query(code: u16, group: Ipv6Addr, rest: &[u8]) -> Option<Query<Ipv6Addr>> {
    let (version, millis, numbers) = match rest {
        [] => (Version::Second, u32::from(code), None),
        [flags, interval, ..] if rest.len() >= 4 => {
            let numbers = Some((*flags, *interval));
            (Version::Third, value_of(code.into(), 12), numbers)
        }
        _ => return None,
    };
    let response_time = Duration::from_millis(millis.into());
    Query::read(version, group, response_time, numbers)
}

/// Whether the first extension header, hop-by-hop options, has the option.
fn has_router_alert(extensions: &[u8]) -> bool {
    let mut options = extensions.get(2..).unwrap_or(&[]);
    while let Some((&kind, rest)) = options.split_first() {
        options = match (kind, rest.split_first()) {
            // Padding of one octet.
            (0, _) => rest,
            (ROUTER_ALERT, _) => return true,
            (_, Some((length, rest))) => rest.get(usize::from(*length)..).unwrap_or(&[]),
            (_, None) => return false,
        };
    }
    false
}

/// The IPv6 packet that carries `message` from `source`, a link-local address or, as long as there is none, :: (RFC
/// 3810 §5.2.13), and where it goes.
#[must_use]
pub fn packet(source: Ipv6Addr, message: &Message<Ipv6Addr>) -> (Ipv6Addr, Vec<u8>) {
    let plain =
        |kind: u8, group: Ipv6Addr| [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &group.octets()].concat();
    let (destination, mut body) = match message {
        Message::Report(records) => {
            let body = report(V2_REPORT, records, Ipv6Addr::octets);
            (ALL_V2_ROUTERS, body)
        }
        Message::OlderReport(_, group) => (*group, plain(V1_REPORT, *group)),
        Message::Leave(group) => (ALL_ROUTERS, plain(V1_DONE, *group)),
    };
    let sum = Sum::pseudo_header(source, destination, protocol::ICMP, body.len() as u16);
    let sum = sum.add_slice(&body).finish();
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    let length = HOP_BY_HOP.len() + body.len();
    let mut header = Header::new(source, destination, protocol::HOP_BY_HOP, length);
    header.hop_limit = 1;
    let mut packet = vec![0; HEADER_LEN];
    header.write(&mut packet);
    packet.extend(HOP_BY_HOP);
    packet.extend(body);
    (destination, packet)
}

#[cfg(test)]
mod tests;
