//! A peer that takes part in the handshake and lies from then on, at random and from seeds: about what it has got,
//! in which order and how often, about times, marks and its window. Nothing overflows, what is held is what was charged,
//! and nothing leaves that no window has let go.

mod wire;

use core::task::Poll;

use netstack::proto::tcp::congestion::{self, MakeController};
use netstack::proto::tcp::{Config, Ecn, State};
use wire::*;

const SCALE: u8 = 6;
const STEPS: usize = 1500;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(bound.max(1))) as u32
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }
}

struct Liar {
    c: Conn,
    random: Random,
    sack: bool,
    /// The number after the last that has arrived.
    nxt: u32,
    /// The furthest that a window has let go.
    edge: u32,
    window: u16,
    /// The first and the last timestamp that has arrived, and its own.
    first: u32,
    last: u32,
    clock: u32,
}

impl Liar {
    fn new(seed: u64, controller: MakeController) -> Self {
        let mut random = Random(seed);
        let (sack, timestamps) = (!random.one_in(4), random.one_in(2));
        let mut options = plain().paced(random.one_in(2)).ecn(random.one_in(2));
        options.congestion = Some(controller);
        let mut syn = seg(SYN | ECE | CWR, IRS, 0).mss(1012).scale(SCALE);
        syn.sack_permitted = sack;
        syn.timestamps = timestamps.then_some((100, 0));
        let rtt = ms([0, 1, 8, 100][random.below(4) as usize]);
        let mut c = Conn::accept_after(rtt, Config::default(), options, &syn);
        let echo = c.syn_ack.timestamps.map_or(0, |(val, _)| val);
        let nxt = c.ack;
        // The window of the handshake's last segment.
        let edge = nxt.wrapping_add(65_000 << SCALE);
        c.e.send(c.id, &[0; 30_000]);
        let mut liar = Self {
            c,
            random,
            sack,
            nxt,
            edge,
            window: 65_000,
            first: echo,
            last: echo,
            clock: 100,
        };
        liar.take_sent();
        liar
    }

    fn take_sent(&mut self) {
        for segment in self.c.e.sent() {
            self.take(&segment);
        }
    }

    #[track_caller]
    fn take(&mut self, segment: &Seg) {
        let fin = u32::from(segment.has(FIN));
        let end = segment.seq.wrapping_add(segment.payload.len() as u32 + fin);
        if end.wrapping_sub(self.nxt) as i32 > 0 {
            self.nxt = end;
        }
        // A window probe is one octet beyond.
        let beyond = end.wrapping_sub(self.edge) as i32;
        assert!(beyond <= 1, "{beyond} octets beyond the window");
        if let Some((val, _)) = segment.timestamps {
            self.last = val;
        }
    }

    /// Octets in flight, as far as it has said.
    fn in_flight(&self) -> u32 {
        self.nxt.wrapping_sub(self.c.ack)
    }

    /// A number from what is in flight: often at the edge of a segment.
    fn place(&mut self) -> u32 {
        let octets = self.random.below(self.in_flight() + 1);
        let octets = if self.random.one_in(4) {
            octets
        } else {
            octets / 1000 * 1000
        };
        self.c.ack.wrapping_add(octets)
    }

    fn block(&mut self) -> (u32, u32) {
        let (start, end) = (self.place(), self.place());
        match self.random.below(12) {
            // Of what was acknowledged, for nothing, and the wrong way round.
            0 => (start.wrapping_sub(20_000), end.wrapping_sub(20_000)),
            1 => (start.wrapping_sub(1 << 31), end),
            2 => (start, start),
            3 => (start, end.wrapping_add(50_000)),
            4 => (self.c.ack.wrapping_sub(1000), self.c.ack),
            5 => (start, start.wrapping_add(1000)),
            _ if end.wrapping_sub(start) as i32 >= 0 => (start, end),
            _ if self.random.one_in(8) => (start, end),
            _ => (end, start),
        }
    }

    fn says(&mut self) {
        let mut flags = ACK;
        if self.random.one_in(8) {
            flags |= ECE;
        }
        if self.random.one_in(8) {
            flags |= CWR;
        }
        match self.random.below(8) {
            0 => self.c.ack = self.nxt,
            1 => self.c.ack = self.place(),
            2 => self.c.ack = self.c.ack.wrapping_add(self.in_flight().min(1000)),
            3 => self.c.ack = self.c.ack.wrapping_add(self.in_flight().min(1)),
            _ => {}
        }
        if self.random.one_in(30) {
            self.window = [0, 1, 30, 65_000][self.random.below(4) as usize];
        }
        let mut segment = seg(flags, self.c.seq, self.c.ack).window(self.window);
        let edge = self.c.ack.wrapping_add(u32::from(self.window) << SCALE);
        if edge.wrapping_sub(self.edge) as i32 > 0 {
            self.edge = edge;
        }
        if self.c.ts.is_some() {
            self.clock += self.random.below(3);
            let echo = match self.random.below(8) {
                0 => 0,
                1 => self.first,
                2 => self.random.below(u32::MAX),
                3 => self.last.wrapping_add(self.random.below(1000)),
                4 => self.last.wrapping_sub(self.random.below(200)),
                _ => self.last,
            };
            let val = self.clock.wrapping_sub(self.random.below(2));
            segment = segment.ts(val, echo);
        }
        if self.sack && !self.random.one_in(3) {
            let most = if self.c.ts.is_some() { 3 } else { 4 };
            let blocks: Vec<_> = (0..=self.random.below(most))
                .map(|_| self.block())
                .collect();
            segment = segment.sack(&blocks);
        }
        if self.random.one_in(6) {
            let gap = [0, 0, 500, 3000][self.random.below(4) as usize];
            segment.seq = segment.seq.wrapping_add(gap);
            let octets = self.random.below(100) + 1;
            segment = segment.data(&vec![0; octets as usize]);
            if gap == 0 {
                self.c.seq = self.c.seq.wrapping_add(octets);
            }
            segment.ecn = [Ecn::NotEct, Ecn::Ce][self.random.below(2) as usize];
        }
        self.c.e.give(&segment);
    }

    fn step(&mut self) {
        if let Poll::Ready(Ok(sent)) = self.c.e.tcp.send(self.c.id, &[0; 20_000]) {
            assert!(sent <= 20_000);
        }
        for _ in 0..=self.random.below(4) {
            self.says();
            if self.random.one_in(2) {
                self.take_sent();
            }
        }
        self.take_sent();
        let time = ms([0, 0, 1, 1, 10, 50, 400][self.random.below(7) as usize]);
        for (_, segment) in self.c.e.pass(time) {
            self.take(&segment);
        }
        let _ = self.c.e.read(self.c.id);
        self.c.e.tcp.audit();
    }
}

#[test]
fn a_peer_that_lies_at_random_gets_nothing_but_what_its_window_lets_go() {
    for controller in [congestion::cubic, congestion::new_reno, congestion::bbr] {
        let (mut ended, mut seen) = (0, [0; 4]);
        let seeds = 8;
        for seed in 0..seeds {
            let mut liar = Liar::new(seed, controller);
            for _ in 0..STEPS {
                liar.step();
                if liar.c.state() != State::Established {
                    ended += 1;
                    break;
                }
            }
            assert!(liar.in_flight() < 1 << 30);
            let counters = liar.c.e.tcp.counters();
            let recoveries = counters.sack_recovery + counters.reno_recovery;
            let these = [
                recoveries,
                counters.timeouts,
                counters.loss_probes,
                counters.dsack_recv,
            ];
            for (seen, count) in seen.iter_mut().zip(these) {
                *seen += count;
            }
        }
        assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
        assert!(ended < seeds / 2, "{ended} connections have ended");
    }
}
