//! Whole stacks in virtual time: two of them on one link, or one alone with what we send it.

mod addresses;
mod held;
mod v6;

use super::{Event, Interface, InterfaceConfig, SendError, Transmit};
use crate::proto::Instant;
use crate::proto::icmp::{Unreachable, unreachable};
use crate::proto::ip::v4::{HEADER_LEN, Header, protocol};
use crate::proto::ip::{Cidr, Route};
use crate::proto::link::arp::Packet;
use crate::proto::link::ethernet::{self, MacAddr};
use crate::proto::tcp::{ConnectionId, KeepAlive, Options, Readiness, State};
use bytes::Bytes;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;
use std::collections::VecDeque;

const MACS: [MacAddr; 2] = [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])];
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const MTU: usize = 1500;
/// How long a frame is under way.
const DELAY: Duration = Duration::from_micros(100);

#[derive(Default)]
struct Sent(Vec<Vec<u8>>);

impl Transmit for Sent {
    fn transmit(&mut self, frame: &[u8]) {
        self.0.push(frame.to_vec());
    }
}

fn cidr(text: &str) -> Cidr {
    text.parse().expect("a prefix")
}

fn stack(index: usize) -> Interface {
    let mut stack = Interface::new(InterfaceConfig::new(
        MACS[index],
        MTU,
        [index as u8 + 1; 32],
    ));
    let address = Cidr::new(ADDRESSES[index], 24).expect("a prefix");
    stack.add_address(Instant::from_nanos(0), address);
    stack
}

/// Two stacks on a link that loses nothing.
struct Pair {
    now: Instant,
    stacks: [Interface; 2],
    /// Frames under way to each stack, with the time of their arrival.
    wires: [VecDeque<(Instant, Vec<u8>)>; 2],
    events: [Vec<Event>; 2],
    cut: bool,
}

impl Pair {
    fn new() -> Self {
        Self {
            now: Instant::from_nanos(0),
            stacks: [stack(0), stack(1)],
            wires: Default::default(),
            events: Default::default(),
            cut: false,
        }
    }

    /// Makes a call on one stack and sends what comes of it.
    fn call<R>(
        &mut self,
        index: usize,
        f: impl FnOnce(&mut Interface, Instant, &mut Sent) -> R,
    ) -> R {
        let mut sent = Sent::default();
        let result = f(&mut self.stacks[index], self.now, &mut sent);
        if !self.cut {
            let frames = sent.0.into_iter().map(|frame| (self.now + DELAY, frame));
            self.wires[1 - index].extend(frames);
        }
        result
    }

    /// Lets time pass for `duration`, by one event after the other; at most 100,000 of them.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..100_000 {
            for index in [0, 1] {
                while self.call(index, |stack, now, out| stack.poll(now, 64, out)) {}
                while let Some(event) = self.stacks[index].poll_event() {
                    self.events[index].push(event);
                }
            }
            let timers = self
                .stacks
                .iter()
                .filter_map(|stack| stack.poll_at(self.now));
            let arrivals = self
                .wires
                .iter()
                .filter_map(|wire| wire.front().map(|(at, _)| *at));
            let next = timers.chain(arrivals).min().unwrap_or(end).min(end);
            self.now = self.now.max(next);
            for index in [0, 1] {
                while self.wires[index]
                    .front()
                    .is_some_and(|(at, _)| *at <= self.now)
                {
                    let (_, frame) = self.wires[index].pop_front().expect("just seen");
                    let frame = Bytes::from(frame);
                    self.call(index, |stack, now, out| stack.handle_frame(now, frame, out));
                }
            }
            if self.now >= end {
                return;
            }
        }
        panic!("no end of events before {end:?}");
    }

    /// A connection from stack 0 to stack 1, with both ends.
    fn connect(&mut self) -> (ConnectionId, ConnectionId) {
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let server = SocketAddrV4::new(ADDRESSES[1], 7);
        let listener = self.stacks[1].tcp().listen(server, 8, Options::default());
        let listener = listener.expect("a free port");
        let client = self.call(0, |stack, now, _| {
            stack
                .connect(now, any, server, &Options::default())
                .expect("a route")
        });
        self.run(Duration::from_millis(10));
        let accepted = self.stacks[1].tcp().accept(listener).expect("listening");
        (client, accepted.expect("a connection"))
    }

    fn state(&mut self, index: usize, id: ConnectionId) -> State {
        self.stacks[index].tcp().status(id).expect("held").state
    }
}

#[test]
fn a_connection_over_arp_and_ipv4() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    assert_eq!(pair.state(0, client), State::Established);
    let sent = pair.stacks[0].tcp().send(client, b"hello");
    assert_eq!(sent, Poll::Ready(Ok(5)));
    pair.run(Duration::from_millis(10));
    let mut buffer = [0; 16];
    let now = pair.now;
    let received = pair.stacks[1].tcp().receive(now, server, &mut buffer);
    assert_eq!(received, Poll::Ready(Ok(5)));
    assert_eq!(&buffer[..5], b"hello");
    assert_eq!(
        pair.stacks[1].counters().arp.out_requests,
        2,
        "who was asked has learnt who asked: only the claim was sent"
    );
    assert_eq!(
        pair.stacks[0].neighbors().next(),
        Some((ADDRESSES[1].into(), MACS[1]))
    );
}

#[test]
fn a_connection_over_the_loopback() {
    let mut pair = Pair::new();
    let local = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let listener = pair.stacks[0]
        .tcp()
        .listen(local, 8, Options::default())
        .expect("free");
    let client = pair.call(0, |stack, now, _| {
        stack
            .connect(now, any, local, &Options::default())
            .expect("a route")
    });
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.state(0, client), State::Established);
    assert!(
        pair.stacks[0]
            .tcp()
            .accept(listener)
            .expect("listening")
            .is_some()
    );
    assert_eq!(
        pair.stacks[1].counters().ip.in_receives,
        0,
        "nothing left the host"
    );
}

#[test]
fn rfc9293_section_3_8_4_keep_alive_finds_a_vanished_peer() {
    let mut pair = Pair::new();
    let (_, server) = pair.connect();
    let (idle, interval) = (Duration::from_millis(300), Duration::from_millis(200));
    let now = pair.now;
    let keep_alive = Some(KeepAlive {
        idle,
        interval,
        probes: 3,
    });
    pair.stacks[1]
        .tcp()
        .set_keep_alive(now, server, keep_alive)
        .expect("held");
    pair.run(Duration::from_secs(5));
    assert_eq!(
        pair.state(1, server),
        State::Established,
        "the peer answers probes"
    );
    pair.cut = true;
    pair.events[1].clear();
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.state(1, server), State::Closed);
    let closed = pair.events[1].iter().any(|event| {
        matches!(event, Event::Tcp(crate::proto::tcp::Event::Connection(id, ready))
            if *id == server && ready.contains(Readiness::CLOSED))
    });
    assert!(closed, "{:?}", pair.events[1]);
}

#[test]
fn rfc1122_section_3_3_8_a_silent_neighbour_is_an_unreachable_host() {
    let mut pair = Pair::new();
    let (any, nobody) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 0, 99));
    let id = pair.call(0, |stack, now, _| {
        let (from, to) = (SocketAddrV4::new(any, 0), SocketAddrV4::new(nobody, 80));
        stack
            .connect(now, from, to, &Options::default())
            .expect("a route")
    });
    pair.run(Duration::from_secs(5));
    let status = pair.stacks[0].tcp().status(id).expect("held");
    assert!(
        status.error.is_some() || status.soft_error.is_some(),
        "TCP was not told: {status:?}"
    );
    assert_eq!(pair.stacks[0].counters().arp.failed, 1);
}

#[test]
fn no_route_is_an_error_at_once() {
    let mut pair = Pair::new();
    let far = Ipv4Addr::new(192, 0, 2, 1);
    let error = pair.call(0, |stack, now, out| {
        stack.send_echo_request(now, far, 1, 1, b"", out)
    });
    assert_eq!(error, Err(SendError::NoRoute));
    let destination = cidr("0.0.0.0/0");
    pair.stacks[0].add_route(Route {
        destination,
        gateway: ADDRESSES[1].into(),
    });
    let sent = pair.call(0, |stack, now, out| {
        stack.send_echo_request(now, far, 1, 1, b"", out)
    });
    assert_eq!(sent, Ok(()));
    pair.run(Duration::from_millis(10));
    assert_eq!(
        pair.stacks[1].counters().ip.in_addr_errors,
        1,
        "it went by the gateway"
    );
}

#[test]
fn rfc792_echo_and_its_answer_also_in_fragments() {
    for len in [0, 8, 1472, 1473, 9000, 65_000] {
        let mut pair = Pair::new();
        let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let sent = pair.call(0, |stack, now, out| {
            stack.send_echo_request(now, ADDRESSES[1], 7, 9, &data, out)
        });
        assert_eq!(sent, Ok(()));
        pair.run(Duration::from_millis(10));
        let expected = Event::EchoReply {
            source: ADDRESSES[1].into(),
            identifier: 7,
            sequence: 9,
            data: data.into(),
        };
        assert!(pair.events[0].contains(&expected), "{len} octets");
    }
}

#[test]
fn rfc1122_section_4_1_3_1_closed_port_is_reported() {
    let mut pair = Pair::new();
    let peer = SocketAddrV4::new(ADDRESSES[1], 9);
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let id = pair.stacks[0].udp_bind(any).expect("a free port");
    pair.stacks[0].udp().connect(id, peer);
    pair.call(0, |stack, now, out| {
        stack.udp_send(now, id, peer, b"?", out).expect("a route")
    });
    pair.run(Duration::from_millis(10));
    assert!(pair.events[0].contains(&Event::Udp(id)));
    assert!(pair.stacks[0].udp().take_refused(id));
    assert_eq!(pair.stacks[1].counters().icmp.out_dest_unreachs, 1);
}

/// One stack alone: what it says to a frame.
fn answers(stack: &mut Interface, frame: Vec<u8>) -> Vec<Vec<u8>> {
    let mut sent = Sent::default();
    stack.handle_frame(Instant::from_nanos(1), frame.into(), &mut sent);
    sent.0
}

fn frame(destination: MacAddr, header: &Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ethernet::HEADER_LEN + HEADER_LEN];
    let ether_type = ethernet::IPV4;
    ethernet::Header {
        destination,
        source: MACS[1],
        ether_type,
    }
    .write(&mut frame);
    header.write(&mut frame[ethernet::HEADER_LEN..]);
    frame.extend_from_slice(payload);
    frame
}

/// The neighbour's frame to all with an ARP packet.
fn broadcast(packet: &Packet) -> Vec<u8> {
    let mut bytes = vec![0; ethernet::HEADER_LEN];
    let ether_type = ethernet::ARP;
    ethernet::Header {
        destination: MacAddr::BROADCAST,
        source: MACS[1],
        ether_type,
    }
    .write(&mut bytes);
    bytes.extend_from_slice(&packet.to_bytes());
    bytes
}

/// A stack that knows its neighbour.
fn acquainted() -> Interface {
    let mut stack = stack(0);
    let request = Packet::request(MACS[1], ADDRESSES[1], ADDRESSES[0]);
    let replies = answers(&mut stack, broadcast(&request));
    assert_eq!(replies.len(), 1);
    assert_eq!(
        Packet::parse(&replies[0][14..]),
        Some(request.reply(MACS[0]))
    );
    stack
}

#[test]
fn rfc826_answers_requests_for_its_address_only() {
    let mut stack = acquainted();
    let other = Packet::request(MACS[1], ADDRESSES[1], Ipv4Addr::new(10, 0, 0, 3));
    assert!(answers(&mut stack, broadcast(&other)).is_empty());
}

#[test]
fn rfc1122_section_3_2_1_3_packets_from_or_to_nowhere_are_dropped() {
    let mut stack = acquainted();
    let echo = crate::proto::icmp::echo_request(1, 1, b"x");
    let ask = |source: Ipv4Addr, destination: Ipv4Addr, mac: MacAddr, stack: &mut Interface| {
        let header = Header::new(source, destination, protocol::ICMP, echo.len());
        answers(stack, frame(mac, &header, &echo)).len()
    };
    let [ours, theirs] = ADDRESSES;
    assert_eq!(ask(theirs, ours, MACS[0], &mut stack), 1);
    assert_eq!(
        ask(theirs, ours, MACS[1], &mut stack),
        0,
        "to another station"
    );
    assert_eq!(
        ask(theirs, ours, MacAddr::BROADCAST, &mut stack),
        0,
        "in a broadcast frame"
    );
    assert_eq!(
        ask(
            theirs,
            [10, 0, 0, 255].into(),
            MacAddr::BROADCAST,
            &mut stack
        ),
        0
    );
    for source in [
        ours,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::LOCALHOST,
        [224, 0, 0, 1].into(),
    ] {
        assert_eq!(ask(source, ours, MACS[0], &mut stack), 0, "from {source}");
    }
    assert_eq!(
        ask(theirs, Ipv4Addr::LOCALHOST, MACS[0], &mut stack),
        0,
        "to the loopback"
    );
    assert_eq!(
        ask(theirs, [10, 0, 0, 3].into(), MACS[0], &mut stack),
        0,
        "to another host"
    );
}

#[test]
fn rfc1122_section_3_2_2_1_unknown_protocol_is_reported_within_the_limit() {
    let mut stack = acquainted();
    let header = Header::new(ADDRESSES[1], ADDRESSES[0], 200, 8);
    let count: usize = (0..1000)
        .map(|_| answers(&mut stack, frame(MACS[0], &header, &[0; 8])).len())
        .sum();
    assert!((100..=200).contains(&count), "{count} in one second");
    let limited = stack.counters().icmp.out_rate_limited;
    assert_eq!(limited, 1000 - count as u64);
    assert_eq!(stack.counters().ip.in_unknown_protos, 1000);
}

#[test]
fn rfc1191_section_3_udp_heeds_fragmentation_needed() {
    let mut stack = acquainted();
    let peer = SocketAddrV4::new(ADDRESSES[1], 9);
    let id = stack
        .udp_bind(SocketAddrV4::new(ADDRESSES[0], 5000))
        .expect("free");
    let mut sent = Sent::default();
    let now = Instant::from_nanos(1);
    stack
        .udp_send(now, id, peer, &[0; 1400], &mut sent)
        .expect("a route");
    assert_eq!(sent.0.len(), 1);
    let reason = Unreachable::FragmentationNeeded { next_hop_mtu: 1000 };
    let message = unreachable(reason, &sent.0[0][ethernet::HEADER_LEN..]);
    let header = Header::new(ADDRESSES[1], ADDRESSES[0], protocol::ICMP, message.len());
    answers(&mut stack, frame(MACS[0], &header, &message));
    let mut sent = Sent::default();
    stack
        .udp_send(now, id, peer, &[0; 1400], &mut sent)
        .expect("a route");
    assert_eq!(sent.0.len(), 2, "in fragments that fit the path");
    assert!(
        sent.0
            .iter()
            .all(|frame| frame.len() <= ethernet::HEADER_LEN + 1000)
    );
}

#[test]
fn rfc5227_section_2_3_a_new_address_is_asked_for_and_announced_twice() {
    let mut pair = Pair::new();
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.stacks[0].counters().arp.out_requests, 3);
    let now = pair.now;
    pair.stacks[1].remove_address(now, ADDRESSES[1]);
    pair.stacks[1].add_address(now, cidr("10.0.0.1/24"));
    pair.run(Duration::from_secs(1));
    let conflict = Event::AddressConflict(ADDRESSES[0].into(), MACS[1]);
    assert!(pair.events[0].contains(&conflict), "{:?}", pair.events[0]);
    let ours = Event::AddressConflict(ADDRESSES[0].into(), MACS[0]);
    assert!(pair.events[1].contains(&ours), "{:?}", pair.events[1]);
}

#[test]
fn random_frames_do_no_harm() {
    let mut stack = acquainted();
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    let good = {
        let echo = crate::proto::icmp::echo_request(1, 1, b"some data");
        let header = Header::new(ADDRESSES[1], ADDRESSES[0], protocol::ICMP, echo.len());
        frame(MACS[0], &header, &echo)
    };
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        bytes.truncate(random() % (bytes.len() + 1));
        for _ in 0..random() % 4 {
            if !bytes.is_empty() {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
        }
        // The answers are bounded; that there is no panic is the point.
        assert!(answers(&mut stack, bytes).len() <= 1);
    }
}
