//! Packets that are wrong, or have headers between.

use super::{IpAddr, Ipv6Addr, OURS, Route, SocketAddr, cidr, dual, frame, icmp, v6};
use crate::proto::icmp::v6::{Message, echo_request, write_checksum};
use crate::proto::icmp::{Error, Unreachable};
use crate::proto::interface::Interface;
use crate::proto::interface::tests::{ADDRESSES, MACS, answers};
use crate::proto::ip::v6::{FragmentHeader, Header, protocol};
use crate::proto::link::ethernet::{HEADER_LEN, MacAddr};
use crate::proto::link::nd::solicitation;
use crate::proto::udp::SocketId;

/// A stack that knows the station of its peer.
pub(super) fn stack() -> Interface {
    let mut pair = dual();
    pair.call(1, |stack, now, out| {
        stack
            .send_echo_request(now, OURS[0], 1, 1, b"", out)
            .expect("a route")
    });
    pair.run(core::time::Duration::from_millis(10));
    let [stack, _] = pair.stacks;
    stack
}

/// What the stack says to a packet from the peer, of which this is all behind the header.
pub(super) fn said(stack: &mut Interface, next_header: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    let header = Header::new(OURS[1], OURS[0], next_header, payload.len());
    answers(stack, frame(MACS[0], &header, payload))
}

/// The error in an answer, its code and its pointer.
fn error_in(answer: &[u8]) -> (Error, u8, u32) {
    let packet = &answer[HEADER_LEN..];
    let header = Header::parse(packet).expect("a header");
    let message = &packet[40..];
    let Some(Message::Error(error, _)) = Message::parse(header.source, header.destination, message)
    else {
        panic!("{message:?}");
    };
    let word = message[4..8].first_chunk().expect("four octets");
    (error, message[1], u32::from_be_bytes(*word))
}

pub(super) fn echo() -> Vec<u8> {
    let mut request = echo_request(1, 2, b"data");
    write_checksum(OURS[1], OURS[0], &mut request);
    request
}

#[test]
fn rfc8200_section_4_a_packet_with_extension_headers_is_delivered() {
    let mut stack = stack();
    let options = [protocol::ICMP, 0, 1, 4, 0, 0, 0, 0];
    let with = [&options[..], &echo()].concat();
    for next_header in [protocol::HOP_BY_HOP, protocol::DESTINATION] {
        assert_eq!(said(&mut stack, next_header, &with).len(), 1);
    }
    assert_eq!(stack.counters().icmp6.in_echos, 1 + 2);
}

#[test]
fn rfc4443_section_3_4_what_is_not_known_is_told_with_where_it_is() {
    let mut stack = stack();
    let answers = said(&mut stack, 200, &[0; 8]);
    let unknown = Error::Unreachable(Unreachable::Protocol);
    assert_eq!(error_in(&answers[0]), (unknown, 1, 6));
    let option = [protocol::ICMP, 0, 0xde, 4, 0, 0, 0, 0];
    let answers = said(
        &mut stack,
        protocol::DESTINATION,
        &[&option[..], &echo()].concat(),
    );
    assert_eq!(error_in(&answers[0]), (Error::ParameterProblem, 2, 42));
    let routing = [protocol::ICMP, 0, 0, 1, 0, 0, 0, 0];
    let answers = said(
        &mut stack,
        protocol::ROUTING,
        &[&routing[..], &echo()].concat(),
    );
    assert_eq!(error_in(&answers[0]), (Error::ParameterProblem, 0, 42));
    assert_eq!(stack.counters().icmp6.out_parm_probs, 3);
}

#[test]
fn rfc4443_section_2_4_e_no_error_about_these() {
    let mut stack = stack();
    // To many, of which only an option that asks for it is told.
    let group = v6("ff02::1");
    let to_group = |payload: &[u8], next_header| {
        let header = Header::new(OURS[1], group, next_header, payload.len());
        frame(MacAddr([0x33, 0x33, 0, 0, 0, 1]), &header, payload)
    };
    assert_eq!(answers(&mut stack, to_group(&[0; 8], 200)).len(), 0);
    let option = |kind: u8| [200, 0, kind, 4, 0, 0, 0, 0];
    assert_eq!(answers(&mut stack, to_group(&option(0xde), 60)).len(), 0);
    let told = answers(&mut stack, to_group(&option(0x9e), 60));
    assert_eq!(error_in(&told[0]), (Error::ParameterProblem, 2, 42));
    // An error with a wrong header: from an address that is no host's.
    let header = Header::new(Ipv6Addr::UNSPECIFIED, OURS[0], 200, 8);
    assert_eq!(
        answers(&mut stack, frame(MACS[0], &header, &[0; 8])).len(),
        0
    );
}

#[test]
fn rfc4443_section_2_4_f_errors_are_limited() {
    let mut stack = stack();
    let told: usize = (0..1000)
        .map(|_| said(&mut stack, 200, &[0; 8]).len())
        .sum();
    assert!((100..=200).contains(&told), "{told}");
    assert_eq!(stack.counters().icmp6.out_rate_limited, 1000 - told as u64);
}

#[test]
fn rfc4443_2_4_f_errors_to_all_addresses_are_limited_together() {
    let mut stack = stack();
    let (destination, gateway) = (cidr("::/0"), OURS[1].into());
    assert!(stack.add_route(Route {
        destination,
        gateway
    }));
    let told = (0..5000).filter(|network| {
        let header = Header::new(v6(&format!("2001:db8:{network:x}::1")), OURS[0], 200, 8);
        !answers(&mut stack, frame(MACS[0], &header, &[0; 8])).is_empty()
    });
    let told = told.count();
    assert!((500..=1000).contains(&told), "{told}");
}

#[test]
fn rfc4443_2_4_f_errors_to_one_address_tell_nothing_of_those_to_another() {
    let mut stack = stack();
    // Of another network: addresses of one are one host.
    let other = v6("fe80::7");
    let theirs = Header::new(other, OURS[0], 200, 8);
    // Where it is to be answered to is known.
    let station = solicitation(OURS[0], Ok(MACS[1]));
    answers(&mut stack, icmp(other, OURS[0], 255, &station));
    let mut from = |header: &Header| answers(&mut stack, frame(MACS[0], header, &[0; 8])).len();
    let ours = Header::new(OURS[1], OURS[0], 200, 8);
    let first: usize = (0..1000).map(|_| from(&ours)).sum();
    assert!(first < 1000);
    let second: usize = (0..1000).map(|_| from(&theirs)).sum();
    assert_eq!(second, first, "each has as many, and how many is chance");
}

#[test]
fn rfc4291_section_2_5_5_2_no_packet_has_an_address_of_ipv4() {
    let mut stack = stack();
    let IpAddr::V4(ours) = ADDRESSES[0].into() else {
        unreachable!()
    };
    let bad = [
        (OURS[1], ours.to_ipv6_mapped()),
        (ours.to_ipv6_mapped(), OURS[0]),
        (Ipv6Addr::LOCALHOST, OURS[0]),
        (OURS[1], Ipv6Addr::LOCALHOST),
        (v6("ff02::1"), OURS[0]),
        (OURS[0], OURS[0]),
    ];
    for (source, destination) in bad {
        let frame = icmp(source, destination, 64, &echo_request(1, 2, b""));
        assert_eq!(
            answers(&mut stack, frame).len(),
            0,
            "{source} {destination}"
        );
    }
    assert_eq!(stack.counters().icmp6.in_echos, 1, "but the first");
}

#[test]
fn rfc2675_a_jumbogram_is_refused() {
    let mut stack = stack();
    let jumbo = [protocol::ICMP, 0, 0xc2, 4, 0, 1, 0, 0];
    let mut header = Header::new(OURS[1], OURS[0], protocol::HOP_BY_HOP, 0);
    let cut = frame(MACS[0], &header, &jumbo);
    assert_eq!(
        answers(&mut stack, cut).len(),
        0,
        "nothing follows, says its header"
    );
    header.payload_len = jumbo.len();
    let told = answers(&mut stack, frame(MACS[0], &header, &jumbo));
    assert_eq!(error_in(&told[0]), (Error::ParameterProblem, 2, 42));
}

/// A fragment of an echo request with so much data.
pub(super) fn piece(offset: usize, more: bool, identification: u32, data: &[u8]) -> Vec<u8> {
    let header = FragmentHeader {
        next_header: protocol::ICMP,
        offset,
        more,
        identification,
    };
    [&header.to_bytes()[..], data].concat()
}

#[test]
fn rfc5722_section_4_fragments_that_overlap_end_their_packet() {
    let mut request = echo_request(1, 2, &[7; 56]);
    write_checksum(OURS[1], OURS[0], &mut request);
    let mut stack = stack();
    let parts = [
        piece(0, true, 1, &request[..32]),
        piece(32, false, 1, &request[32..]),
    ];
    assert_eq!(said(&mut stack, protocol::FRAGMENT, &parts[0]).len(), 0);
    assert_eq!(
        said(&mut stack, protocol::FRAGMENT, &parts[0]).len(),
        0,
        "it repeats"
    );
    assert_eq!(said(&mut stack, protocol::FRAGMENT, &parts[1]).len(), 1);
    let overlapping = [
        piece(0, true, 2, &request[..32]),
        piece(24, false, 2, &request[24..]),
        piece(32, false, 2, &request[32..]),
    ];
    for part in &overlapping {
        assert_eq!(said(&mut stack, protocol::FRAGMENT, part).len(), 0);
    }
    assert_eq!(stack.counters().ip6.reasm_oks, 1);
}

#[test]
fn rfc6946_section_4_an_atomic_fragment_is_taken_apart_from_others_of_its_identification() {
    let mut request = echo();
    let mut stack = stack();
    let part = piece(0, true, 9, &request[..8]);
    assert_eq!(said(&mut stack, protocol::FRAGMENT, &part).len(), 0);
    let atomic = piece(0, false, 9, &request);
    assert_eq!(said(&mut stack, protocol::FRAGMENT, &atomic).len(), 1);
    let rest = piece(8, false, 9, &request.split_off(8));
    assert_eq!(said(&mut stack, protocol::FRAGMENT, &rest).len(), 1);
}

#[test]
fn rfc8200_section_4_5_what_is_not_whole_after_a_minute_is_told_to_its_sender() {
    let mut pair = dual();
    let request = echo_request(1, 2, &[7; 56]);
    let part = piece(0, true, 1, &request[..32]);
    let header = Header::new(OURS[1], OURS[0], protocol::FRAGMENT, part.len());
    let first = frame(MACS[0], &header, &part);
    pair.call(0, |stack, now, out| {
        stack.handle_frame(now, first.into(), out)
    });
    pair.run(core::time::Duration::from_secs(59));
    assert_eq!(pair.stacks[1].counters().icmp6.in_time_excds, 0);
    pair.run(core::time::Duration::from_secs(2));
    assert_eq!(pair.stacks[1].counters().icmp6.in_time_excds, 1);
    assert_eq!(pair.stacks[0].counters().ip6.reasm_timeout, 1);
}

#[test]
fn rfc8201_section_4_segments_heed_packet_too_big() {
    let mut pair = dual();
    let (client, _) = super::connect(&mut pair, OURS[1].into(), OURS[1].into());
    let segment = pair.call(0, |stack, now, out| {
        assert!(stack.tcp().send(client, &[7; 5000]).is_ready());
        stack.poll(now, 64, out);
        let mut sent = out.0.iter();
        sent.find(|frame| frame.len() == 1514).cloned()
    });
    let segment = segment.expect("a segment that fills the link");
    let mut maximum = Vec::new();
    // Of 1,279 octets no link may say that it takes no more.
    for mtu in [1279_u32, 1400, 1300] {
        let quoted = &segment[HEADER_LEN..][..1000];
        let message = [&[2, 0, 0, 0], &mtu.to_be_bytes()[..], quoted].concat();
        let told = icmp(v6("fd00::77"), OURS[0], 60, &message);
        pair.call(0, |stack, now, out| {
            stack.handle_frame(now, told.into(), out)
        });
        let status = pair.stacks[0].tcp().status(client).expect("held");
        maximum.push(status.maximum_segment);
    }
    // Less the header of IPv6, and that of TCP with timestamps.
    assert_eq!(maximum, [1500 - 72, 1400 - 72, 1300 - 72]);
}

#[test]
fn rfc8201_section_4_datagrams_heed_packet_too_big() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let there = SocketAddr::new(OURS[1].into(), 53);
    let id = pair.stacks[0].udp_bind(any).expect("free");
    let send = |pair: &mut super::Pair| {
        let before = pair.stacks[0].counters().ip6.frag_creates;
        let sent = pair.call(0, |stack, now, out| {
            stack
                .udp_send(now, id, there, &[7; 1400], out)
                .expect("a route");
            out.0.last().cloned()
        });
        pair.run(core::time::Duration::from_millis(10));
        let fragments = pair.stacks[0].counters().ip6.frag_creates - before;
        (fragments, sent.unwrap_or_default())
    };
    assert_eq!(send(&mut pair).0, 0);
    let (_, datagram) = send(&mut pair);
    // Who has not seen it knows neither its port nor its flow label: octets 41 and 3 of the packet.
    for (mtu, other, fragments) in [
        (1300, Some(41), 0),
        (1300, Some(3), 0),
        (1300, None, 2),
        (1279, None, 2),
    ] {
        let mut message = vec![2, 0, 0, 0];
        message.extend_from_slice(&u32::to_be_bytes(mtu));
        let mut packet = datagram[HEADER_LEN..][..48].to_vec();
        if let Some(other) = other {
            packet[other] ^= 1;
        }
        message.extend_from_slice(&packet);
        // A router says so.
        let error = icmp(v6("fd00::77"), OURS[0], 60, &message);
        pair.call(0, |stack, now, out| {
            stack.handle_frame(now, error.into(), out)
        });
        assert_eq!(send(&mut pair).0, fragments, "{mtu}");
    }
    let now = pair.now;
    let mtu = pair.stacks[0].egress.path_mtu(now, OURS[1].into());
    assert_eq!(mtu, 1300, "what no link may have is not believed");
}

/// Whether Packet Too Big is believed of a datagram to `destination` from the port of a socket, with this flow label.
fn believes(pair: &mut super::Pair, id: SocketId, destination: Ipv6Addr, flow_label: u32) -> bool {
    let port = pair.stacks[0].udp().local(id).expect("open").port();
    let source = match pair.stacks[0].udp().source(id) {
        Some(Some(IpAddr::V6(chosen))) => *chosen,
        _ => OURS[0],
    };
    let mut header = Header::new(source, destination, 17, 1408);
    header.flow_label = flow_label;
    let [high, low] = port.to_be_bytes();
    let datagram = frame(MACS[1], &header, &[high, low, 0, 53, 5, 128, 0, 0]);
    let mut message = vec![2, 0, 0, 0, 0, 0];
    message.extend(1300_u16.to_be_bytes());
    message.extend_from_slice(&datagram[HEADER_LEN..]);
    let error = icmp(v6("fd00::77"), source, 60, &message);
    pair.call(0, |stack, now, out| {
        stack.handle_frame(now, error.into(), out);
        stack.egress.path_mtu(now, destination.into()) == 1300
    })
}

#[test]
fn rfc7915_4_1_packet_too_big_from_a_translator_to_ipv4_has_no_flow_label() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let id = pair.stacks[0].udp_bind(any).expect("free");
    for (destination, by_translator) in [
        ("64:ff9b::c000:201", true),
        ("64:ff9b:1:2::3", true),
        ("64:ff9b::1:c000:201", false),
        ("64:ff9b:2::3", false),
        ("2001:db8::1", false),
    ] {
        // Nobody knows this one.
        assert!(!believes(&mut pair, id, v6(destination), 0x8_1234));
        let believed = believes(&mut pair, id, v6(destination), 0);
        assert_eq!(believed, by_translator, "{destination}");
    }
}

#[test]
fn rfc8201_4_a_socket_that_is_connected_to_one_peer_may_have_sent_to_another() {
    let mut pair = dual();
    let local = SocketAddr::new(OURS[0].into(), 0);
    let id = pair.stacks[0].udp_bind(local).expect("free");
    let peer = SocketAddr::new(OURS[1].into(), 53);
    pair.stacks[0].udp().connect(id, peer);
    assert!(believes(&mut pair, id, v6("64:ff9b::c000:201"), 0));
}

#[test]
fn rfc8201_4_a_socket_may_have_sent_from_an_address_that_it_is_not_bound_to() {
    let mut pair = dual();
    assert!(pair.stacks[0].add_address(pair.now, cidr("fd00::5/64")));
    let local = SocketAddr::new(OURS[0].into(), 0);
    let id = pair.stacks[0].udp_bind(local).expect("free");
    *pair.stacks[0].udp().source(id).expect("open") = Some(v6("fd00::5").into());
    assert!(believes(&mut pair, id, v6("64:ff9b::c000:201"), 0));
}

#[test]
fn rfc1112_6_1_and_rfc3493_5_2_datagrams_to_groups_stay_on_the_link_unless_said_otherwise() {
    let mut pair = dual();
    pair.run(core::time::Duration::from_secs(5));
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let id = pair.stacks[0].udp_bind(any).expect("free");
    let mut hops = |ttl: Option<u8>, to: IpAddr| {
        pair.call(0, |stack, now, out| {
            if let Some(ttl) = ttl {
                *stack.udp().multicast_ttl(id).expect("open") = ttl;
            }
            let sent = stack.udp_send(now, id, SocketAddr::new(to, 9), b"x", out);
            sent.expect("a route");
            let packet = &out.0.last().expect("a frame")[HEADER_LEN..];
            if packet[0] >> 4 == 6 {
                packet[7]
            } else {
                packet[8]
            }
        })
    };
    for group in ["ff15::7", "239.1.1.1"] {
        let group = group.parse().expect("an address");
        assert_eq!(hops(None, group), 1);
        assert_eq!(hops(Some(5), group), 5);
        assert_eq!(hops(Some(0), group), 1);
    }
}

#[test]
fn rfc5927_4_a_closed_port_is_believed_of_a_datagram_with_our_flow_label() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let there = SocketAddr::new(OURS[1].into(), 53);
    let id = pair.stacks[0].udp_bind(any).expect("free");
    pair.stacks[0].udp().connect(id, there);
    let send = |pair: &mut super::Pair| {
        pair.call(0, |stack, now, out| {
            stack.udp_send(now, id, there, b"?", out).expect("a route");
            out.0.last().cloned()
        })
    };
    // The first waits for the neighbour, whose own answer is not what is looked at.
    send(&mut pair);
    pair.run(core::time::Duration::from_millis(10));
    assert!(pair.stacks[0].udp().take_refused(id));
    let datagram = send(&mut pair).expect("a datagram");
    for (other, believed) in [(1, false), (0, true)] {
        let mut packet = datagram[HEADER_LEN..].to_vec();
        packet[3] ^= other;
        let message = [&[1, 4, 0, 0, 0, 0, 0, 0], &packet[..]].concat();
        let error = icmp(OURS[1], OURS[0], 64, &message);
        pair.call(0, |stack, now, out| {
            stack.handle_frame(now, error.into(), out)
        });
        assert_eq!(pair.stacks[0].udp().take_refused(id), believed);
    }
}
