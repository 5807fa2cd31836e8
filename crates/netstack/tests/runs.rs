//! Runs of UDP datagrams: sent in one call, as one frame where the device cuts it apart, and received as one frame to
//! which a device has joined them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netstack::proto::checksum::{Sum, checksum};
use netstack::proto::interface::{
    HEADROOM, InterfaceConfig, Ipv6, Joined, Run, SendError, Transmit,
};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::udp::{QueueLimits, SocketId};
use netstack::proto::{Instant, Interface};

const MTU: usize = 1500;
const IP: usize = 14;
const PORT: u16 = 443;
const V4: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
];

/// A frame, and how it was joined if it is a run.
type Frame = (Vec<u8>, Option<Joined>);

/// What a stack has sent.
#[derive(Default)]
struct Wire(Vec<Frame>);

impl Transmit for Wire {
    fn transmit(&mut self, frame: &[u8]) {
        assert!(frame.len() <= IP + MTU, "a frame of {} octets", frame.len());
        self.0.push((frame.to_vec(), None));
    }

    fn transmit_run(&mut self, buffer: &mut [u8], run: &Run) {
        let frame = &buffer[HEADROOM..];
        assert!(run.udp);
        assert_eq!(run.header_len, run.transport + 8);
        let payload = frame.len() - run.header_len;
        let segment = usize::from(run.segment);
        assert!(payload > segment && payload.div_ceil(segment) <= 64);
        assert!(run.header_len + segment <= IP + MTU);
        let udp = &frame[run.transport..];
        assert_eq!(usize::from(field(udp, 4)), udp.len());
        let ends = match run.ipv6 {
            false => V4,
            true => V6,
        };
        let sum = Sum::pseudo_header(ends[0], ends[1], 17, udp.len() as u16).finish();
        assert_eq!(field(udp, 6), !sum, "the sum of the pseudo-header");
        if run.ipv6 {
            assert_eq!(run.transport, IP + 40);
            assert_eq!(usize::from(field(frame, IP + 4)), udp.len());
            assert_ne!(field(frame, IP + 2), 0, "a flow label");
        } else {
            assert_eq!(run.transport, IP + 20);
            assert_eq!(usize::from(field(frame, IP + 2)), frame.len() - IP);
            assert_eq!(checksum(&frame[IP..IP + 20]), 0);
        }
        let joined = Joined {
            transport: run.transport,
            segment: run.segment,
        };
        self.0.push((frame.to_vec(), Some(joined)));
    }
}

fn field(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

fn data(octets: usize) -> Vec<u8> {
    (0..octets).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// Two stacks, with a socket each.
struct Pair {
    addresses: [IpAddr; 2],
    stacks: [Interface; 2],
    sockets: [SocketId; 2],
    wire: Wire,
}

const NOW: Instant = Instant::from_nanos(1_000_000_000);

impl Pair {
    /// The device of the first cuts runs apart, or not; the other's socket holds so many datagrams.
    fn new(addresses: [IpAddr; 2], offload: bool, queue: usize) -> Self {
        let mut stacks = [0, 1].map(|index| {
            let mac = MacAddr([2, 0, 0, 0, 0, index as u8 + 1]);
            let config = InterfaceConfig::new(mac, MTU, [index as u8 + 1; 32])
                .offload(offload)
                .offload_udp(offload);
            let mut stack = Interface::new(config);
            stack.start_ipv6(NOW, &Ipv6::default().dad_transmits(0).accept_ra(false));
            for address in [V4, V6] {
                let address = Cidr::new(address[index], 24).expect("a prefix");
                assert!(stack.add_address(NOW, address));
            }
            stack
        });
        let limits = QueueLimits::default().datagrams(queue).octets(usize::MAX);
        let sockets = [0, 1].map(|index| {
            let local = SocketAddr::new(addresses[index], PORT);
            stacks[index].udp_bind_with(local, limits).expect("free")
        });
        let wire = Wire::default();
        let mut pair = Self {
            addresses,
            stacks,
            sockets,
            wire,
        };
        // The neighbour is known from then on.
        pair.send(b"first", 5).expect("a route");
        pair.deliver();
        assert_eq!(pair.received(), [b"first"]);
        pair
    }

    fn send(&mut self, payload: &[u8], segment: usize) -> Result<(), SendError> {
        let peer = SocketAddr::new(self.addresses[1], PORT);
        let Self {
            stacks: [stack, _],
            sockets,
            wire,
            ..
        } = self;
        stack.udp_send_segments(NOW, sockets[0], peer, payload, segment, wire)
    }

    /// Gives each stack what the other one has sent, until there is no more.
    fn deliver(&mut self) {
        for _ in 0..100 {
            for index in [1, 0] {
                self.take(index);
                self.stacks[index].poll(NOW, 64, &mut self.wire);
                while self.stacks[index].poll_event().is_some() {}
            }
            if self.wire.0.is_empty() {
                return;
            }
        }
        panic!("no end");
    }

    fn take(&mut self, index: usize) {
        let mac = self.stacks[index].mac();
        for (frame, joined) in std::mem::take(&mut self.wire.0) {
            // It is the other one's, or to all.
            if frame[6..12] == mac.0 {
                self.wire.0.push((frame, joined));
                continue;
            }
            let stack = &mut self.stacks[index];
            match joined {
                Some(joined) => stack.handle_run(NOW, &frame, joined, &mut self.wire),
                None => stack.handle_frame(NOW, frame.into(), &mut self.wire),
            }
        }
    }

    /// What waits in the second stack's socket.
    fn received(&mut self) -> Vec<Vec<u8>> {
        let (stack, socket) = (&mut self.stacks[1], self.sockets[1]);
        let source = SocketAddr::new(self.addresses[0], PORT);
        std::iter::from_fn(|| stack.udp().receive(socket))
            .inspect(|datagram| assert_eq!(datagram.source, source))
            .map(|datagram| datagram.payload.to_vec())
            .collect()
    }

    /// Frames to be delivered, and how many of them are runs.
    fn frames(&self) -> (usize, usize) {
        let runs = self.wire.0.iter().filter(|(_, joined)| joined.is_some());
        (self.wire.0.len(), runs.count())
    }

    /// The run of `payload` in datagrams of `segment` octets, as a device would join it.
    fn run(&mut self, payload: &[u8], segment: usize) -> (Vec<u8>, Joined) {
        self.send(payload, segment).expect("a route");
        match std::mem::take(&mut self.wire.0).as_slice() {
            [(frame, Some(joined))] => (frame.clone(), *joined),
            frames => panic!("{} frames", frames.len()),
        }
    }

    fn handle(&mut self, frame: &[u8], joined: Joined) {
        self.stacks[1].handle_run(NOW, frame, joined, &mut self.wire);
    }
}

#[test]
fn datagrams_of_one_call_arrive_one_by_one_with_or_without_a_device_that_cuts() {
    for addresses in [V4, V6] {
        for (offload, frames) in [(true, (1, 1)), (false, (11, 0))] {
            let mut pair = Pair::new(addresses, offload, 256);
            let before = pair.stacks.each_ref().map(|stack| stack.counters());
            let payload = data(12_500);
            pair.send(&payload, 1200).expect("a route");
            assert_eq!(pair.frames(), frames);
            pair.deliver();
            let received = pair.received();
            assert!(received.iter().eq(payload.chunks(1200)));
            // Each is counted as one, on either side.
            let [sent, taken] = pair.stacks.each_ref().map(|stack| stack.counters());
            assert_eq!(sent.udp.out_datagrams - before[0].udp.out_datagrams, 11);
            assert_eq!(taken.udp.in_datagrams - before[1].udp.in_datagrams, 11);
            let [out, into] = match addresses == V4 {
                true => [
                    sent.ip.out_requests - before[0].ip.out_requests,
                    taken.ip.in_delivers - before[1].ip.in_delivers,
                ],
                false => [
                    sent.ip6.out_requests - before[0].ip6.out_requests,
                    taken.ip6.in_delivers - before[1].ip6.in_delivers,
                ],
            };
            assert_eq!([out, into], [11, 11]);
        }
    }
}

#[test]
fn a_run_has_no_more_datagrams_and_octets_than_a_frame_takes() {
    for addresses in [V4, V6] {
        let mut pair = Pair::new(addresses, true, 4096);
        for (octets, segment, runs) in [(150_000, 1400, 3), (6_500, 50, 3), (64, 1, 1), (65, 1, 2)]
        {
            let payload = data(octets);
            pair.send(&payload, segment).expect("a route");
            // What is left over is a frame of its own.
            assert_eq!(pair.frames().0, runs, "{octets} octets by {segment}");
            pair.deliver();
            assert!(pair.received().iter().eq(payload.chunks(segment)));
        }
    }
}

#[test]
fn a_run_to_an_address_of_ipv4_that_is_written_as_one_of_ipv6_has_the_headers_of_ipv4() {
    let mut pair = Pair::new(V4, true, 256);
    let IpAddr::V4(peer) = V4[1] else { return };
    let mapped = SocketAddr::new(peer.to_ipv6_mapped().into(), PORT);
    let Pair {
        stacks: [stack, _],
        sockets,
        wire,
        ..
    } = &mut pair;
    // With those of IPv6 it would not fit.
    let payload = data(2 * 1470);
    let sent = stack.udp_send_segments(NOW, sockets[0], mapped, &payload, 1470, wire);
    assert_eq!(sent, Ok(()));
    assert_eq!(pair.frames(), (1, 1));
    pair.deliver();
    assert!(pair.received().iter().eq(payload.chunks(1470)));
}

#[test]
fn what_is_no_run_goes_as_it_would_alone() {
    for addresses in [V4, V6] {
        let mut pair = Pair::new(addresses, true, 256);
        for (payload, segment) in [(0, 7), (7, 7), (7, 8), (7, 100_000)] {
            pair.send(&data(payload), segment).expect("a route");
            assert_eq!(pair.frames(), (1, 0));
            pair.deliver();
            assert_eq!(pair.received(), [data(payload)]);
        }
        // Beyond the path's MTU each is in fragments of its own.
        pair.send(&data(5000), 2000).expect("a route");
        assert_eq!(pair.frames(), (5, 0));
        pair.deliver();
        assert!(pair.received().iter().eq(data(5000).chunks(2000)));
        let long = data(70_000);
        assert!(matches!(
            pair.send(&long, 65_530),
            Err(SendError::TooLarge(_))
        ));
    }
}

#[test]
fn a_run_to_a_neighbour_that_is_not_known_waits_as_datagrams() {
    let mut pair = Pair::new(V4, true, 256);
    let unknown = SocketAddr::new([10, 0, 0, 9].into(), PORT);
    let Pair {
        stacks: [stack, _],
        sockets,
        wire,
        ..
    } = &mut pair;
    let sent = stack.udp_send_segments(NOW, sockets[0], unknown, &data(300), 100, wire);
    assert_eq!(sent, Ok(()));
    assert_eq!(pair.frames(), (1, 0), "a question alone");
    let ourselves = SocketAddr::new(V4[0], PORT);
    let (stack, wire) = (&mut pair.stacks[0], &mut Wire::default());
    let sent = stack.udp_send_segments(NOW, pair.sockets[0], ourselves, &data(300), 100, wire);
    assert_eq!(sent, Ok(()));
    stack.poll(NOW, 64, wire);
    for _ in 0..3 {
        let datagram = stack.udp().receive(pair.sockets[0]).expect("it came back");
        assert_eq!(datagram.payload.len(), 100);
    }
}

#[test]
fn each_datagram_of_a_run_is_charged_and_what_finds_no_room_is_lost_alone() {
    for addresses in [V4, V6] {
        let mut pair = Pair::new(addresses, true, 10);
        let payload = data(60 * 1000);
        pair.send(&payload, 1000).expect("a route");
        assert_eq!(pair.frames(), (1, 1));
        pair.deliver();
        let counters = pair.stacks[1].counters().udp;
        assert_eq!((counters.rcvbuf_errors, counters.in_errors), (50, 0));
        let held = pair.stacks[1].udp().held();
        assert!((10 * 1000..10 * 2500).contains(&held), "{held} octets");
        assert!(pair.received().iter().eq(payload.chunks(1000).take(10)));
        assert_eq!(pair.stacks[1].udp().held(), 0);
    }
}

#[test]
fn runs_that_are_none_are_dropped_and_counted() {
    for addresses in [V4, V6] {
        let mut pair = Pair::new(addresses, true, 256);
        let (frame, good) = pair.run(&data(1000), 100);
        let (transport, segment) = (good.transport, good.segment);
        let mut refused = 0;
        let mut refuse = |pair: &mut Pair, frame: &[u8], transport, segment| {
            pair.handle(frame, Joined { transport, segment });
            refused += 1;
            let counters = pair.stacks[1].counters().udp;
            assert_eq!((counters.in_errors, counters.in_datagrams), (refused, 1));
            assert!(pair.wire.0.is_empty());
        };
        // Nothing in each, more than there is, and more datagrams than there may be.
        for segment in [0, 1001, u16::MAX, 7] {
            refuse(&mut pair, &frame, transport, segment);
        }
        for transport in [0, IP, transport - 1, transport + 1, 5000, usize::MAX] {
            refuse(&mut pair, &frame, transport, segment);
        }
        for (length, transport) in (0..20).flat_map(|length| (0..20).map(move |at| (length, at))) {
            refuse(&mut pair, &frame[..length], transport, segment);
        }
        for length in 0..frame.len() {
            refuse(&mut pair, &frame[..length], transport, segment);
        }
        refuse(&mut pair, &[&frame[..], &[0]].concat(), transport, segment);
        // The lengths of UDP and of IP, and what is no IP at all.
        let ip_length = if addresses == V4 { IP + 3 } else { IP + 5 };
        for at in [transport + 5, ip_length, 12] {
            let mut other = frame.clone();
            other[at] ^= 1;
            refuse(&mut pair, &other, transport, segment);
        }
        if addresses == V4 {
            // Its first fragment, its last, and a header that is not what was sent.
            for (at, octet) in [(IP + 6, 0x20), (IP + 7, 1), (IP + 8, 1)] {
                let mut other = frame.clone();
                other[at] = octet;
                refuse(&mut pair, &other, transport, segment);
            }
        }
        pair.handle(&frame, good);
        assert!(pair.received().iter().eq(data(1000).chunks(100)));
    }
}

#[test]
fn what_a_run_carries_need_not_be_a_datagram() {
    for addresses in [V4, V6] {
        let mut pair = Pair::new(addresses, true, 256);
        let (frame, joined) = pair.run(&data(1000), 100);
        let protocol = if addresses == V4 { IP + 9 } else { IP + 6 };
        for octet in 0..=255 {
            let mut other = frame.clone();
            other[protocol] = octet;
            if addresses == V4 {
                other[IP + 10..IP + 12].fill(0);
                let sum = checksum(&other[IP..joined.transport]);
                other[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
            }
            pair.handle(&other, joined);
            let answers = std::mem::take(&mut pair.wire.0).len();
            assert!(answers <= 10, "{answers} answers to protocol {octet}");
            let received = pair.received().len();
            assert_eq!(received, if octet == 17 { 10 } else { 0 }, "{octet}");
        }
    }
}
