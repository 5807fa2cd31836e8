mod fragments;

use super::{HEADER_LEN, Header, HeaderError, protocol};
use crate::proto::ip::v4::{Cidr, Route};
use crate::proto::ip::{CidrError, Hop, Routes};
use core::net::Ipv4Addr;

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn cidr(text: &str) -> Cidr {
    text.parse().expect("a prefix")
}

fn packet(header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN + payload.len()];
    header.write(&mut packet);
    packet[HEADER_LEN..].copy_from_slice(payload);
    packet
}

#[test]
fn rfc791_section_3_1_header_round_trip() {
    let mut header = Header::new(A, B, protocol::UDP, 100);
    for (offset, more, dont) in [(0, false, true), (0, true, false), (1480, false, false)] {
        header.fragment_offset = offset;
        header.more_fragments = more;
        header.dont_fragment = dont;
        header.identification = 0xbeef;
        header.tos = 0xb9;
        assert_eq!(Header::parse(&packet(&header, &[0; 100])), Ok(header));
    }
}

#[test]
fn the_short_way_of_reading_agrees_with_the_general_one() {
    let mut state = 1u64;
    for _ in 0..2000 {
        let mut bytes = packet(&Header::new(A, B, protocol::TCP, 16), &[9; 16]);
        for at in [1, 4, 5, 6, 7, 8, 9, 12, 15, 16, 19] {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            bytes[at] = (state >> 40) as u8;
        }
        bytes[10..12].fill(0);
        let sum = crate::proto::checksum::checksum(&bytes[..HEADER_LEN]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(Header::parse(&bytes), Header::parse_any(&bytes));
        assert!(Header::parse(&bytes).is_ok());
    }
}

#[test]
fn rfc1122_section_3_2_1_2_the_checksum_is_verified() {
    let good = packet(&Header::new(A, B, protocol::UDP, 0), &[]);
    for bit in 0..8 * HEADER_LEN {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Header::parse(&bad).is_err(), "bit {bit}");
    }
    let mut bad = good.clone();
    bad[8] -= 1;
    assert_eq!(Header::parse(&bad), Err(HeaderError::Checksum));
}

#[test]
fn lengths_that_lie_are_refused_and_padding_is_not() {
    let good = packet(&Header::new(A, B, protocol::UDP, 10), &[1; 10]);
    for len in 0..good.len() {
        assert_eq!(
            Header::parse(&good[..len]),
            Err(HeaderError::Malformed),
            "{len} octets"
        );
    }
    let mut padded = good;
    padded.resize(46, 0);
    assert_eq!(
        Header::parse(&padded).map(|header| header.payload_len()),
        Ok(10)
    );
}

#[test]
fn rfc1122_section_3_2_1_8_options_are_passed_over() {
    let mut bytes = packet(&Header::new(A, B, protocol::UDP, 8), &[7; 8]);
    // Record route with room for one address, and the end of options.
    let options = [7, 7, 4, 0, 0, 0, 0, 0];
    bytes.splice(HEADER_LEN..HEADER_LEN, options);
    bytes[0] = 0x47;
    bytes[3] = 36;
    bytes[10..12].fill(0);
    let sum = crate::proto::checksum::checksum(&bytes[..28]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    let header = Header::parse(&bytes).expect("options are allowed");
    assert_eq!((header.header_len, header.payload_len()), (28, 8));
}

#[test]
fn prefixes_and_their_errors() {
    assert_eq!(
        "10.0.0.2/33".parse::<Cidr>(),
        Err(CidrError::Prefix(33, 32))
    );
    for bad in [
        "10.0.0.2",
        "10.0.0/8",
        "10.0.0.2/",
        "10.0.0.2/-1",
        "",
        "x/1",
    ] {
        let error = bad.parse::<Cidr>().expect_err(bad);
        assert!(error.to_string().contains(bad), "{error}");
    }
    assert_eq!(cidr("10.1.2.3/8").to_string(), "10.1.2.3/8");
    assert!(cidr("0.0.0.0/0").contains(B));
    assert_eq!(cidr("10.0.0.2/31").broadcast(), None);
    assert_eq!(
        cidr("10.0.0.2/30").broadcast(),
        Some(Ipv4Addr::new(10, 0, 0, 3))
    );
    assert_eq!(
        Cidr::from_mask(A, Ipv4Addr::new(255, 255, 0, 0)),
        Some(cidr("10.0.0.1/16"))
    );
    assert_eq!(Cidr::from_mask(A, Ipv4Addr::new(255, 0, 255, 0)), None);
}

#[test]
fn rfc1122_section_3_3_1_next_hop() {
    let mut routes = Routes::default();
    assert_eq!(routes.hop(B), None);
    routes.add_address(cidr("10.0.0.1/24"));
    let far = Ipv4Addr::new(192, 0, 2, 1);
    assert_eq!(routes.hop(far), None);
    let gateway = Ipv4Addr::new(10, 0, 0, 254);
    routes.add_route(Route {
        destination: cidr("0.0.0.0/0"),
        gateway,
    });
    let near = Ipv4Addr::new(10, 0, 0, 253);
    routes.add_route(Route {
        destination: cidr("192.0.2.0/24"),
        gateway: near,
    });
    assert_eq!(routes.hop(B), Some(Hop::Station(B)));
    assert_eq!(
        routes.hop(far),
        Some(Hop::Station(near)),
        "the longest prefix wins"
    );
    assert_eq!(
        routes.hop([198, 51, 100, 1].into()),
        Some(Hop::Station(gateway))
    );
    assert_eq!(routes.hop(A), Some(Hop::Local));
    assert_eq!(routes.hop(Ipv4Addr::LOCALHOST), Some(Hop::Local));
    assert_eq!(routes.hop([10, 0, 0, 255].into()), Some(Hop::Broadcast));
    assert_eq!(routes.hop(Ipv4Addr::BROADCAST), Some(Hop::Broadcast));
    assert_eq!(routes.hop([224, 0, 0, 251].into()), Some(Hop::Multicast));
    assert_eq!(routes.source_for(far), Some(A));
    assert_eq!(
        routes.source_for(Ipv4Addr::LOCALHOST),
        Some(Ipv4Addr::LOCALHOST)
    );
    assert!(routes.remove_route(cidr("192.0.2.0/24")));
    assert!(!routes.remove_route(cidr("192.0.2.0/24")));
    assert_eq!(routes.hop(far), Some(Hop::Station(gateway)));
}

#[test]
fn rfc1122_section_3_2_1_3_impossible_sources() {
    let mut routes = Routes::default();
    routes.add_address(cidr("10.0.0.1/24"));
    for bad in [
        A,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::BROADCAST,
        [10, 0, 0, 255].into(),
        [224, 0, 0, 1].into(),
        [240, 0, 0, 1].into(),
        [0, 0, 0, 0].into(),
        [0, 1, 2, 3].into(),
    ] {
        assert!(!routes.is_valid_source(bad), "{bad}");
    }
    routes.add_route(Route {
        destination: cidr("0.0.0.0/0"),
        gateway: B,
    });
    for nowhere in [[0, 0, 0, 0], [0, 0, 0, 1], [240, 0, 0, 1]] {
        assert_eq!(routes.hop(nowhere.into()), None, "{nowhere:?}");
    }
    assert!(routes.is_valid_source(B));
}
