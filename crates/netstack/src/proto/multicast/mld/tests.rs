use super::{HEADER_LEN, HOP_BY_HOP, is_silent, packet, parse};
use crate::proto::checksum::Sum;
use crate::proto::ip::v6::{Header, protocol};
use crate::proto::multicast::{Heard, Message, Record, RecordKind, Version};
use core::net::Ipv6Addr;
use core::time::Duration;

const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const ALL: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 7);

/// What is heard of a message in a packet from `source` with this hop limit and this extension header.
fn heard(
    source: Ipv6Addr,
    hop_limit: u8,
    extension: &[u8],
    message: &[u8],
) -> Option<Heard<Ipv6Addr>> {
    heard_at((source, ALL), hop_limit, extension, message)
}

fn heard_at(
    (source, destination): (Ipv6Addr, Ipv6Addr),
    hop_limit: u8,
    extension: &[u8],
    message: &[u8],
) -> Option<Heard<Ipv6Addr>> {
    let next = match extension {
        [] => protocol::ICMP,
        _ => protocol::HOP_BY_HOP,
    };
    let mut header = Header::new(source, destination, next, extension.len() + message.len());
    header.hop_limit = hop_limit;
    let mut packet = vec![0; HEADER_LEN];
    header.write(&mut packet);
    packet.extend(extension);
    packet.extend(message);
    parse(&packet, HEADER_LEN + extension.len())
}

fn query(code: u16, group: Ipv6Addr, rest: &[u8]) -> Vec<u8> {
    let [high, low] = code.to_be_bytes();
    [&[130, 0, 0, 0, high, low, 0, 0][..], &group.octets(), rest].concat()
}

/// The message behind both headers of a packet, whose checksum is right.
fn body(packet: &[u8]) -> &[u8] {
    let header = Header::parse(packet).expect("an IPv6 packet");
    assert_eq!(
        (header.hop_limit, header.next_header),
        (1, protocol::HOP_BY_HOP)
    );
    assert_eq!(header.total_len(), packet.len());
    // RFC 2711 §2.1: option 5 of two octets, of which zero stands for MLD.
    assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0]);
    let body = &packet[48..];
    let length = body.len() as u16;
    let sum = Sum::pseudo_header(header.source, header.destination, 58, length);
    assert_eq!(sum.add_slice(body).finish(), 0);
    body
}

#[test]
fn rfc3810_5_2_reports_go_to_all_v2_routers_with_router_alert() {
    let record = |kind| Record { kind, group: GROUP };
    let records = [RecordKind::ToExclude, RecordKind::IsExclude].map(record);
    let (destination, packet) = packet(SOURCE, &Message::Report(records.to_vec()));
    assert_eq!(destination.to_string(), "ff02::16");
    let body = body(&packet);
    assert_eq!((body[0], &body[4..8]), (143, &[0, 0, 0, 2][..]));
    for (record, kind) in body[8..].chunks(20).zip([4, 2]) {
        assert_eq!(record[..4], [kind, 0, 0, 0]);
        assert_eq!(record[4..], GROUP.octets());
    }
}

#[test]
fn rfc2710_3_older_messages_go_to_the_group_or_to_all_routers() {
    for (message, kind, to) in [
        (Message::OlderReport(Version::Second, GROUP), 131, GROUP),
        (
            Message::Leave(GROUP),
            132,
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2),
        ),
    ] {
        let (destination, packet) = packet(SOURCE, &message);
        assert_eq!(destination, to);
        let body = body(&packet);
        assert_eq!((body[0], &body[8..]), (kind, &GROUP.octets()[..]));
    }
}

#[test]
fn rfc3810_8_1_the_length_tells_the_version_of_a_query() {
    let none = Ipv6Addr::UNSPECIFIED;
    for (message, version, millis) in [
        (query(5000, none, &[]), Version::Second, 5000),
        (query(0x9000, none, &[]), Version::Second, 0x9000),
        (query(5000, none, &[0x0a, 125, 0, 0]), Version::Third, 5000),
        // RFC 3810 §5.1.3: mantissa and exponent.
        (query(0x8000, none, &[2, 125, 0, 0]), Version::Third, 32_768),
        (
            query(0xffff, none, &[2, 125, 0, 0]),
            Version::Third,
            8_387_584,
        ),
    ] {
        let Some(Heard::Query(found)) = heard(ROUTER, 1, &HOP_BY_HOP, &message) else {
            panic!("{message:?}")
        };
        assert_eq!((found.version, found.group), (version, None));
        assert_eq!(found.response_time, Duration::from_millis(millis));
        let third = version == Version::Third;
        assert_eq!(found.robustness, third.then_some(2));
        assert_eq!(found.interval, third.then_some(Duration::from_secs(125)));
    }
    let of_group = heard(ROUTER, 1, &HOP_BY_HOP, &query(1, GROUP, &[]));
    assert!(matches!(of_group, Some(Heard::Query(query)) if query.group == Some(GROUP)));
    for length in 1..4 {
        let short = query(1, none, &[0; 4][..length]);
        assert_eq!(
            heard(ROUTER, 1, &HOP_BY_HOP, &short),
            None,
            "{length} octets"
        );
    }
}

#[test]
fn rfc3810_5_1_14_what_may_have_passed_a_router_is_not_heard() {
    let good = query(1000, GROUP, &[2, 125, 0, 0]);
    assert!(heard(ROUTER, 1, &HOP_BY_HOP, &good).is_some());
    let global = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    for (what, source, hop_limit, extension) in [
        ("a global source", global, 1, &HOP_BY_HOP[..]),
        ("no source", Ipv6Addr::UNSPECIFIED, 1, &HOP_BY_HOP),
        ("hop limit 2", ROUTER, 2, &HOP_BY_HOP),
        ("hop limit 255", ROUTER, 255, &HOP_BY_HOP),
        ("no options", ROUTER, 1, &[]),
        ("padding alone", ROUTER, 1, &[58, 0, 1, 4, 0, 0, 0, 0]),
        (
            "an option that ends nowhere",
            ROUTER,
            1,
            &[58, 0, 0, 0, 0, 0, 0, 9],
        ),
    ] {
        assert_eq!(heard(source, hop_limit, extension, &good), None, "{what}");
    }
    let behind_padding = [58, 0, 0, 0, 5, 2, 0, 0];
    assert!(heard(ROUTER, 1, &behind_padding, &good).is_some());
    let no_group = query(1000, ROUTER, &[2, 125, 0, 0]);
    assert_eq!(heard(ROUTER, 1, &HOP_BY_HOP, &no_group), None);
    for length in 0..24 {
        assert_eq!(heard(ROUTER, 1, &HOP_BY_HOP, &good[..length]), None);
    }
}

#[test]
fn rfc2710_3_an_older_report_is_heard_where_it_goes_to_its_group() {
    let report = [&[131, 0, 0, 0, 0, 0, 0, 0][..], &GROUP.octets()].concat();
    for (destination, is_heard) in [(GROUP, true), (ALL, false), (SOURCE, false)] {
        assert_eq!(
            heard_at((ROUTER, destination), 1, &HOP_BY_HOP, &report),
            is_heard.then_some(Heard::OlderReport(GROUP))
        );
    }
}

#[test]
fn rfc3810_6_the_group_of_all_and_those_of_the_interface_are_never_reported() {
    for (group, silent) in [
        ("ff02::1", true),
        ("ff01::5", true),
        ("ff00::5", true),
        ("ff02::2", false),
        ("ff05::1", false),
        ("ff02::1:ff00:7", false),
    ] {
        assert_eq!(
            is_silent(group.parse().expect("a group")),
            silent,
            "{group}"
        );
    }
}
