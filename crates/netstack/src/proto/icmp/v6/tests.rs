use core::net::Ipv6Addr;

use super::{Message, Report, echo_request, is_error, write_checksum, write_echo_reply};
use crate::proto::icmp::{Error, Unreachable};
use crate::proto::ip::v6::Header;

const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

fn summed(mut message: Vec<u8>) -> Vec<u8> {
    write_checksum(A, B, &mut message);
    message
}

#[test]
fn rfc4443_section_4_2_echo_reply_returns_the_data() {
    let request = summed(echo_request(7, 9, b"some data"));
    assert_eq!(
        Message::parse(A, B, &request),
        Some(Message::Echo(&request))
    );
    let mut reply = vec![0xff; request.len()];
    write_echo_reply(&request, &mut reply);
    let reply = summed(reply);
    let expected = Message::EchoReply {
        identifier: 7,
        sequence: 9,
        data: b"some data",
    };
    assert_eq!(Message::parse(A, B, &reply), Some(expected));
}

#[test]
fn rfc4443_section_2_3_the_checksum_covers_the_addresses() {
    let request = summed(echo_request(1, 2, &[3; 40]));
    for at in 0..request.len() {
        let mut bad = request.clone();
        bad[at] ^= 0x10;
        assert_eq!(Message::parse(A, B, &bad), None, "octet {at}");
    }
    assert_eq!(Message::parse(A, A, &request), None);
    assert!((0..8).all(|len| Message::parse(A, B, &request[..len]).is_none()));
}

/// An error of ours, as its receiver reads it; `change` is what another host would have said.
fn read(report: Report, change: impl FnOnce(&mut Vec<u8>)) -> Error {
    let header = Header::new(B, A, 17, 10);
    let mut packet = vec![0; 50];
    header.write(&mut packet);
    packet[40..44].copy_from_slice(&[0x12, 0x34, 0x56, 0x78]);
    let mut message = report.message(&packet);
    change(&mut message);
    let message = summed(message);
    let Some(Message::Error(error, quoted)) = Message::parse(A, B, &message) else {
        panic!("{report:?}");
    };
    assert_eq!((quoted.source, quoted.destination), (B.into(), A.into()));
    assert_eq!((quoted.protocol, quoted.total_len), (17, 50));
    assert_eq!(quoted.transport[..4], [0x12, 0x34, 0x56, 0x78]);
    error
}

#[test]
fn rfc4443_section_3_errors_and_what_they_mean() {
    let port = Error::Unreachable(Unreachable::Port);
    assert_eq!(read(Report::PortUnreachable, |_| {}), port);
    let time = read(Report::ReassemblyTimeExceeded, |_| {});
    assert_eq!(time, Error::TimeExceeded);
    let next_header = read(Report::ParameterProblem(1, 40), |_| {});
    assert_eq!(next_header, Error::Unreachable(Unreachable::Protocol));
    let field = read(Report::ParameterProblem(0, 4), |_| {});
    assert_eq!(field, Error::ParameterProblem);
    for (code, reason) in [
        (0, Unreachable::Network),
        (1, Unreachable::Prohibited),
        (2, Unreachable::Network),
        (3, Unreachable::Host),
        (5, Unreachable::Prohibited),
        (6, Unreachable::Prohibited),
        (7, Unreachable::Other(7)),
    ] {
        let error = read(Report::PortUnreachable, |message| message[1] = code);
        assert_eq!(error, Error::Unreachable(reason), "code {code}");
    }
}

#[test]
fn rfc8201_section_4_no_path_carries_less_than_1280_octets() {
    for (told, believed) in [(1500, 1500), (1280, 1280), (100_000, 65_535)] {
        let error = read(Report::PortUnreachable, |message| {
            message[..2].copy_from_slice(&[2, 0]);
            message[4..8].copy_from_slice(&u32::to_be_bytes(told));
        });
        let next_hop_mtu = believed;
        let expected = Error::Unreachable(Unreachable::FragmentationNeeded { next_hop_mtu });
        assert_eq!(error, expected, "{told}");
    }
    for told in [1279, 68, 0] {
        let mut message = Report::PortUnreachable.message(&[0x60; 60]);
        message[..2].copy_from_slice(&[2, 0]);
        message[4..8].copy_from_slice(&u32::to_be_bytes(told));
        assert_eq!(Message::parse(A, B, &summed(message)), None, "{told}");
    }
}

#[test]
fn rfc4443_section_2_4_c_an_error_fits_1280_octets() {
    assert_eq!(40 + Report::PortUnreachable.message(&[1; 1500]).len(), 1280);
}

#[test]
fn rfc4443_section_2_4_e_no_error_about_an_error_or_a_redirect() {
    assert!(
        [1, 2, 3, 4, 100, 127, 137]
            .iter()
            .all(|kind| is_error(&[*kind, 0]))
    );
    assert!(
        [128, 129, 135, 200]
            .iter()
            .all(|kind| !is_error(&[*kind, 0]))
    );
    assert!(is_error(&[]), "who knows what it was");
}
