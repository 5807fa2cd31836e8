use super::{Error, Message, Unreachable, echo_request, may_report, unreachable};
use crate::proto::ip::v4::{Header, protocol};
use core::net::Ipv4Addr;

fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header::new(
        [10, 0, 0, 1].into(),
        [10, 0, 0, 2].into(),
        protocol,
        payload.len(),
    );
    let mut packet = vec![0; header.total_len];
    header.write(&mut packet);
    packet[20..].copy_from_slice(payload);
    packet
}

#[test]
fn rfc792_echo_reply_returns_the_data() {
    let request = echo_request(7, 9, b"some data");
    assert_eq!(Message::parse(&request), Some(Message::Echo(&request)));
    let mut reply = vec![0xff; request.len()];
    super::write_echo_reply(&request, &mut reply);
    let expected = Message::EchoReply {
        identifier: 7,
        sequence: 9,
        data: b"some data",
    };
    assert_eq!(Message::parse(&reply), Some(expected));
}

#[test]
fn a_wrong_checksum_or_a_short_message_is_refused() {
    let request = echo_request(1, 2, &[3; 40]);
    for at in 0..request.len() {
        let mut bad = request.clone();
        bad[at] ^= 0x10;
        assert_eq!(Message::parse(&bad), None, "octet {at}");
    }
    assert!((0..8).all(|len| Message::parse(&request[..len]).is_none()));
}

#[test]
fn rfc1122_section_3_2_2_1_unreachable_quotes_header_and_eight_octets() {
    let datagram = packet(
        protocol::UDP,
        &[0x12, 0x34, 0x56, 0x78, 0, 0x10, 0, 0, 9, 9],
    );
    for reason in [
        Unreachable::Port,
        Unreachable::Protocol,
        Unreachable::Host,
        Unreachable::Network,
        Unreachable::FragmentationNeeded { next_hop_mtu: 1400 },
    ] {
        let message = unreachable(reason, &datagram);
        let Some(Message::Error(Error::Unreachable(parsed), quoted)) = Message::parse(&message)
        else {
            panic!("{reason:?}");
        };
        assert_eq!(parsed, reason);
        assert_eq!(quoted.source, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(quoted.destination, Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(quoted.transport[..4], [0x12, 0x34, 0x56, 0x78]);
        assert_eq!(quoted.total_len, 30);
    }
}

#[test]
fn rfc1812_section_4_3_2_3_an_error_fits_576_octets() {
    let datagram = packet(protocol::UDP, &[1; 1400]);
    assert_eq!(20 + unreachable(Unreachable::Port, &datagram).len(), 576);
}

#[test]
fn rfc1122_section_3_2_2_no_error_about_these() {
    let header = |protocol| Header::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), protocol, 8);
    let udp = header(protocol::UDP);
    assert!(may_report(&udp, &[0; 8], false));
    assert!(!may_report(&udp, &[0; 8], true), "sent to many");
    let fragment = Header {
        fragment_offset: 8,
        ..udp
    };
    assert!(
        !may_report(&fragment, &[0; 8], false),
        "not the first fragment"
    );
    let icmp = header(protocol::ICMP);
    assert!(may_report(&icmp, &[8, 0], false), "an echo request");
    assert!(!may_report(&icmp, &[3, 0], false), "an ICMP error");
    for source in [[0, 0, 0, 0], [255; 4], [224, 0, 0, 1]] {
        let header = Header {
            source: source.into(),
            ..udp
        };
        assert!(!may_report(&header, &[0; 8], false), "source {source:?}");
    }
}
