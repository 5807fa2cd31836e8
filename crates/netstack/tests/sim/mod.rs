//! A network of two hosts in virtual time: each packet's fate comes from a seed, so that every run
//! can be repeated.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::{Ecn, IpMeta, Tcp, TxMeta, TxSink};

/// Addresses of the two hosts.
pub const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

/// An address of IPv4 as such.
pub fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => panic!("{address}: expected one of IPv4"),
    }
}

/// A small, fast generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// True `millionths` times in a million.
    pub fn chance(&mut self, millionths: u32) -> bool {
        millionths > 0 && self.below(1_000_000) < u64::from(millionths)
    }
}

/// A TCP segment on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ecn: Ecn,
    pub dont_fragment: bool,
    pub segment: Bytes,
}

/// What happens to the packets of one direction. Probabilities are in millionths.
#[derive(Clone, Debug, Default)]
pub struct Link {
    pub delay: Duration,
    /// Each packet takes up to this much longer; packets may overtake one another.
    pub jitter: Duration,
    pub loss: u32,
    pub duplicate: u32,
    pub corrupt: u32,
    /// A reordered packet takes one more delay.
    pub reorder: u32,
    /// A late packet takes up to [`Link::lateness`] longer.
    pub late: u32,
    pub lateness: Duration,
    /// Packets arrive together, at multiples of this.
    pub gather: Option<Duration>,
    /// Octets in each second; `None` for no limit.
    pub rate: Option<u64>,
    /// Time that packets may wait for the rate; what would wait longer is dropped.
    pub queue: Duration,
    /// Packets that wait longer than this are marked (RFC 3168) if they can be.
    pub mark: Option<Duration>,
    /// Larger IP datagrams are dropped.
    pub mtu: Option<usize>,
}

/// One end of the network.
pub trait Host {
    /// A packet arrives.
    fn handle(&mut self, now: Instant, packet: Packet);
    /// Timers and application run; what is sent goes to `out`.
    fn run(&mut self, now: Instant, out: &mut Vec<Packet>);
    /// When `run` is to be called next at the latest.
    fn next(&self) -> Option<Instant>;
}

/// An application over one engine.
pub trait App {
    /// Does what it can do.
    fn poll(&mut self, now: Instant, tcp: &mut Tcp);
    /// When it wants to be called next, if the network does not call it before.
    fn next(&self) -> Option<Instant> {
        None
    }
}

/// An engine with an application.
pub struct TcpHost<A> {
    pub tcp: Tcp,
    pub app: A,
}

/// Collects segments as packets.
pub struct Collect<'a> {
    pub out: &'a mut Vec<Packet>,
    buffer: Vec<u8>,
    meta: Option<TxMeta>,
}

impl<'a> Collect<'a> {
    pub fn new(out: &'a mut Vec<Packet>) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            meta: None,
        }
    }
}

impl TxSink for Collect<'_> {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.meta = Some(*meta);
        self.buffer = vec![0xee; meta.len];
        Some(&mut self.buffer)
    }

    fn commit(&mut self) {
        let meta = self.meta.take().expect("commit without reserve");
        self.out.push(Packet {
            source: meta.source(),
            destination: meta.destination(),
            ecn: meta.ecn,
            dont_fragment: meta.dont_fragment,
            segment: core::mem::take(&mut self.buffer).into(),
        });
    }
}

impl<A: App> Host for TcpHost<A> {
    fn handle(&mut self, now: Instant, packet: Packet) {
        let ip = IpMeta {
            source: packet.source,
            destination: packet.destination,
            ecn: packet.ecn,
            checksummed: false,
        };
        self.tcp.handle_segment(now, &ip, packet.segment);
    }

    fn run(&mut self, now: Instant, out: &mut Vec<Packet>) {
        self.tcp.handle_timeout(now);
        while self.tcp.poll_event().is_some() {}
        self.app.poll(now, &mut self.tcp);
        self.tcp.poll_transmit(now, &mut Collect::new(out), 10_000);
    }

    fn next(&self) -> Option<Instant> {
        match (self.tcp.next_timeout(), self.app.next()) {
            (Some(timer), Some(app)) => Some(timer.min(app)),
            (timer, app) => timer.or(app),
        }
    }
}

/// Packets by arrival: time, order of sending, destination.
type Arrival = Reverse<(Instant, u64, usize)>;

/// Two hosts and the links between them.
pub struct Network<A, B> {
    pub now: Instant,
    pub a: A,
    pub b: B,
    /// From a to b, and from b to a.
    pub links: [Link; 2],
    pub random: Random,
    arrivals: BinaryHeap<Arrival>,
    packets: std::collections::HashMap<u64, Packet>,
    sent: u64,
    /// When each link is free again.
    free: [Instant; 2],
    out: Vec<Packet>,
    /// Segments with data that each link has lost, and how many it was given at one time at most.
    pub lost: [u64; 2],
    pub largest_burst: [u32; 2],
    bursts: [(Instant, u32); 2],
    /// Every packet that was sent, if it is to be kept.
    pub trace: Option<Vec<(Instant, usize, Packet)>>,
}

impl<A: Host, B: Host> Network<A, B> {
    pub fn new(a: A, b: B, link: Link, seed: u64) -> Self {
        Self {
            now: Instant::from_nanos(1_000_000_000),
            a,
            b,
            links: [link.clone(), link],
            random: Random::new(seed),
            arrivals: BinaryHeap::new(),
            packets: std::collections::HashMap::new(),
            sent: 0,
            free: [Instant::default(); 2],
            out: Vec::new(),
            lost: [0; 2],
            largest_burst: [0; 2],
            bursts: [(Instant::default(), 0); 2],
            trace: None,
        }
    }

    /// Lets both hosts run now.
    pub fn run_hosts(&mut self) {
        let mut out = core::mem::take(&mut self.out);
        self.a.run(self.now, &mut out);
        for packet in out.drain(..) {
            self.send(0, packet);
        }
        self.b.run(self.now, &mut out);
        for packet in out.drain(..) {
            self.send(1, packet);
        }
        self.out = out;
    }

    /// Goes on to the next thing that happens; false when nothing will, or not before `end`.
    pub fn step(&mut self, end: Instant) -> bool {
        let arrival = self.arrivals.peek().map(|Reverse((time, ..))| *time);
        let next = [arrival, self.a.next(), self.b.next()]
            .into_iter()
            .flatten()
            .min();
        let Some(next) = next.filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        let mut touched = [false; 2];
        while let Some(Reverse((time, number, to))) = self.arrivals.peek().copied()
            && time <= self.now
        {
            self.arrivals.pop();
            let packet = self
                .packets
                .remove(&number)
                .expect("each arrival has its packet");
            touched[to] = true;
            if to == 0 {
                self.a.handle(self.now, packet)
            } else {
                self.b.handle(self.now, packet)
            }
        }
        let due = |next: Option<Instant>| next.is_some_and(|next| next <= self.now);
        let (run_a, run_b) = (
            touched[0] || due(self.a.next()),
            touched[1] || due(self.b.next()),
        );
        let mut out = core::mem::take(&mut self.out);
        if run_a {
            self.a.run(self.now, &mut out);
            for packet in out.drain(..) {
                self.send(0, packet);
            }
        }
        if run_b {
            self.b.run(self.now, &mut out);
            for packet in out.drain(..) {
                self.send(1, packet);
            }
        }
        self.out = out;
        true
    }

    /// Runs until `done`, nothing happens any more, or `limit` has passed; true when done.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        self.run_hosts();
        // Bounded also where time does not go on.
        for _ in 0..50_000_000_u64 {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                break;
            }
        }
        done(self)
    }

    /// Runs for `time`.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(time, |_| false);
        self.now = end;
    }

    /// Puts a packet on a link.
    pub fn send(&mut self, link_index: usize, mut packet: Packet) {
        if let Some(trace) = &mut self.trace {
            trace.push((self.now, link_index, packet.clone()));
        }
        let link = self.links[link_index].clone();
        let octets = packet.segment.len() + 20;
        let data = u64::from(has_data(&packet));
        self.note_burst(link_index, data as u32);
        if link
            .mtu
            .is_some_and(|mtu| octets > mtu && packet.dont_fragment)
            || self.random.chance(link.loss)
        {
            self.lost[link_index] += data;
            return;
        }
        let mut leaves = self.now;
        if let Some(rate) = link.rate {
            leaves = leaves.max(self.free[link_index]);
            let waits = leaves - self.now;
            if waits > link.queue {
                self.lost[link_index] += data;
                return;
            }
            if link.mark.is_some_and(|mark| waits > mark) && packet.ecn != Ecn::NotEct {
                packet.ecn = Ecn::Ce;
            }
            leaves += Duration::from_nanos((octets as u64 + 38) * 1_000_000_000 / rate);
            self.free[link_index] = leaves;
        }
        let copies = 1 + u32::from(self.random.chance(link.duplicate));
        for _ in 0..copies {
            let mut packet = packet.clone();
            if self.random.chance(link.corrupt) && !packet.segment.is_empty() {
                let mut octets = packet.segment.to_vec();
                let at = self.random.below(octets.len() as u64) as usize;
                octets[at] ^= 1 << self.random.below(8);
                packet.segment = octets.into();
            }
            let jitter = Duration::from_nanos(self.random.below(link.jitter.as_nanos() as u64 + 1));
            let late = if self.random.chance(link.reorder) {
                link.delay
            } else {
                Duration::ZERO
            };
            let mut arrival = leaves + link.delay + jitter + late;
            if self.random.chance(link.late) {
                arrival +=
                    Duration::from_nanos(self.random.below(link.lateness.as_nanos() as u64 + 1));
            }
            if let Some(gather) = link.gather {
                let gather = gather.as_nanos() as u64;
                arrival = Instant::from_nanos(arrival.as_nanos().div_ceil(gather) * gather);
            }
            self.sent += 1;
            self.packets.insert(self.sent, packet);
            self.arrivals
                .push(Reverse((arrival, self.sent, 1 - link_index)));
        }
    }

    /// Counts the segments with data that are put on a link at one time.
    fn note_burst(&mut self, link_index: usize, data: u32) {
        let (time, count) = &mut self.bursts[link_index];
        if *time != self.now {
            (*time, *count) = (self.now, 0);
        }
        *count += data;
        self.largest_burst[link_index] = self.largest_burst[link_index].max(*count);
    }

    /// How long a packet that is put on a link now waits for those before it.
    pub fn waits(&self, link_index: usize) -> Duration {
        self.free[link_index] - self.now
    }

    /// Packets on their way.
    pub fn in_flight(&self) -> usize {
        self.arrivals.len()
    }
}

/// Whether a segment has more than its header.
fn has_data(packet: &Packet) -> bool {
    let header = packet.segment.get(12).map_or(0, |octet| octet >> 4);
    packet.segment.len() > 4 * usize::from(header)
}
