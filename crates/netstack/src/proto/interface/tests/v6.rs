//! IPv6 between two stacks, and what one says to frames of ours.

mod attacks;
mod bursts;
#[cfg(feature = "dhcp")]
mod dhcp;
mod discovery;
mod floods;
mod groups;
mod labels;
mod packets;
mod routers;
mod sharing;
mod temporary;

use super::{Event, Pair, SendError, answers};
use crate::proto::Instant;
use crate::proto::icmp::v6::write_checksum;
use crate::proto::interface::{Interface, Ipv6};
use crate::proto::ip::v6::{Header, protocol};
use crate::proto::ip::{Cidr, Route};
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::tcp::{ConnectionId, Error, Options, State};
use crate::proto::udp::QueueLimits;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::task::Poll;
use core::time::Duration;

const OURS: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
];

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn cidr(text: &str) -> Cidr {
    text.parse().expect("a prefix")
}

/// Two stacks that speak both families, and use their addresses at once.
fn dual() -> Pair {
    let mut pair = Pair::new();
    let settings = Ipv6::default().dad_transmits(0).accept_ra(false);
    for (stack, address) in pair.stacks.iter_mut().zip(OURS) {
        stack.start_ipv6(Instant::from_nanos(0), &settings);
        let cidr = Cidr::new(address, 64).expect("a prefix");
        assert!(stack.add_address(Instant::from_nanos(0), cidr));
    }
    pair
}

/// The link-local address of a stack.
fn link_local(stack: &Interface) -> Ipv6Addr {
    let mut addresses = stack.addresses().into_iter().filter_map(|cidr| cidr.v6());
    let address = addresses.find(|cidr| cidr.address().is_unicast_link_local());
    address.expect("there always is one").address()
}

/// A connection from stack 0 to an address of stack 1, where a listener is on another; with both ends.
fn connect(pair: &mut Pair, to: IpAddr, listens: IpAddr) -> (ConnectionId, ConnectionId) {
    let listener = pair.stacks[1].listen(SocketAddr::new(listens, 7), 8, Options::default());
    let listener = listener.expect("a free port");
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let client = pair.call(0, |stack, now, _| {
        let server = SocketAddr::new(to, 7);
        let client = stack.connect(now, any, server, &Options::default());
        client.expect("a route")
    });
    pair.run(Duration::from_millis(10));
    let accepted = pair.stacks[1].tcp().accept(listener).expect("listening");
    (client, accepted.expect("a connection"))
}

/// A frame with an IPv6 packet.
fn frame(destination: MacAddr, header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ethernet::HEADER_LEN + 40];
    ethernet::Header {
        destination,
        source: super::MACS[1],
        ether_type: ethernet::IPV6,
    }
    .write(&mut frame);
    header.write(&mut frame[ethernet::HEADER_LEN..]);
    frame.extend_from_slice(payload);
    frame
}

/// A frame to the first stack with a message of ICMPv6, whose checksum is written.
fn icmp(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    write_checksum(source, destination, &mut message);
    let mut header = Header::new(source, destination, protocol::ICMP, message.len());
    header.hop_limit = hop_limit;
    let station = match destination.is_multicast() {
        true => MacAddr([0x33, 0x33, 0, 0, 0, 1]),
        false => super::MACS[0],
    };
    frame(station, &header, &message)
}

#[test]
fn a_connection_over_neighbour_discovery_and_ipv6() {
    let mut pair = dual();
    let (client, server) = connect(&mut pair, OURS[1].into(), OURS[1].into());
    assert_eq!(pair.state(0, client), State::Established);
    let data: Vec<u8> = (0..100_000).map(|at| at as u8).collect();
    let mut sent = 0;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while received.len() < data.len() {
        if let Poll::Ready(count) = pair.stacks[0].tcp().send(client, &data[sent..]) {
            sent += count.expect("open");
        }
        pair.run(Duration::from_millis(5));
        let now = pair.now;
        while let Poll::Ready(Ok(count @ 1..)) =
            pair.stacks[1].tcp().receive(now, server, &mut buffer)
        {
            received.extend_from_slice(&buffer[..count]);
        }
    }
    assert_eq!(received, data);
    let status = pair.stacks[0].tcp().status(client).expect("held");
    assert_eq!(status.remote, SocketAddr::new(OURS[1].into(), 7));
    // RFC 9293 §3.7.1: 60 octets of headers, and twelve of timestamps.
    assert_eq!(status.maximum_segment, 1500 - 60 - 12);
    let counters = pair.stacks[0].counters();
    assert_eq!(
        (counters.nd.out_solicits, counters.tcp.retrans_segs),
        (1, 0)
    );
    assert_eq!(counters.ip.out_requests, 0, "nothing went over IPv4");
}

#[test]
fn a_listener_on_all_addresses_serves_both_families_unless_told_otherwise() {
    for to in [IpAddr::from(OURS[1]), super::ADDRESSES[1].into()] {
        let mut pair = dual();
        let any = Ipv6Addr::UNSPECIFIED.into();
        let (_, server) = connect(&mut pair, to, any);
        let status = pair.stacks[1].tcp().status(server).expect("held");
        assert_eq!(status.local.ip(), to);
    }
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 7);
    let alone = Options::default().only_v6(true);
    pair.stacks[1].listen(any, 8, alone).expect("free");
    let client = pair.call(0, |stack, now, _| {
        let from = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let to = SocketAddr::new(super::ADDRESSES[1].into(), 7);
        stack
            .connect(now, from, to, &Options::default())
            .expect("a route")
    });
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.state(0, client), State::Closed, "it was refused");
    // Which leaves the port of IPv4 to another.
    let v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 7);
    pair.stacks[1]
        .listen(v4, 8, Options::default())
        .expect("free");
}

#[test]
fn rfc4007_section_6_link_local_addresses_have_the_scope_of_the_interface() {
    let mut pair = dual();
    let there = link_local(&pair.stacks[1]);
    let any = Ipv6Addr::UNSPECIFIED.into();
    let (client, server) = connect(&mut pair, there.into(), any);
    let [near, far] = [(0, client), (1, server)].map(|(index, id)| {
        let status = pair.stacks[index].tcp().status(id).expect("held");
        (status.local, status.remote)
    });
    assert_eq!(near, (far.1, far.0));
    assert_eq!(near.0.ip(), link_local(&pair.stacks[0]));
    for address in [near.0, near.1] {
        let SocketAddr::V6(address) = address else {
            panic!("{address}");
        };
        assert_eq!(address.scope_id(), 1);
    }
}

#[test]
fn rfc4443_section_4_1_echo_and_its_answer_also_in_fragments() {
    for len in [0, 8, 1452, 1453, 9000, 65_000] {
        let mut pair = dual();
        let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let sent = pair.call(0, |stack, now, out| {
            stack.send_echo_request(now, OURS[1], 7, 9, &data, out)
        });
        assert_eq!(sent, Ok(()));
        pair.run(Duration::from_millis(10));
        let expected = Event::EchoReply {
            source: OURS[1].into(),
            identifier: 7,
            sequence: 9,
            data: data.into(),
        };
        assert!(pair.events[0].contains(&expected), "{len} octets");
        let fragments = pair.stacks[0].counters().ip6.frag_creates;
        assert_eq!(fragments > 0, len > 1452);
    }
}

#[test]
fn datagrams_over_ipv6_and_a_closed_port_that_is_reported() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let there = SocketAddr::new(OURS[1].into(), 53);
    let server = pair.stacks[1].udp_bind_with(
        SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 53),
        QueueLimits::default(),
    );
    let server = server.expect("free");
    let id = pair.stacks[0].udp_bind(any).expect("a free port");
    for len in [0, 1000, 1452, 1453, 20_000] {
        let payload = vec![7; len];
        pair.call(0, |stack, now, out| {
            stack
                .udp_send(now, id, there, &payload, out)
                .expect("a route")
        });
        pair.run(Duration::from_millis(10));
        let datagram = pair.stacks[1].udp().receive(server).expect("a datagram");
        assert_eq!(
            (datagram.source.ip(), datagram.payload.len()),
            (OURS[0].into(), len)
        );
    }
    let closed = SocketAddr::new(OURS[1].into(), 9);
    pair.stacks[0].udp().connect(id, closed);
    pair.call(0, |stack, now, out| {
        stack.udp_send(now, id, closed, b"?", out).expect("a route")
    });
    pair.run(Duration::from_millis(10));
    assert!(pair.stacks[0].udp().take_refused(id));
    assert_eq!(pair.stacks[1].counters().icmp6.out_dest_unreachs, 1);
}

#[test]
fn a_connection_over_the_loopback_of_ipv6() {
    let mut pair = dual();
    for address in [Ipv6Addr::LOCALHOST, OURS[0]] {
        let local = SocketAddr::new(address.into(), 80);
        let listener = pair.stacks[0].listen(local, 8, Options::default());
        let listener = listener.expect("free");
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        pair.call(0, |stack, now, _| {
            stack
                .connect(now, any, local, &Options::default())
                .expect("a route")
        });
        pair.run(Duration::from_millis(10));
        let accepted = pair.stacks[0].tcp().accept(listener).expect("listening");
        assert!(accepted.is_some(), "{address}");
    }
    assert_eq!(
        pair.stacks[1].counters().ip6.in_delivers,
        0,
        "nothing left the host"
    );
}

#[test]
fn what_leads_nowhere_is_an_error_at_once_and_a_silent_neighbour_after_three_seconds() {
    let mut pair = dual();
    let far = v6("2001:db8::1");
    let error = pair.call(0, |stack, now, out| {
        stack.send_echo_request(now, far, 1, 1, b"", out)
    });
    assert_eq!(error, Err(SendError::NoRoute));
    // Reports of groups are no more to come, which are counted so too.
    pair.run(Duration::from_secs(2));
    let before = pair.stacks[1].counters().ip6.in_addr_errors;
    let gateway = OURS[1].into();
    let destination = cidr("::/0");
    assert!(pair.stacks[0].add_route(Route {
        destination,
        gateway,
    }));
    pair.call(0, |stack, now, out| {
        stack
            .send_echo_request(now, far, 1, 1, b"", out)
            .expect("a route")
    });
    pair.run(Duration::from_millis(10));
    assert_eq!(
        pair.stacks[1].counters().ip6.in_addr_errors,
        before + 1,
        "it went by the gateway"
    );
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let id = pair.call(0, |stack, now, _| {
        let nobody = SocketAddr::new(v6("fd00::99").into(), 80);
        stack
            .connect(now, any, nobody, &Options::default())
            .expect("a route")
    });
    pair.run(Duration::from_secs(5));
    let status = pair.stacks[0].tcp().status(id).expect("held");
    let unreachable = Some(Error::HostUnreachable);
    assert_eq!(status.error.or(status.soft_error), unreachable);
    assert_eq!(pair.stacks[0].counters().nd.failed, 1);
}

#[test]
fn rfc4861_7_2_2_who_waits_for_a_neighbour_that_is_not_there_is_told_at_once() {
    let mut pair = dual();
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let nobody = SocketAddr::new(v6("fd00::99").into(), 80);
    let stack = &mut pair.stacks[0];
    let mut now = Instant::from_nanos(0);
    let id = stack.connect(now, any, nobody, &Options::default());
    let id = id.expect("a route");
    for _ in 0..100 {
        stack.poll(now, 64, &mut |_: &[u8]| {});
        if stack.counters().nd.failed > 0 {
            break;
        }
        now = stack.poll_at(now).expect("a timer");
    }
    let status = stack.tcp().status(id).expect("held");
    let unreachable = Some(Error::HostUnreachable);
    assert_eq!(status.error.or(status.soft_error), unreachable);
}

#[test]
fn a_stack_that_was_not_told_to_speak_ipv6_does_not() {
    let mut pair = Pair::new();
    assert!(!pair.stacks[0].add_address(Instant::from_nanos(0), cidr("fd00::1/64")));
    let echo = pair.call(0, |stack, now, out| {
        stack.send_echo_request(now, OURS[1], 1, 1, b"", out)
    });
    assert_eq!(echo, Err(SendError::NoRoute));
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
    let connect = pair.call(0, |stack, now, _| {
        let there = SocketAddr::new(OURS[1].into(), 80);
        stack.connect(now, any, there, &Options::default())
    });
    assert_eq!(connect, Err(Error::NetworkUnreachable));
    let request = icmp(OURS[1], OURS[0], 64, &[128, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answers(&mut pair.stacks[0], request), [[0; 0]; 0]);
}
