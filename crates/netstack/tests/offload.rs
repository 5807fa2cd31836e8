//! A device that cuts runs of TCP segments apart and joins segments that arrive: both halves done by
//! hand here, in virtual time.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use netstack::proto::checksum::{Sum, checksum};
use netstack::proto::interface::{HEADROOM, InterfaceConfig, Run, Transmit};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::{ConnectionId, Options, congestion};
use netstack::proto::{Instant, Interface};

const MTU: usize = 1500;
const IP: usize = 14;
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
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
        assert_eq!(
            checksum(&frame[IP..run.transport]),
            0,
            "checksum of the IPv4 header"
        );
        assert_eq!(field(frame, run.transport + 16), pseudo_header(frame, run));
        if self.device == Device::Joins {
            self.frames.push((frame.to_vec(), true));
            return;
        }
        for (index, segment) in frame[run.header_len..]
            .chunks(run.segment.into())
            .enumerate()
        {
            let cut = cut(
                &frame[..run.header_len],
                run,
                index * usize::from(run.segment),
                segment,
            );
            self.transmit(&cut);
        }
    }
}

fn field(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

/// The sum of the pseudo-header, which the checksum field of a run is to hold.
fn pseudo_header(frame: &[u8], run: &Run) -> u16 {
    let length = (frame.len() - run.transport) as u16;
    !Sum::pseudo_header(ADDRESSES[0], ADDRESSES[1], 6, length).finish()
}

/// One segment of a run: the lengths, the sequence number and the checksums are its own.
fn cut(headers: &[u8], run: &Run, offset: usize, payload: &[u8]) -> Vec<u8> {
    let mut frame = [headers, payload].concat();
    let total = (frame.len() - IP) as u16;
    frame[IP + 2..IP + 4].copy_from_slice(&total.to_be_bytes());
    frame[IP + 10..IP + 12].fill(0);
    let sum = checksum(&frame[IP..run.transport]);
    frame[IP + 10..IP + 12].copy_from_slice(&sum.to_be_bytes());
    let tcp = run.transport;
    let sequence = u32::from_be_bytes([
        headers[tcp + 4],
        headers[tcp + 5],
        headers[tcp + 6],
        headers[tcp + 7],
    ]);
    let sequence = sequence.wrapping_add(offset as u32);
    frame[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
    frame[tcp + 16..tcp + 18].fill(0);
    let length = (frame.len() - tcp) as u16;
    let sum = Sum::pseudo_header(ADDRESSES[0], ADDRESSES[1], 6, length)
        .add_slice(&frame[tcp..])
        .finish();
    frame[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Two stacks, the first of which has a device that offloads.
struct Pair {
    now: Instant,
    stacks: [Interface; 2],
    wires: [VecDeque<(Instant, Vec<u8>, bool)>; 2],
    out: Wire,
}

impl Pair {
    fn new(device: Device) -> Self {
        let stacks = [0, 1].map(|index| {
            let mac = MacAddr([2, 0, 0, 0, 0, index as u8]);
            let mut config = InterfaceConfig::new(mac, MTU, [index as u8 + 1; 32]);
            config.offload = index == 0;
            let mut stack = Interface::new(config);
            let address = Cidr::new(ADDRESSES[index], 24).expect("a prefix");
            stack.add_address(Instant::from_nanos(0), address);
            stack
        });
        let out = Wire {
            device,
            frames: Vec::new(),
            runs: 0,
            sent: 0,
        };
        Self {
            now: Instant::from_nanos(0),
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
        let server = SocketAddrV4::new(ADDRESSES[1], 7);
        let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let listener = self.stacks[1].tcp().listen(server, 8, Options::default());
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

/// Sends `octets` from the first stack to the second; the number of runs that it took.
fn transfer(device: Device, octets: usize) -> usize {
    transfer_with(device, octets, &Options::default())
}

fn transfer_with(device: Device, octets: usize, options: &Options) -> usize {
    let mut pair = Pair::new(device);
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
    let runs = transfer(Device::Cuts, 3_000_000);
    assert!(runs > 0, "no run was sent");
    assert!(
        runs < 3_000_000 / (4 * MTU),
        "{runs} runs: hardly longer than a segment"
    );
}

#[test]
fn a_run_may_arrive_whole_and_without_a_checksum() {
    assert!(transfer(Device::Joins, 3_000_000) > 0, "no run was sent");
}

#[test]
fn segments_of_a_run_are_lost_one_by_one_and_sent_again() {
    assert!(
        transfer(Device::Loses(41), 1_000_000) > 0,
        "no run was sent"
    );
}

#[test]
fn a_paced_connection_sends_runs_too_also_while_it_repairs_losses() {
    let mut options = Options::default();
    options.congestion = Some(congestion::bbr);
    for device in [Device::Cuts, Device::Loses(41)] {
        let runs = transfer_with(device, 3_000_000, &options);
        assert!(runs > 0, "no run was sent");
        assert!(runs < 3_000_000 / (2 * MTU), "{runs} runs");
    }
}
