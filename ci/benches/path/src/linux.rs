//! This machine's kernel at the bottleneck, in real time: its CUBIC and ours, both ways and side by side.
//! The bottleneck is in this process, between a TAP interface and two hosts of ours; all that carries
//! data shares it, whoever sends.

mod kernel;
mod wire;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use bench_common::{Options, Report, network};
use hostdev::Tap;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, Tcp, congestion};

use self::kernel::Kernel;
use crate::path::Flow;
use crate::path::flows::{Receiver, Senders};
use crate::sim::{ADDRESSES, Host, Packet, TcpHost};

const TAP: &str = "tap0";
const KERNEL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const PORT: u16 = 9;
/// 20 Mbit/s in octets a second.
const RATE: u64 = 2_500_000;
/// Each way; the queue is of one product of rate and round trip.
const DELAY: Duration = Duration::from_millis(20);
const QUEUE: Duration = Duration::from_millis(40);
/// Octets of a frame on a wire beside its IP packet, of a full segment there, and of that one's data.
const FRAMING: u64 = 38;
const WIRE: f64 = 1538.0;
const DATA: f64 = 1448.0;
/// The longest sleep: far less than a round trip.
const NAP: Duration = Duration::from_micros(200);

/// Cases by name, and how many flows we and the kernel have in them.
const CASES: [(&str, &str, usize, usize); 3] = [
    ("linux-one-20m-40ms-1bdp", "cubic", 1, 0),
    ("linux-one-20m-40ms-1bdp", "linux", 0, 1),
    ("linux-beside-20m-40ms-1bdp", "cubic", 8, 8),
];

/// Whose data a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Ours,
    Kernel,
}

/// Runs the cases that were asked for by name: they take real time, and root.
pub fn run(options: &Options, report: &mut Report) -> Result<()> {
    for (case, subject, ours, theirs) in CASES {
        if options.cases.is_empty() || !options.wants(case) || !options.wants_subject(subject) {
            continue;
        }
        for round in 0..options.rounds {
            let outcome = measure(ours, theirs, options.seconds, round as u8)?;
            let total = outcome.octets[0] + outcome.octets[1];
            let could = RATE as f64 * outcome.seconds;
            let utilisation = 100.0 * total as f64 * WIRE / DATA / could;
            report.add(case, subject, "utilisation_percent", utilisation);
            if ours > 0 {
                report.add(case, "cubic", "lost", outcome.lost[0] as f64);
            }
            if theirs > 0 {
                report.add(case, "linux", "lost", outcome.lost[1] as f64);
            }
            if ours > 0 && theirs > 0 {
                let share = 100.0 * outcome.octets[0] as f64 / total as f64;
                report.add(case, "cubic", "share_percent", share);
                report.add(case, "linux", "share_percent", 100.0 - share);
            }
        }
        eprintln!("{case} {subject}: done");
    }
    Ok(())
}

/// Of our flows and the kernel's: what arrived after the first third, and segments lost in all.
#[derive(Debug, Default)]
struct Outcome {
    octets: [u64; 2],
    lost: [u64; 2],
    seconds: f64,
}

fn measure(ours: usize, theirs: usize, seconds: u64, seed: u8) -> Result<Outcome> {
    network::enter_namespace()?;
    network::ip(&format!("tuntap add {TAP} mode tap"))?;
    network::ip(&format!("link set {TAP} address {} up", wire::mac(KERNEL)))?;
    network::ip(&format!("addr add {KERNEL}/24 dev {TAP}"))?;
    for address in ADDRESSES {
        let mac = wire::mac(address);
        network::ip(&format!("neigh add {address} lladdr {mac} dev {TAP}"))?;
    }
    let tap = Tap::open(TAP).map_err(|error| anyhow!("{TAP}: {error}"))?;
    let kernel = Kernel::default();
    let to = SocketAddrV4::new(ADDRESSES[1], PORT);
    thread::scope(|scope| {
        let listener = kernel.listen(SocketAddrV4::new(KERNEL, PORT))?;
        scope.spawn(|| kernel.receive(scope, listener));
        let mut path = Path::new(&tap, ours, seed)?;
        let senders: Vec<_> = (0..theirs)
            .map(|_| scope.spawn(|| kernel.send(to)))
            .collect();
        let all = Duration::from_secs(seconds);
        let mut before = [0; 2];
        let outcome = path.run(all / 3).and_then(|()| {
            before = path.octets(&kernel);
            path.run(all - all / 3)
        });
        let after = path.octets(&kernel);
        kernel.stop();
        outcome?;
        for sender in senders {
            sender.join().map_err(|_| anyhow!("a sender panicked"))??;
        }
        Ok(Outcome {
            octets: [after[0] - before[0], after[1] - before[1]],
            lost: path.lost,
            seconds: (all - all / 3).as_secs_f64(),
        })
    })
}

/// A packet by the time of its arrival, and in the order of sending.
type Arrival = Reverse<(Instant, usize)>;

/// The bottleneck and what is at its ends.
struct Path<'a> {
    tap: &'a Tap,
    senders: TcpHost<Senders>,
    receiver: TcpHost<Receiver>,
    start: std::time::Instant,
    arrivals: BinaryHeap<Arrival>,
    packets: Vec<Option<Packet>>,
    /// When the bottleneck is free again.
    free: Instant,
    lost: [u64; 2],
    out: Vec<Packet>,
}

impl<'a> Path<'a> {
    fn new(tap: &'a Tap, ours: usize, seed: u8) -> Result<Self> {
        let flow = |number| Flow {
            congestion: congestion::cubic,
            start: Duration::from_millis(20) * number as u32,
            requests: None,
        };
        let config = Config::default().memory(64 << 20);
        let options = netstack::proto::tcp::Options::default();
        let mut senders = Senders::new((0..ours).map(flow).collect(), options.clone());
        senders.remote = Some(SocketAddrV4::new(KERNEL, PORT));
        let mut tcp = Tcp::new(config.clone(), [100 + seed; 32]);
        let listener = tcp.listen(SocketAddrV4::new(ADDRESSES[1], PORT), 64, options);
        let mut receiver = Receiver::default();
        receiver.listener = Some(listener.map_err(|error| anyhow!("listen: {error}"))?);
        Ok(Self {
            tap,
            senders: TcpHost {
                tcp: Tcp::new(config, [seed; 32]),
                app: senders,
            },
            receiver: TcpHost { tcp, app: receiver },
            start: std::time::Instant::now(),
            arrivals: BinaryHeap::new(),
            packets: Vec::new(),
            free: Instant::default(),
            lost: [0; 2],
            out: Vec::new(),
        })
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(1_000_000_000) + self.start.elapsed()
    }

    /// Octets that have arrived of our flows and of the kernel's.
    fn octets(&self, kernel: &Kernel) -> [u64; 2] {
        let theirs = self.receiver.app.received.values().sum();
        [kernel.received(), theirs]
    }

    fn run(&mut self, time: Duration) -> Result<()> {
        let end = self.now() + time;
        let mut frame = [0; 2048];
        while self.now() < end {
            while let Some(length) = self.tap.read_frame(&mut frame)? {
                if let Some(packet) = wire::parse(&frame[..length]) {
                    self.put(Side::Kernel, packet);
                }
            }
            self.deliver()?;
            let now = self.now();
            let mut out = std::mem::take(&mut self.out);
            self.senders.run(now, &mut out);
            self.receiver.run(now, &mut out);
            for packet in out.drain(..) {
                self.put(Side::Ours, packet);
            }
            self.out = out;
            thread::sleep(NAP);
        }
        Ok(())
    }

    /// Puts a packet on its way: one with data waits for the bottleneck, or is lost there.
    fn put(&mut self, side: Side, packet: Packet) {
        let mut leaves = self.now();
        if wire::has_data(&packet.segment) {
            let free = self.free.max(leaves);
            if free - leaves > QUEUE {
                self.lost[side as usize] += 1;
                return;
            }
            let octets = packet.segment.len() as u64 + 20 + FRAMING;
            leaves = free + Duration::from_nanos(octets * 1_000_000_000 / RATE);
            self.free = leaves;
        }
        self.arrivals
            .push(Reverse((leaves + DELAY, self.packets.len())));
        self.packets.push(Some(packet));
    }

    fn deliver(&mut self) -> Result<()> {
        let now = self.now();
        while let Some(Reverse((time, number))) = self.arrivals.peek().copied()
            && time <= now
        {
            self.arrivals.pop();
            let Some(packet) = self.packets[number].take() else {
                continue;
            };
            match packet.destination {
                to if to == KERNEL => self.tap.write_frame(&wire::frame(&packet))?,
                to if to == ADDRESSES[0] => self.senders.handle(now, packet),
                _ => self.receiver.handle(now, packet),
            }
        }
        Ok(())
    }
}
