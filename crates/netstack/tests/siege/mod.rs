//! An echo service in virtual time, strangers that besiege it, and honest clients beside them.

use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use std::collections::HashMap;

use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, Ecn, Event, IpMeta, State, TxMeta, TxSink};

use crate::wire::{ACK, Engine, FIN, OURS, PSH, RST, SYN, Seg, ms, plain, seg};

/// What a unikernel with 8 MiB has for its stack, and what it notes for a task.
const BUDGET: usize = 2_500_000;
const TASK: usize = 1024;

/// Octets of an honest client's request.
const REQUEST: usize = 100;

type End = (Ipv4Addr, u16);

/// Where strangers are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// All at one address.
    One,
    /// As many addresses, in turn, no two of them in one network.
    Many(u32),
}

impl Origin {
    fn end(self, number: u32) -> End {
        let (host, port) = match self {
            Self::One => (0x0a01_1001, number),
            Self::Many(hosts) => {
                let host = number % hosts;
                // The test's segments are to hosts whose second octet is 1.
                let network = (host / 200 + 11) << 24 | 0x0001_0000 | (host % 200) << 8;
                (network | 9, number / hosts)
            }
        };
        (Ipv4Addr::from_bits(host), 1024 + (port % 60_000) as u16)
    }
}

/// What a stranger does after its handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Nothing,
    /// Sends an octet, and acknowledges the answer.
    Octet,
    /// Sends an octet that is not the next.
    Gap,
    /// Sends a thousand octets and takes no answer.
    Closed,
    /// Sends an octet each 200 ms, and acknowledges the answer.
    Ticks,
}

/// A client of the service.
#[derive(Debug)]
struct Client {
    seq: u32,
    ack: u32,
    established: bool,
    reset: bool,
    /// Octets of the answer that have come.
    answered: usize,
}

#[derive(Default)]
struct Sink {
    meta: Option<TxMeta>,
    buffer: Vec<u8>,
    sent: Vec<(Ipv4Addr, Seg)>,
}

impl TxSink for Sink {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.meta = Some(*meta);
        self.buffer = vec![0; meta.len];
        Some(&mut self.buffer)
    }

    fn commit(&mut self) {
        let meta = self.meta.take().expect("commit without reserve");
        let segment = Seg::read(&meta, &self.buffer);
        if let IpAddr::V4(to) = meta.destination() {
            self.sent.push((to, segment));
        }
    }
}

/// An honest client.
#[derive(Debug)]
struct Honest {
    end: End,
    pauses: Vec<u64>,
    visits: u32,
    doing: Doing,
    /// Since when it waits, and when it says again what it has said.
    since: Instant,
    again: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Doing {
    Connecting,
    Asking { from: u32, answered: usize },
    Pausing { until: Instant },
}

/// What became of the honest.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Requests that were answered, connections that were reset, and the milliseconds of the longest wait for an answer.
    pub(crate) served: usize,
    pub(crate) resets: usize,
    pub(crate) longest: u64,
}

pub(crate) struct Siege {
    e: Engine,
    clients: HashMap<End, Client>,
    manners: HashMap<End, Manner>,
    /// What the service has read and not written yet.
    unsent: HashMap<ConnectionId, Vec<u8>>,
    tickers: Vec<End>,
    honest: Vec<Honest>,
    next: u32,
    outcome: Vec<Outcome>,
}

impl Siege {
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.memory = Some(BUDGET);
        config.application_octets = TASK;
        config.held_by_frame = |_| 2048;
        let mut e = Engine::with(config, plain());
        // A port of its own with a backlog such as services have.
        let address = SocketAddrV4::new(OURS, 80);
        e.tcp.close_listener(e.now, e.listener);
        e.listener = e
            .tcp
            .listen(address, 128, plain())
            .expect("the port is free");
        Self {
            e,
            clients: HashMap::new(),
            manners: HashMap::new(),
            unsent: HashMap::new(),
            tickers: Vec::new(),
            honest: Vec::new(),
            next: 0,
            outcome: Vec::new(),
        }
    }

    /// An honest client at an address of its own, which pauses for so many milliseconds between its requests, in turn.
    /// Without any it connects for each request.
    pub(crate) fn honest(&mut self, pauses: &[u64]) {
        let number = self.honest.len() as u8;
        self.outcome.push(Outcome::default());
        let now = self.e.now;
        self.honest.push(Honest {
            end: (Ipv4Addr::new(9, 1, number, 7), 2000),
            pauses: pauses.to_vec(),
            visits: 0,
            doing: Doing::Pausing { until: now },
            since: now,
            again: now,
        });
    }

    /// Strangers come for `time` milliseconds, `rate` of them in each.
    pub(crate) fn besiege(&mut self, origin: Origin, manner: Manner, rate: u32, time: u64) {
        for _ in 0..time {
            for _ in 0..rate {
                let end = origin.end(self.next);
                self.next += 1;
                self.manners.insert(end, manner);
                self.open(end);
            }
            self.step();
        }
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, time: u64) {
        for _ in 0..time {
            self.step();
        }
    }

    fn open(&mut self, end: End) {
        let seq = 1000;
        let client = Client {
            seq: seq + 1,
            ack: 0,
            established: false,
            reset: false,
            answered: 0,
        };
        self.clients.insert(end, client);
        let mut syn = seg(SYN, seq, 0).mss(1000);
        syn.sack_permitted = true;
        self.give(end, syn);
    }

    fn give(&mut self, end: End, mut segment: Seg) {
        segment.from = end.1;
        let ip = IpMeta {
            source: end.0.into(),
            destination: OURS.into(),
            ecn: Ecn::NotEct,
            checksummed: true,
        };
        let octets = Bytes::from(segment.octets());
        self.e.tcp.handle_segment(self.e.now, &ip, octets);
    }

    fn say(&mut self, end: End, data: &[u8]) {
        if let Some(client) = self.clients.get(&end) {
            let segment = seg(ACK | PSH, client.seq, client.ack).data(data);
            self.give(end, segment);
        }
    }

    /// A millisecond.
    fn step(&mut self) {
        self.e.now += ms(1);
        if self.e.now.as_millis().is_multiple_of(200) {
            for end in core::mem::take(&mut self.tickers) {
                if self.clients.get(&end).is_some_and(|client| !client.reset) {
                    self.say(end, b"t");
                    if let Some(client) = self.clients.get_mut(&end) {
                        client.seq += 1;
                    }
                    self.tickers.push(end);
                }
            }
        }
        self.go_on();
        if self
            .e
            .tcp
            .next_timeout()
            .is_some_and(|next| next <= self.e.now)
        {
            self.e.tcp.handle_timeout(self.e.now);
        }
        for _ in 0..4 {
            self.serve();
            self.deliver();
        }
        self.honest_look();
    }

    /// The service: gives back what it reads.
    fn serve(&mut self) {
        while let Ok(Some(id)) = self.e.tcp.accept(self.e.listener) {
            self.echo(id);
        }
        while let Some(event) = self.e.tcp.poll_event() {
            if let Event::Connection(id, _) = event {
                self.echo(id);
            }
        }
    }

    fn echo(&mut self, id: ConnectionId) {
        let mut buffer = [0; 4096];
        let mut unsent = self.unsent.remove(&id).unwrap_or_default();
        let over = loop {
            if !unsent.is_empty() {
                match self.e.tcp.send(id, &unsent) {
                    Poll::Ready(Ok(count)) => drop(unsent.drain(..count)),
                    Poll::Ready(Err(_)) => break true,
                    Poll::Pending => {
                        self.unsent.insert(id, unsent);
                        break false;
                    }
                }
                continue;
            }
            match self.e.tcp.receive(self.e.now, id, &mut buffer) {
                Poll::Ready(Ok(0) | Err(_)) => break true,
                Poll::Ready(Ok(count)) => unsent.extend(&buffer[..count]),
                Poll::Pending => break false,
            }
        };
        if over
            || self
                .e
                .tcp
                .status(id)
                .is_ok_and(|status| status.state == State::Closed)
        {
            self.unsent.remove(&id);
            self.e.tcp.release(self.e.now, id);
        }
    }

    fn deliver(&mut self) {
        let mut sink = Sink::default();
        self.e.tcp.poll_transmit(self.e.now, &mut sink, 100_000);
        for (address, segment) in sink.sent {
            self.arrives((address, segment.to), &segment);
        }
    }

    fn arrives(&mut self, end: End, segment: &Seg) {
        let manner = self.manners.get(&end).copied();
        let Some(client) = self.clients.get_mut(&end) else {
            return;
        };
        if segment.has(RST) {
            client.reset = true;
            return;
        }
        if segment.has(SYN) {
            let first = !core::mem::replace(&mut client.established, true);
            client.ack = segment.seq.wrapping_add(1);
            let mut answer = seg(ACK, client.seq, client.ack);
            if first && let Some(manner) = manner {
                match manner {
                    Manner::Nothing => {}
                    Manner::Octet | Manner::Ticks => {
                        answer = answer.data(b"o");
                        client.seq += 1;
                        if manner == Manner::Ticks {
                            self.tickers.push(end);
                        }
                    }
                    Manner::Gap => {
                        self.give(end, answer.clone());
                        answer.seq += 1;
                        answer = answer.data(b"g");
                    }
                    Manner::Closed => {
                        client.seq += 1000;
                        answer = answer.window(0).data(&[b'c'; 1000]);
                    }
                }
            }
            self.give(end, answer);
            return;
        }
        let length = segment.payload.len() as u32 + u32::from(segment.has(FIN));
        if length == 0 || matches!(manner, Some(Manner::Closed | Manner::Nothing | Manner::Gap)) {
            return;
        }
        if segment.seq == client.ack {
            client.ack = client.ack.wrapping_add(length);
            client.answered += segment.payload.len();
        }
        let answer = seg(ACK, client.seq, client.ack);
        self.give(end, answer);
    }

    /// The honest begin what is due, and say again what nobody has answered.
    fn go_on(&mut self) {
        let now = self.e.now;
        let mut honest = core::mem::take(&mut self.honest);
        for one in &mut honest {
            match one.doing {
                Doing::Pausing { until } if until <= now => {
                    let visitor = one.pauses.is_empty();
                    one.since = now;
                    let open = self
                        .clients
                        .get(&one.end)
                        .is_some_and(|client| !client.reset);
                    if visitor || !open {
                        one.end.1 = 2000 + (one.visits % 50_000) as u16;
                        self.open(one.end);
                        one.doing = Doing::Connecting;
                        one.again = now + ms(1000);
                    } else {
                        self.ask(one);
                    }
                }
                Doing::Connecting if one.again <= now => {
                    self.open(one.end);
                    one.again = now + ms(1000);
                }
                Doing::Asking { from, answered } if one.again <= now => {
                    let got = self.clients[&one.end].answered - answered;
                    if got < REQUEST {
                        let ack = self.clients[&one.end].ack;
                        let segment = seg(ACK | PSH, from, ack).data(&[b'h'; REQUEST]);
                        self.give(one.end, segment);
                    }
                    one.again = now + ms(200);
                }
                _ => {}
            }
        }
        self.honest = honest;
    }

    fn ask(&mut self, one: &mut Honest) {
        let client = self.clients.get_mut(&one.end).expect("it is connected");
        let (from, answered, ack) = (client.seq, client.answered, client.ack);
        client.seq = client.seq.wrapping_add(REQUEST as u32);
        self.give(one.end, seg(ACK | PSH, from, ack).data(&[b'h'; REQUEST]));
        one.doing = Doing::Asking { from, answered };
        one.again = self.e.now + ms(200);
    }

    /// The honest look at what has come.
    fn honest_look(&mut self) {
        let now = self.e.now;
        let mut honest = core::mem::take(&mut self.honest);
        let mut outcomes = core::mem::take(&mut self.outcome);
        for (one, outcome) in honest.iter_mut().zip(&mut outcomes) {
            let Some(client) = self.clients.get(&one.end) else {
                continue;
            };
            let (established, reset, answered) =
                (client.established, client.reset, client.answered);
            if reset && client.ack != 0 {
                outcome.resets += 1;
                self.clients.remove(&one.end);
                one.visits += 1;
                one.doing = Doing::Pausing {
                    until: now + ms(10),
                };
                continue;
            }
            match one.doing {
                Doing::Connecting if established => self.ask(one),
                Doing::Asking {
                    answered: before, ..
                } if answered - before >= REQUEST => {
                    let took = (now - one.since).as_millis() as u64;
                    outcome.longest = outcome.longest.max(took);
                    outcome.served += 1;
                    one.visits += 1;
                    let pause = if one.pauses.is_empty() {
                        let client = &self.clients[&one.end];
                        let fin = seg(FIN | ACK, client.seq, client.ack);
                        self.give(one.end, fin);
                        if let Some(client) = self.clients.get_mut(&one.end) {
                            client.seq += 1;
                        }
                        50
                    } else {
                        one.pauses[one.visits as usize % one.pauses.len()]
                    };
                    one.doing = Doing::Pausing {
                        until: now + ms(pause),
                    };
                }
                _ => {}
            }
        }
        self.honest = honest;
        self.outcome = outcomes;
    }

    /// What became of the honest since this was asked last, in the order in which they came.
    pub(crate) fn outcome(&mut self) -> Vec<Outcome> {
        // Those that still wait count too.
        for (one, outcome) in self.honest.iter().zip(&mut self.outcome) {
            if !matches!(one.doing, Doing::Pausing { .. }) {
                let waits = (self.e.now - one.since).as_millis() as u64;
                outcome.longest = outcome.longest.max(waits);
            }
        }
        assert_eq!(self.e.tcp.audit(), self.e.tcp.memory_used());
        let fresh = self.honest.iter().map(|_| Outcome::default()).collect();
        core::mem::replace(&mut self.outcome, fresh)
    }

    /// How many connections were ended as memory was short.
    pub(crate) fn ended(&self) -> u64 {
        self.e.tcp.counters().abort_on_memory
    }
}
