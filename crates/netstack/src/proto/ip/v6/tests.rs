use core::net::Ipv6Addr;

use super::{
    Chain, FragmentHeader, Fragments, Header, HeaderError, MAX_EXTENSIONS, Refusal, Step,
    may_be_on_link, solicited_node,
};
use crate::proto::ip::Cidr;
use crate::proto::ip::v4::protocol::{TCP, UDP};

const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header::new(A, B, next_header, payload.len());
    let mut packet = vec![0; header.total_len()];
    header.write(&mut packet);
    packet[40..].copy_from_slice(payload);
    packet
}

fn walk(next_header: u8, payload: &[u8]) -> Result<Step, Refusal> {
    Chain::new(next_header).walk(&packet(next_header, payload))
}

#[test]
fn rfc8200_section_3_header_round_trip() {
    let mut header = Header::new(A, B, TCP, 7);
    header.traffic_class = 0xb9;
    header.flow_label = 0xa_bcde;
    header.hop_limit = 3;
    let mut packet = [0xff; 50];
    header.write(&mut packet);
    assert_eq!(packet[..8], [0x6b, 0x9a, 0xbc, 0xde, 0, 7, TCP, 3]);
    assert_eq!(Header::parse(&packet), Ok(header));
    assert_eq!(Header::parse(&packet[..46]), Err(HeaderError::Truncated));
    assert_eq!(Header::parse(&packet[..39]), Err(HeaderError::Malformed));
    packet[0] = 0x45;
    assert_eq!(Header::parse(&packet), Err(HeaderError::Malformed));
}

#[test]
fn rfc8200_section_4_1_headers_in_any_order_but_hop_by_hop_options() {
    let pad = |next| [next, 0, 1, 4, 0, 0, 0, 0];
    let upper = [1, 2, 3, 4, 5, 6, 7, 8];
    let chain = |headers: &[u8]| -> Vec<u8> {
        let mut octets = Vec::new();
        for next in &headers[1..] {
            octets.extend_from_slice(&pad(*next));
        }
        octets.extend_from_slice(&upper);
        octets
    };
    for headers in [
        &[UDP][..],
        &[0, UDP],
        &[0, 60, UDP],
        &[60, 60, 43, 60, UDP],
        &[43, 60, UDP],
    ] {
        let mut octets = chain(headers);
        // A routing header with no segments left.
        for (at, header) in headers.iter().enumerate().filter(|(_, it)| **it == 43) {
            assert_eq!(*header, 43);
            octets[8 * at + 2..8 * at + 8].fill(0);
        }
        let at = 40 + 8 * (headers.len() - 1);
        assert_eq!(
            walk(headers[0], &octets),
            Ok(Step::Upper(UDP, at)),
            "{headers:?}"
        );
    }
    // Behind another header they are unknown: the pointer is to the octet that names them.
    assert_eq!(
        walk(60, &chain(&[60, 0, UDP])),
        Err(Refusal::Problem(1, 40))
    );
    assert_eq!(walk(59, &[]), Err(Refusal::Silent));
}

#[test]
fn rfc8504_section_5_3_a_chain_is_bounded() {
    let headers = |count: usize| -> Vec<u8> {
        (1..=count)
            .flat_map(|at| [if at == count { UDP } else { 60 }, 0, 1, 4, 0, 0, 0, 0])
            .chain([0; 8])
            .collect()
    };
    let most = MAX_EXTENSIONS;
    assert_eq!(
        walk(60, &headers(most)),
        Ok(Step::Upper(UDP, 40 + 8 * most))
    );
    assert_eq!(walk(60, &headers(most + 1)), Err(Refusal::Silent));
    // Options, of which each but padding of one octet has two.
    let mut options = vec![UDP, 31];
    options.resize(256, 0);
    assert_eq!(walk(60, &options), Err(Refusal::Silent));
}

#[test]
fn rfc8200_section_4_2_the_high_bits_of_an_unknown_option_say_what_to_do() {
    let options = |kind: u8| [UDP, 0, kind, 4, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9];
    assert_eq!(walk(60, &options(0x1e)), Ok(Step::Upper(UDP, 48)));
    assert_eq!(walk(60, &options(0x5e)), Err(Refusal::Silent));
    assert_eq!(walk(60, &options(0x9e)), Err(Refusal::ProblemToAll(42)));
    assert_eq!(walk(60, &options(0xde)), Err(Refusal::Problem(2, 42)));
    // A jumbogram's (RFC 2675) is one of these.
    assert_eq!(walk(0, &options(0xc2)), Err(Refusal::Problem(2, 42)));
    // One that is longer than its header.
    let mut long = options(0x1e);
    long[3] = 5;
    assert_eq!(walk(60, &long), Err(Refusal::Silent));
}

#[test]
fn rfc5095_section_3_a_routing_header_of_type_0_is_refused_while_segments_are_left() {
    let routing = |kind: u8, left: u8| [UDP, 0, kind, left, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
    for kind in [0, 2, 253] {
        assert_eq!(walk(43, &routing(kind, 0)), Ok(Step::Upper(UDP, 48)));
        assert_eq!(walk(43, &routing(kind, 1)), Err(Refusal::Problem(0, 42)));
    }
}

fn fragment(next_header: u8, offset: usize, more: bool) -> Vec<u8> {
    let header = FragmentHeader {
        next_header,
        offset,
        more,
        identification: 0xdead_beef,
    };
    assert_eq!(FragmentHeader::parse(&header.to_bytes()), Some(header));
    header.to_bytes().to_vec()
}

#[test]
fn rfc8200_section_4_5_fragments_and_what_is_wrong_with_them() {
    let with = |header: Vec<u8>, payload: usize| [header, vec![1; payload]].concat();
    let found = walk(44, &with(fragment(UDP, 1448, false), 3));
    assert!(matches!(found, Ok(Step::Fragment(it, 48)) if it.offset == 1448 && !it.more));
    // Not a multiple of eight octets, but the last.
    let uneven = walk(44, &with(fragment(UDP, 1448, true), 9));
    assert_eq!(uneven, Err(Refusal::Problem(0, 4)));
    // Beyond what a packet can have.
    let beyond = walk(44, &with(fragment(UDP, 65_528, false), 8));
    assert_eq!(beyond, Err(Refusal::Problem(0, 42)));
    assert_eq!(walk(44, &fragment(UDP, 8, false)), Err(Refusal::Silent));
}

#[test]
fn rfc6946_section_4_a_fragment_of_a_whole_packet_is_that_packet() {
    let atomic = [fragment(UDP, 0, false), vec![1; 8]].concat();
    let packet = packet(44, &atomic);
    let mut chain = Chain::new(44);
    assert_eq!(chain.walk(&packet), Ok(Step::Upper(UDP, 48)));
    assert!(chain.is_fragmented(), "what RFC 6980 asks of discovery");
}

#[test]
fn rfc7112_section_5_the_first_fragment_has_all_headers() {
    let first = |rest: &[u8]| [&fragment(rest[0], 0, true)[..], &rest[1..]].concat();
    let udp = [&[UDP][..], &[0; 8]].concat();
    assert!(matches!(walk(44, &first(&udp)), Ok(Step::Fragment(..))));
    let tcp = [&[TCP][..], &[0; 16]].concat();
    assert_eq!(walk(44, &first(&tcp)), Err(Refusal::Problem(3, 0)));
    let options = [&[60, UDP, 0, 1, 4, 0, 0, 0, 0][..], &[0; 8]].concat();
    assert!(matches!(walk(44, &first(&options)), Ok(Step::Fragment(..))));
    let cut = [60, UDP, 1, 1, 4, 0, 0, 0, 0];
    assert_eq!(walk(44, &first(&cut)), Err(Refusal::Problem(3, 0)));
}

#[test]
fn rfc8200_section_4_5_pieces_fit_and_are_multiples_of_eight() {
    for (len, mtu) in [
        (1, 1280),
        (1232, 1280),
        (1233, 1280),
        (65_535, 1280),
        (9000, 1500),
    ] {
        let mut next = 0;
        let pieces: Vec<_> = Fragments::new(UDP, 7, len, mtu)
            .expect("they fit")
            .collect();
        for (at, (header, range)) in pieces.iter().enumerate() {
            assert_eq!((range.start, header.offset), (next, next));
            assert!(48 + range.len() <= mtu && !range.is_empty());
            assert_eq!(header.more, at + 1 < pieces.len());
            assert!(!header.more || range.len() % 8 == 0);
            next = range.end;
        }
        assert_eq!(next, len);
    }
    assert!(Fragments::new(UDP, 7, 100, 55).is_none());
}

#[test]
fn rfc4291_section_2_7_1_solicited_node_groups() {
    let address = "4037::1:800:200e:8c6c".parse().expect("an address");
    assert_eq!(solicited_node(address).to_string(), "ff02::1:ff0e:8c6c");
}

#[test]
fn rfc4291_section_2_7_what_never_leaves_a_host_does_not_come_from_the_link() {
    let address = |text: &str| text.parse::<Ipv6Addr>().expect("an address");
    for (source, destination, may) in [
        ("fd00::1", "fd00::2", true),
        ("::", "ff02::1", true),
        ("::1", "fd00::2", false),
        ("fd00::1", "::1", false),
        ("::ffff:10.0.0.1", "fd00::2", false),
        ("fd00::1", "::ffff:10.0.0.1", false),
        ("ff02::1", "fd00::2", false),
        ("fd00::1", "::", false),
        ("fd00::1", "ff01::1", false),
        ("fd00::1", "ff00::1", false),
        ("fd00::1", "ff05::2", true),
    ] {
        let (from, to) = (address(source), address(destination));
        assert_eq!(may_be_on_link(from, to), may, "{source} {destination}");
    }
}

#[test]
fn prefixes_of_both_families() {
    let cidr: Cidr = "fd00:0:0:7::2/64".parse().expect("a prefix");
    assert!(cidr.contains("fd00:0:0:7:ffff::".parse().expect("an address")));
    assert!(!cidr.contains("fd00:0:0:8::2".parse().expect("an address")));
    assert!(!cidr.contains("10.0.0.1".parse().expect("an address")));
    assert_eq!(cidr.network().to_string(), "fd00:0:0:7::/64");
    let all: Cidr = "::/0".parse().expect("a prefix");
    assert!(all.contains("fd00::1".parse().expect("an address")));
    assert!(!all.contains("10.0.0.1".parse().expect("an address")));
    let error = "fd00::2/129".parse::<Cidr>().expect_err("too long");
    assert_eq!(error.to_string(), "prefix length 129: expected 0 to 128");
}
