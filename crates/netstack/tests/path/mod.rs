//! Flows over a bottleneck in virtual time, and what became of them: a rate, a drop-tail queue, and a
//! delay on either side of it.
#![allow(dead_code, unreachable_pub)] // Each program uses a part.

pub mod flows;

use core::net::SocketAddrV4;
use core::time::Duration;

use netstack::proto::tcp::congestion::MakeController;
use netstack::proto::tcp::{Config, Options, Tcp};

use self::flows::{Receiver, Senders};
use crate::sim::{ADDRESSES, Link, Network, TcpHost};

const PORT: u16 = 9;
const MBIT: u64 = 125_000;
const TICK: Duration = Duration::from_millis(5);
/// Octets of a full segment on the wire, and of its data.
const WIRE: u64 = 1538;
const DATA: u64 = 1448;

/// What one connection sends.
#[derive(Clone, Debug)]
pub struct Flow {
    pub congestion: MakeController,
    /// When it begins.
    pub start: Duration,
    /// How much, again and again, with a pause after all of it is acknowledged; without, as much as
    /// goes.
    pub requests: Option<(u64, Duration)>,
}

/// A path, and the flows over it.
#[derive(Clone, Debug)]
pub struct Case {
    pub flows: Vec<Flow>,
    pub rate: u64,
    pub rtt: Duration,
    /// How long the queue is when it is full.
    pub queue: Duration,
    /// So many segments in a million are late by up to a round trip.
    pub late: u32,
    /// So many segments in a million are lost at random.
    pub loss: u32,
    /// Acknowledgements come together, at multiples of this.
    pub gather: Option<Duration>,
    pub options: Options,
    pub memory: usize,
    pub time: Duration,
    /// What comes before is not measured.
    pub warm_up: Duration,
}

/// What became of a case.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Of the link, in percent.
    pub utilisation: f64,
    /// Segments sent again, in percent of those sent; and those of which none was lost.
    pub retransmitted: f64,
    pub spurious: f64,
    /// Mean wait at the bottleneck.
    pub queue_ms: f64,
    /// Jain's index of the flows.
    pub jain: f64,
    /// What each flow has of the whole, in percent.
    pub shares: Vec<f64>,
    /// Until nine tenths of the link are used, if they ever were.
    pub seconds_to_90: Option<f64>,
    /// Until the first ten megabytes were there.
    pub seconds_to_10_mb: Option<f64>,
    /// Segments with data that were lost, in all.
    pub lost: u64,
    /// Segments that were sent at one time, at most.
    pub burst: u32,
    /// Time-outs of the senders.
    pub timeouts: u64,
}

impl Case {
    /// `count` flows of one kind, a tenth of a second apart, over so many Mbit/s with a round trip of so
    /// many milliseconds and a queue of so many percent of their product. No window but the congestion
    /// window limits them.
    pub fn new(congestion: MakeController, count: u32, mbit: u64, rtt: u64, queue: u64) -> Self {
        let buffer = 64 << 20;
        let flow = |number| Flow {
            congestion,
            start: Duration::from_millis(100) * number,
            requests: None,
        };
        Self {
            flows: (0..count).map(flow).collect(),
            rate: mbit * MBIT,
            rtt: Duration::from_millis(rtt),
            queue: Duration::from_micros(rtt * queue * 10),
            late: 0,
            loss: 0,
            gather: None,
            options: Options::default()
                .send_buffer(buffer)
                .receive_buffer(buffer)
                .max_receive_buffer(buffer),
            memory: 1 << 30,
            time: Duration::from_secs(30),
            warm_up: Duration::ZERO,
        }
    }

    /// Runs it, with chance from `seed`.
    pub fn run(&self, seed: u64) -> Outcome {
        let mut network = self.network(seed);
        let mut outcome = Outcome::default();
        let (mut waits, mut samples) = (0.0, 0_u32);
        let mut before = Sums::default();
        let (start, mut recent) = (network.now, std::collections::VecDeque::new());
        // A round trip that begins and ends within two of them.
        let window = (2 * self.rtt).max(Duration::from_millis(100));
        while network.now - start < self.time {
            network.run_for(TICK);
            let elapsed = network.now - start;
            let total: u64 = network.b.app.received.values().sum();
            recent.push_back((elapsed, total));
            while elapsed - recent[0].0 > window {
                recent.pop_front();
            }
            let got = (total - recent[0].1) * WIRE / DATA;
            let could = self.rate as f64 * (elapsed - recent[0].0).as_secs_f64();
            if elapsed > window && got as f64 >= 0.9 * could {
                outcome.seconds_to_90.get_or_insert(elapsed.as_secs_f64());
            }
            if total >= 10_000_000 {
                outcome
                    .seconds_to_10_mb
                    .get_or_insert(elapsed.as_secs_f64());
            }
            if elapsed <= self.warm_up {
                before = self.sums(&network);
                network.largest_burst = [0; 2];
            } else {
                waits += network.waits(0).as_secs_f64();
                samples += 1;
            }
        }
        before.received.resize(self.flows.len(), 0);
        outcome.queue_ms = 1000.0 * waits / f64::from(samples.max(1));
        self.judge(&network, &before, &mut outcome);
        outcome
    }

    fn judge(&self, network: &Path, before: &Sums, outcome: &mut Outcome) {
        let after = self.sums(network);
        let got = after.received.iter().zip(&before.received);
        let got: Vec<f64> = got.map(|(after, before)| (after - before) as f64).collect();
        let total: f64 = got.iter().sum();
        let could = self.rate as f64 * (self.time - self.warm_up).as_secs_f64();
        outcome.utilisation = 100.0 * total * WIRE as f64 / DATA as f64 / could;
        let squares: f64 = got.iter().map(|got| got * got).sum();
        outcome.jain = total * total / (got.len() as f64 * squares);
        outcome.shares = got.iter().map(|got| 100.0 * got / total).collect();
        let sent = (after.sent - before.sent) as f64;
        let again = after.again - before.again;
        outcome.lost = after.lost - before.lost;
        outcome.retransmitted = 100.0 * again as f64 / sent;
        outcome.spurious = 100.0 * again.saturating_sub(outcome.lost) as f64 / sent;
        outcome.burst = network.largest_burst[0];
        outcome.timeouts = after.timeouts - before.timeouts;
    }

    fn sums(&self, network: &Path) -> Sums {
        let counters = network.a.tcp.counters();
        Sums {
            received: self.received(network),
            sent: counters.out_segs + counters.retrans_segs,
            again: counters.retrans_segs,
            lost: network.lost[0],
            timeouts: counters.timeouts,
        }
    }

    /// Octets that have arrived of each flow.
    fn received(&self, network: &Path) -> Vec<u64> {
        let (senders, receiver) = (&network.a.app, &network.b.app);
        let ports = senders.ports.iter();
        let mut octets: Vec<u64> = ports
            .map(|port| receiver.received.get(port).copied().unwrap_or(0))
            .collect();
        octets.resize(self.flows.len(), 0);
        octets
    }

    fn network(&self, seed: u64) -> Path {
        let config = Config::default().memory(self.memory);
        let mut sender = TcpHost {
            tcp: Tcp::new(config.clone(), [seed as u8; 32]),
            app: Senders::new(self.flows.clone(), self.options.clone()),
        };
        let mut receiver = TcpHost {
            tcp: Tcp::new(config, [100 + seed as u8; 32]),
            app: Receiver::default(),
        };
        let address = SocketAddrV4::new(ADDRESSES[1], PORT);
        let listener = receiver.tcp.listen(address, 64, self.options.clone());
        receiver.app.listener = listener.ok();
        sender.app.remote = Some(address);
        let link = Link {
            delay: self.rtt / 2,
            // Far less than a segment takes: it keeps flows from marching in step.
            jitter: Duration::from_nanos(WIRE * 1_000_000_000 / self.rate / 8),
            rate: Some(self.rate),
            queue: self.queue,
            loss: self.loss,
            late: self.late,
            lateness: self.rtt,
            ..Link::default()
        };
        let mut network = Network::new(sender, receiver, link, seed);
        network.links[1] = Link {
            delay: self.rtt / 2,
            gather: self.gather,
            ..Link::default()
        };
        network
    }
}

/// What there was until now.
#[derive(Default)]
struct Sums {
    received: Vec<u64>,
    sent: u64,
    again: u64,
    lost: u64,
    timeouts: u64,
}

type Path = Network<TcpHost<Senders>, TcpHost<Receiver>>;
