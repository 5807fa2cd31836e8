//! A device that cuts runs of TCP segments apart and joins segments that arrive: both halves done by
//! hand here, in virtual time.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use netstack::proto::checksum::{Sum, checksum};
use netstack::proto::interface::{HEADROOM, InterfaceConfig, Ipv6, Run, Transmit};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::{ConnectionId, Options, congestion};
use netstack::proto::{Instant, Interface};

const MTU: usize = 1500;
const IP: usize = 14;
const V4: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
];
const DELAY: Duration = Duration::from_micros(50);

/// What the device does with a run of segments.
#[derive(Clone, Copy, PartialEq)]
enum Device {
    /// Cuts it apart, as towards a network; the receiver verifies each checksum.
    Cuts,
    /// Cuts it apart, and loses every so many frames.
    Loses(usize),
    /// Leaves it whole, as towards another guest of the same host.
    Joins,
}

struct Wire {
    device: Device,
    addresses: [IpAddr; 2],
    frames: Vec<(Vec<u8>, bool)>,
    runs: usize,
    sent: usize,
}

impl Transmit for Wire {
    fn transmit(&mut self, frame: &[u8]) {
        assert!(frame.len() <= IP + MTU, "a frame of {} octets", frame.len());
        self.sent += 1;
        if let Device::Loses(every) = self.device
            && self.sent.is_multiple_of(every)
        {
            return;
        }
        self.frames.push((frame.to_vec(), false));
    }

    fn transmit_run(&mut self, buffer: &mut [u8], run: &Run) {
        self.runs += 1;
        let frame = &buffer[HEADROOM..];
        let payload = frame.len() - run.header_len;
        assert_eq!(payload % usize::from(run.segment), 0, "full segments only");
        let data = frame[run.header_len..].as_ptr();
        assert_eq!(data.align_offset(64), 0, "from a line of the cache on");
        assert_eq!(run.ipv6, self.addresses == V6);
        if run.ipv6 {
            assert_eq!(run.transport, IP + 40);
            assert_eq!(usize::from(field(frame, IP + 4)), frame.len() - IP - 40);
            assert_ne!(field(frame, IP + 2), 0, "a flow label");
        } else {
            let sum = checksum(&frame[IP..run.transport]);
            assert_eq!(sum, 0, "checksum of the IPv4 header");
        }
        let sum = self.pseudo_header(frame.len() - run.transport).finish();
        assert_eq!(field(frame, run.transport + 16), !sum);
        if self.device == Device::Joins {
            self.frames.push((frame.to_vec(), true));
            return;
        }
        for (index, segment) in frame[run.header_len..]
            .chunks(run.segment.into())
            .enumerate()
        {
            let offset = index * usize::from(run.segment);
            let cut = self.cut(&frame[..run.header_len], run, offset, segment);
            self.transmit(&cut);
        }
    }
}

fn field(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

impl Wire {
    /// The sum of the pseudo-header of so many octets of TCP, which the checksum field of a run is to hold.
    fn pseudo_header(&self, length: usize) -> Sum {
        Sum::pseudo_header(self.addresses[0], self.addresses[1], 6, length as u16)
    }

    /// One segment of a run: the lengths, the sequence number and the checksums are its own.
    fn cut(&self, headers: &[u8], run: &Run, offset: usize, payload: &[u8]) -> Vec<u8> {
        let mut frame = [headers, payload].concat();
        let tcp = run.transport;
        if run.ipv6 {
            let length = (frame.len() - tcp) as u16;
            frame[IP + 4..IP + 6].copy_from_slice(&length.to_be_bytes());
        } else {
            let total = (frame.len() - IP) as u16;
            frame[IP + 2..IP + 4].copy_from_slice(&total.to_be_bytes());
            frame[IP + 10..IP + 12].fill(0);
            let sum = checksum(&frame[IP..tcp]);
            frame[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
        }
        let sequence = u32::from_be_bytes([
            headers[tcp + 4],
            headers[tcp + 5],
            headers[tcp + 6],
            headers[tcp + 7],
        ]);
        let sequence = sequence.wrapping_add(offset as u32);
        frame[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
        frame[tcp + 16..tcp + 18].fill(0);
        let sum = self
            .pseudo_header(frame.len() - tcp)
            .add_slice(&frame[tcp..])
            .finish();
        frame[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
        frame
    }
}

/// Two stacks, the first of which has a device that offloads.
struct Pair {
    now: Instant,
    stacks: [Interface; 2],
    wires: [VecDeque<(Instant, Vec<u8>, bool)>; 2],
    out: Wire,
}

impl Pair {
    /// The device offloads IPv6 or not.
    fn new(device: Device, addresses: [IpAddr; 2], offload_v6: bool) -> Self {
        let start = Instant::from_nanos(0);
        let stacks = [0, 1].map(|index| {
            let mac = MacAddr([2, 0, 0, 0, 0, index as u8]);
            let mut config = InterfaceConfig::new(mac, MTU, [index as u8 + 1; 32]);
            config.offload = index == 0;
            config.offload_v6 = index == 0 && offload_v6;
            let mut stack = Interface::new(config);
            if addresses == V6 {
                stack.start_ipv6(start, &Ipv6::default().dad_transmits(0).accept_ra(false));
            }
            let address = Cidr::new(addresses[index], 24).expect("a prefix");
            assert!(stack.add_address(start, address));
            stack
        });
        let out = Wire {
            device,
            addresses,
            frames: Vec::new(),
            runs: 0,
            sent: 0,
        };
        Self {
            now: start,
            stacks,
            wires: Default::default(),
            out,
        }
    }

    /// Makes a call on one stack and sends what comes of it.
    fn call<R>(
        &mut self,
        index: usize,
        f: impl FnOnce(&mut Interface, Instant, &mut Wire) -> R,
    ) -> R {
        let result = f(&mut self.stacks[index], self.now, &mut self.out);
        let at = self.now + DELAY;
        let frames = self.out.frames.drain(..);
        self.wires[1 - index].extend(frames.map(|(frame, joined)| (at, frame, joined)));
        result
    }

    /// Does all that is due, then goes on to the next time at which something is.
    fn step(&mut self) {
        for index in [0, 1] {
            while self.call(index, |stack, now, out| stack.poll(now, 64, out)) {}
            while self.stacks[index].poll_event().is_some() {}
        }
        let timers = self
            .stacks
            .iter()
            .filter_map(|stack| stack.poll_at(self.now));
        let arrivals = self
            .wires
            .iter()
            .filter_map(|wire| wire.front().map(|(at, ..)| *at));
        let next = timers.chain(arrivals).min().expect("something is due");
        self.now = self.now.max(next);
        for index in [0, 1] {
            while let Some((at, ..)) = self.wires[index].front()
                && *at <= self.now
                && let Some((_, frame, joined)) = self.wires[index].pop_front()
            {
                let frame = Bytes::from(frame);
                self.call(index, |stack, now, out| {
                    stack.handle_received(now, frame, joined, out);
                });
            }
        }
    }

    fn connect(&mut self, options: &Options) -> (ConnectionId, ConnectionId) {
        let server = SocketAddr::new(self.out.addresses[1], 7);
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        let listener = self.stacks[1].listen(server, 8, Options::default());
        let listener = listener.expect("a free port");
        let client = self
            .call(0, |stack, now, _| stack.connect(now, any, server, options))
            .expect("a route");
        for _ in 0..100 {
            self.step();
            if let Some(accepted) = self.stacks[1].tcp().accept(listener).expect("listening") {
                return (client, accepted);
            }
        }
        panic!("no connection");
    }
}

/// Sends `octets` from the first stack to the second, over either IP version; the number of runs that it took of each.
fn transfer(device: Device, octets: usize) -> [usize; 2] {
    transfer_with(device, octets, &Options::default())
}

fn transfer_with(device: Device, octets: usize, options: &Options) -> [usize; 2] {
    [V4, V6].map(|addresses| {
        let pair = Pair::new(device, addresses, addresses == V6);
        transfer_between(pair, octets, options)
    })
}

fn transfer_between(mut pair: Pair, octets: usize, options: &Options) -> usize {
    let (client, server) = pair.connect(options);
    let data: Vec<u8> = (0..octets).map(|at| (at * 7 + at / 251) as u8).collect();
    let (mut queued, mut received) = (0, Vec::new());
    for _ in 0..200_000 {
        while queued < data.len() {
            let rest = &data[queued..];
            match pair.call(0, |stack, _, _| stack.tcp().send(client, rest)) {
                Poll::Ready(Ok(taken)) => queued += taken,
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => break,
            }
        }
        let now = pair.now;
        while let Poll::Ready(chunk) = pair.stacks[1].tcp().receive_bytes(now, server, usize::MAX) {
            received.extend_from_slice(&chunk.expect("the connection lives"));
        }
        if received.len() == data.len() {
            assert!(received == data, "other octets arrived than were sent");
            return pair.out.runs;
        }
        pair.step();
    }
    panic!("{} of {octets} octets after too many steps", received.len());
}

#[test]
fn a_run_is_cut_into_segments_with_right_checksums() {
    for runs in transfer(Device::Cuts, 3_000_000) {
        assert!(runs > 0, "no run was sent");
        assert!(
            runs < 3_000_000 / (4 * MTU),
            "{runs} runs: hardly longer than a segment"
        );
    }
}

#[test]
fn a_run_may_arrive_whole_and_without_a_checksum() {
    let runs = transfer(Device::Joins, 3_000_000);
    assert!(!runs.contains(&0), "no run was sent: {runs:?}");
}

#[test]
fn segments_of_a_run_are_lost_one_by_one_and_sent_again() {
    let runs = transfer(Device::Loses(41), 1_000_000);
    assert!(!runs.contains(&0), "no run was sent: {runs:?}");
}

#[test]
fn a_paced_connection_sends_runs_too_also_while_it_repairs_losses() {
    let mut options = Options::default();
    options.congestion = Some(congestion::bbr);
    for device in [Device::Cuts, Device::Loses(41)] {
        for runs in transfer_with(device, 3_000_000, &options) {
            assert!(runs > 0, "no run was sent");
            assert!(runs < 3_000_000 / (2 * MTU), "{runs} runs");
        }
    }
}

#[test]
fn a_device_that_cuts_ipv4_alone_is_given_no_run_of_ipv6() {
    let pair = Pair::new(Device::Cuts, V6, false);
    assert_eq!(transfer_between(pair, 1_000_000, &Options::default()), 0);
}
