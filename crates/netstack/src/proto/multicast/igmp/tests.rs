use super::{ALL_SYSTEMS, PROTOCOL, packet, parse};
use crate::proto::checksum::checksum;
use crate::proto::ip::v4::Header;
use crate::proto::multicast::{Heard, Message, Record, RecordKind, Version};
use core::net::Ipv4Addr;
use core::time::Duration;

const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const ALERT: &[u8] = &[148, 4, 0, 0];

/// What is heard of a message with these options in front, and a checksum.
fn heard(destination: Ipv4Addr, options: &[u8], message: &[u8]) -> Option<Heard<Ipv4Addr>> {
    let mut message = message.to_vec();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut header = Header::new(ROUTER, destination, PROTOCOL, options.len() + message.len());
    header.header_len += options.len();
    let packet = [&[0; 20], options, &message].concat();
    parse(&header, &packet)
}

fn query(code: u8, group: Ipv4Addr, rest: &[u8]) -> Vec<u8> {
    [&[0x11, code, 0, 0][..], &group.octets(), rest].concat()
}

#[test]
fn rfc3376_4_2_reports_go_to_all_v3_routers_with_router_alert() {
    let records = [(RecordKind::ToExclude, 3), (RecordKind::ToInclude, 4)];
    let records = records.map(|(kind, last)| Record {
        kind,
        group: [239, 1, 2, last].into(),
    });
    let (destination, packet) = packet(SOURCE, &Message::Report(records.to_vec()));
    assert_eq!(destination, Ipv4Addr::new(224, 0, 0, 22));
    let header = Header::parse(&packet).expect("an IPv4 packet");
    assert_eq!((header.ttl, header.tos, header.protocol), (1, 0xc0, 2));
    assert_eq!((header.header_len, header.total_len), (24, packet.len()));
    assert_eq!((header.source, header.destination), (SOURCE, destination));
    assert_eq!(packet[20..24], *ALERT);
    let body = &packet[24..];
    assert_eq!(checksum(body), 0);
    assert_eq!((body[0], &body[4..8]), (0x22, &[0, 0, 0, 2][..]));
    assert_eq!(body[8..16], [4, 0, 0, 0, 239, 1, 2, 3]);
    assert_eq!(body[16..], [3, 0, 0, 0, 239, 1, 2, 4]);
}

#[test]
fn rfc2236_2_older_messages_go_to_the_group_or_to_all_routers() {
    for (message, kind, to) in [
        (Message::OlderReport(Version::First, GROUP), 0x12, GROUP),
        (Message::OlderReport(Version::Second, GROUP), 0x16, GROUP),
        (Message::Leave(GROUP), 0x17, Ipv4Addr::new(224, 0, 0, 2)),
    ] {
        let (destination, packet) = packet(Ipv4Addr::UNSPECIFIED, &message);
        assert_eq!(destination, to);
        assert_eq!((packet[24], &packet[28..]), (kind, &GROUP.octets()[..]));
        assert_eq!(checksum(&packet[24..]), 0);
        assert!(Header::parse(&packet).is_ok_and(|header| header.destination == to));
    }
}

#[test]
fn rfc3376_7_1_the_length_tells_the_version_of_a_query() {
    let all = Ipv4Addr::UNSPECIFIED;
    let third = [0x0a, 125, 0, 0];
    for (message, version, tenths) in [
        (query(0, all, &[]), Version::First, 100),
        (query(50, all, &[]), Version::Second, 50),
        (query(200, all, &[]), Version::Second, 200),
        (query(100, all, &third), Version::Third, 100),
        // RFC 3376 §4.1.1: mantissa and exponent.
        (query(0x80, all, &third), Version::Third, 128),
        (query(0xff, all, &third), Version::Third, 31_744),
        (
            query(1, all, &[&third[..], &[1, 2, 3, 4]].concat()),
            Version::Third,
            1,
        ),
    ] {
        let Some(Heard::Query(found)) = heard(ALL_SYSTEMS, ALERT, &message) else {
            panic!("{message:?}")
        };
        assert_eq!((found.version, found.group), (version, None));
        assert_eq!(found.response_time, Duration::from_millis(100 * tenths));
        let third = version == Version::Third;
        assert_eq!(found.robustness, third.then_some(2));
        assert_eq!(found.interval, third.then_some(Duration::from_secs(125)));
    }
    for length in [1, 2, 3] {
        assert_eq!(
            heard(ALL_SYSTEMS, ALERT, &query(9, all, &third[..length])),
            None
        );
    }
}

#[test]
fn rfc3376_9_1_queries_that_may_be_forged_are_not_heard() {
    let third = [2, 125, 0, 0];
    let (all, one) = (
        query(9, Ipv4Addr::UNSPECIFIED, &third),
        query(9, GROUP, &third),
    );
    assert!(heard(ALL_SYSTEMS, ALERT, &all).is_some());
    assert!(heard(GROUP, ALERT, &one).is_some());
    for (what, to, options, message) in [
        ("no Router Alert", ALL_SYSTEMS, &[][..], &all),
        ("no Router Alert", GROUP, &[1, 1, 1, 0], &one),
        ("all groups, to one", GROUP, ALERT, &all),
        ("one group, to all", ALL_SYSTEMS, ALERT, &one),
        ("to us alone", SOURCE, ALERT, &all),
        ("no group", ALL_SYSTEMS, ALERT, &query(9, ROUTER, &third)),
    ] {
        assert_eq!(heard(to, options, message), None, "{what}");
    }
    // Behind others it is found, and an option without a length ends the search.
    for (options, found) in [
        (&[1, 7, 3, 0, 148, 4, 0, 0][..], true),
        (&[0, 148, 4, 0], false),
        (&[7, 0, 148, 4], false),
        (&[7, 1, 148, 4], false),
        (&[7, 200, 148, 4], false),
        (&[7], false),
    ] {
        assert_eq!(
            heard(ALL_SYSTEMS, options, &all).is_some(),
            found,
            "{options:?}"
        );
    }
    // The first version has none (RFC 1112).
    assert!(heard(ALL_SYSTEMS, &[], &query(0, Ipv4Addr::UNSPECIFIED, &[])).is_some());
}

#[test]
fn what_is_malformed_is_not_heard() {
    let good = query(9, GROUP, &[2, 125, 0, 0]);
    let header = Header::new(ROUTER, GROUP, PROTOCOL, good.len());
    let packet = [&[0; 20][..], &good].concat();
    assert_eq!(parse(&header, &packet), None, "a wrong checksum");
    for length in 4..8 {
        assert_eq!(
            heard(GROUP, ALERT, &good[..length]),
            None,
            "{length} octets"
        );
    }
    assert_eq!(
        heard(GROUP, ALERT, &[0x16, 0, 0, 0, 10, 0, 0, 1]),
        None,
        "no group"
    );
    let report = [&[0x16, 0, 0, 0][..], &GROUP.octets()].concat();
    assert_eq!(heard(GROUP, &[], &report), Some(Heard::OlderReport(GROUP)));
    assert_eq!(
        heard(SOURCE, &[], &report),
        None,
        "RFC 2236 §3: not to its group"
    );
}
