//! Senders over a bottleneck, in virtual time: what congestion control makes of a link.

mod sim;

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use netstack::proto::Instant;
use netstack::proto::tcp::congestion::{self, MakeController};
use netstack::proto::tcp::{Config, ConnectionId, ListenerId, Options, Tcp};
use sim::{ADDRESSES, App, Link, Network, TcpHost};

const MS: fn(u64) -> Duration = Duration::from_millis;
const PORT: u16 = 9;
/// Large enough that no window but the congestion window limits the links below.
const BUFFER: usize = 8 << 20;
const MBIT: u64 = 125_000;

fn options(congestion: Option<MakeController>) -> Options {
    let mut options = Options::default();
    options.congestion = congestion;
    options.send_buffer = BUFFER;
    options.receive_buffer = BUFFER;
    options.max_receive_buffer = BUFFER;
    options
}

/// One that sends for ever, over one connection or several.
#[derive(Default)]
struct Senders {
    /// Asks for ECN.
    ecn: bool,
    /// What each connection's controller is, and when it starts.
    flows: Vec<(MakeController, Duration)>,
    ids: Vec<ConnectionId>,
    start: Option<Instant>,
    /// Octets to send at once, and how often; without, as much as goes.
    bursts: Option<(usize, Duration)>,
    /// When the last burst began, and the next one is to.
    burst: Instant,
    next: Option<Instant>,
}

impl App for Senders {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        let start = *self.start.get_or_insert(now);
        while let Some(&(congestion, after)) = self.flows.get(self.ids.len())
            && now >= start + after
        {
            let local = SocketAddrV4::new(ADDRESSES[0], 0);
            let remote = SocketAddrV4::new(ADDRESSES[1], PORT);
            let mut options = options(Some(congestion));
            options.ecn = self.ecn;
            let id = tcp.connect(now, local, remote, &options);
            self.ids.push(id.expect("a port is free"));
        }
        match self.bursts {
            None => {
                for id in &self.ids {
                    while let Poll::Ready(Ok(_)) = tcp.send(*id, &[0x5a; 16 << 10]) {}
                }
            }
            Some((octets, interval)) => {
                if self.next.is_none_or(|next| now >= next) {
                    self.burst = now;
                    self.next = Some(now + interval);
                    let sent = tcp.send(self.ids[0], &vec![0x5a; octets]);
                    assert!(matches!(sent, Poll::Ready(Ok(sent)) if sent == octets));
                }
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let start = self.flows.get(self.ids.len()).map(|(_, after)| *after);
        self.next
            .into_iter()
            .chain(start.and_then(|after| Some(self.start? + after)))
            .min()
    }
}

/// Reads all that comes.
#[derive(Default)]
struct Receiver {
    listener: Option<ListenerId>,
    ids: Vec<ConnectionId>,
    /// By connection, in the order of their acceptance.
    received: Vec<u64>,
    /// When something last came.
    last: Instant,
}

impl App for Receiver {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        while let Some(listener) = self.listener
            && let Ok(Some(id)) = tcp.accept(listener)
        {
            self.ids.push(id);
            self.received.push(0);
        }
        for (id, received) in self.ids.iter().zip(&mut self.received) {
            while let Poll::Ready(Ok(chunk)) = tcp.receive_bytes(now, *id, usize::MAX)
                && !chunk.is_empty()
            {
                *received += chunk.len() as u64;
                self.last = now;
            }
        }
    }
}

type Path = Network<TcpHost<Senders>, TcpHost<Receiver>>;

fn path(flows: &[(MakeController, Duration)], link: Link, seed: u64) -> Path {
    let mut config = Config::default();
    config.memory = Some(64 << 20);
    let sender = TcpHost {
        tcp: Tcp::new(config.clone(), [seed as u8; 32]),
        app: Senders {
            flows: flows.to_vec(),
            ..Senders::default()
        },
    };
    let mut receiver = TcpHost {
        tcp: Tcp::new(config, [100 + seed as u8; 32]),
        app: Receiver::default(),
    };
    let address = SocketAddrV4::new(ADDRESSES[1], PORT);
    let mut options = options(None);
    options.ecn = true;
    let listener = receiver.tcp.listen(address, 4, options);
    receiver.app.listener = listener.ok();
    // What goes back is not limited by the rate.
    let back = Link {
        rate: None,
        loss: 0,
        ..link.clone()
    };
    let mut network = Network::new(sender, receiver, link, seed);
    network.links[1] = back;
    network
}

/// Octets that each flow got through in `seconds` after the first `warm_up`.
fn run(network: &mut Path, warm_up: u64, seconds: u64) -> Vec<u64> {
    network.run_for(MS(1000 * warm_up));
    let before = network.b.app.received.clone();
    network.run_for(MS(1000 * seconds));
    let after = network.b.app.received.iter().enumerate();
    after
        .map(|(flow, after)| after - before.get(flow).copied().unwrap_or(0))
        .collect()
}

/// 100 Mbit/s, 40 ms there and back, a buffer of one bandwidth-delay product.
fn fast_link(loss: u32) -> Link {
    Link {
        delay: MS(20),
        rate: Some(100 * MBIT),
        queue: MS(40),
        loss,
        ..Link::default()
    }
}

/// What a flow gets of 100 Mbit/s in ten seconds from its start on, in percent: the mean of seeds.
fn share(congestion: MakeController, loss: u32) -> u64 {
    const SEEDS: u64 = 4;
    let octets = (0..SEEDS).map(|seed| {
        let mut network = path(&[(congestion, MS(0))], fast_link(loss), seed);
        run(&mut network, 0, 10)[0]
    });
    octets.sum::<u64>() / (10 * MBIT * SEEDS)
}

/// A threshold for paths that are known to lose much.
fn tolerant(parameters: &congestion::Parameters) -> Box<dyn congestion::Controller> {
    Box::new(congestion::Bbr::with_loss_thresh(parameters, 10))
}

#[test]
fn bbr_fills_a_link_that_loses_one_percent() {
    let (bbr, cubic) = (
        share(congestion::bbr, 10_000),
        share(congestion::cubic, 10_000),
    );
    assert!(bbr >= 60, "{bbr} %");
    assert!(cubic < 10, "{cubic} %: then the test says nothing");
}

/// The draft's threshold of 2 % is passed: BBR takes such loss for congestion, in part.
#[test]
fn bbr_gets_several_times_cubics_share_of_a_link_that_loses_five_percent() {
    let (bbr, cubic) = (
        share(congestion::bbr, 50_000),
        share(congestion::cubic, 50_000),
    );
    assert!(bbr >= 5 * cubic && bbr >= 8, "{bbr} % and {cubic} %");
}

#[test]
fn with_a_threshold_of_ten_percent_bbr_fills_a_link_that_loses_five() {
    let bbr = share(tolerant, 50_000);
    assert!(bbr >= 60, "{bbr} %");
}

#[test]
fn without_loss_bbr_and_cubic_fill_the_link() {
    for congestion in [congestion::bbr, congestion::cubic, tolerant] {
        let share = share(congestion, 0);
        assert!(share >= 80, "{share} %");
    }
}

/// 10 Mbit/s, 40 ms there and back. The jitter is far less than a segment takes, and keeps the flows
/// from marching in step.
fn slow_link(queue: Duration) -> Link {
    Link {
        delay: MS(20),
        jitter: Duration::from_micros(100),
        rate: Some(10 * MBIT),
        queue,
        ..Link::default()
    }
}

/// The mean wait in the queue of the bottleneck, and the flow's share in percent.
fn queue_of(congestion: MakeController) -> (Duration, u64) {
    const SAMPLES: u32 = 2000;
    let mut network = path(&[(congestion, MS(0))], slow_link(MS(100)), 1);
    network.run_for(MS(3000));
    let before = network.b.app.received[0];
    let mut waits = Duration::ZERO;
    for _ in 0..SAMPLES {
        network.run_for(MS(10));
        waits += network.waits(0);
    }
    let received = network.b.app.received[0] - before;
    (waits / SAMPLES, received / (20 * 10 * MBIT / 100))
}

#[test]
fn bbr_keeps_the_queue_short_and_the_link_busy() {
    let (bbr, share) = queue_of(congestion::bbr);
    let (cubic, _) = queue_of(congestion::cubic);
    assert!(bbr < cubic / 5, "{bbr:?} and {cubic:?}");
    assert!(share >= 85, "{share} %");
}

#[test]
fn bbr_and_cubic_share_a_bottleneck_and_neither_starves() {
    for flows in [
        [
            (congestion::bbr as MakeController, MS(0)),
            (congestion::cubic, MS(500)),
        ],
        [(congestion::cubic, MS(0)), (congestion::bbr, MS(500))],
        [(congestion::bbr, MS(0)), (congestion::bbr, MS(500))],
    ] {
        for seed in 0..3 {
            let mut network = path(&flows, slow_link(MS(40)), seed);
            let got = run(&mut network, 5, 40);
            let total: u64 = got.iter().sum();
            assert!(total >= 40 * 10 * MBIT * 85 / 100, "{got:?}");
            for octets in &got {
                assert!(octets * 100 / total >= 25, "{got:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn bbr_10_11_a_flow_with_pauses_keeps_its_estimate() {
    for (congestion, keeps) in [
        (congestion::bbr as MakeController, true),
        (congestion::cubic, false),
    ] {
        let mut network = path(&[(congestion, MS(0))], fast_link(0), 1);
        // A megabyte takes 85 ms at 100 Mbit/s, and then 20 ms to arrive; from the initial window on
        // it takes six round trips.
        network.a.app.bursts = Some((1_000_000, MS(2000)));
        network.run_for(MS(30_500));
        let took = network.b.app.last - network.a.app.burst;
        assert_eq!(network.b.app.received[0], 16_000_000);
        assert_eq!(took < MS(150), keeps, "{took:?}");
    }
}

#[test]
fn bbr_5_6_3_what_leaves_at_once_is_a_quantum() {
    let mut network = path(&[(congestion::bbr, MS(0))], slow_link(MS(100)), 1);
    network.run_for(MS(3000));
    network.trace = Some(Vec::new());
    network.run_for(MS(5000));
    let trace = network.trace.take().unwrap_or_default();
    let (mut times, mut largest, mut at_once) = (0, 0, 0);
    let mut last = None;
    for (now, link, packet) in trace {
        if link != 0 || packet.segment.len() < 1000 {
            continue;
        }
        at_once = if last == Some(now) { at_once + 1 } else { 1 };
        times += u64::from(last != Some(now));
        last = Some(now);
        largest = largest.max(at_once);
    }
    // A millisecond is less than the two segments that a quantum is at least.
    assert_eq!(largest, 2);
    assert!(times > 1000, "{times}");
}

#[test]
fn bbr_10_15_and_10_16_follows_a_link_that_becomes_ten_times_as_fast_or_as_slow() {
    for (from, to) in [(10, 100), (100, 10)] {
        let mut link = fast_link(0);
        link.rate = Some(from * MBIT);
        let mut network = path(&[(congestion::bbr, MS(0))], link, 1);
        network.run_for(MS(5000));
        network.links[0].rate = Some(to * MBIT);
        network.run_for(MS(20_000));
        let got = run(&mut network, 0, 10)[0] / (10 * to * MBIT / 100);
        assert!(got >= 75, "{got} % of {to} Mbit/s");
        assert!(network.waits(0) < MS(40));
    }
}

#[test]
fn bbr_3_6_heeds_marks_and_fills_the_link() {
    let mut link = slow_link(MS(1000));
    link.mark = Some(MS(10));
    let mut network = path(&[(congestion::bbr, MS(0))], link, 1);
    network.a.app.ecn = true;
    let got = run(&mut network, 5, 20)[0] / (20 * 10 * MBIT / 100);
    assert!(network.b.tcp.counters().ecn_ce > 0);
    assert!(got >= 75, "{got} %");
}
