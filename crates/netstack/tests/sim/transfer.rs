//! Applications that send a pattern to each other and check what they receive.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

use core::net::{IpAddr, SocketAddr};
use core::task::Poll;
use core::time::Duration;

use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, Error, ListenerId, Options, Tcp};

use crate::sim::{ADDRESSES, App, Link, Network, TcpHost};

pub const PORT: u16 = 7;

/// The octet at a position of a stream.
pub fn pattern(stream: u64, position: usize) -> u8 {
    let mixed = (position as u64 ^ stream << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

/// Sends so many octets of a pattern, closes, and checks the octets that come.
#[derive(Debug)]
pub struct Peer {
    pub id: Option<ConnectionId>,
    pub listener: Option<ListenerId>,
    pub to_send: usize,
    pub sent: usize,
    pub received: usize,
    pub expected: usize,
    pub stream: u64,
    pub closed: bool,
    pub finished: bool,
    pub error: Option<Error>,
    /// Octets per call of `send` and `receive`.
    pub chunk: usize,
    buffer: Vec<u8>,
}

impl Peer {
    pub fn new(stream: u64, to_send: usize, expected: usize) -> Self {
        Self {
            id: None,
            listener: None,
            to_send,
            sent: 0,
            received: 0,
            expected,
            stream,
            closed: false,
            finished: false,
            error: None,
            chunk: 8192,
            buffer: Vec::new(),
        }
    }

    fn send(&mut self, now: Instant, tcp: &mut Tcp, id: ConnectionId) {
        while self.sent < self.to_send {
            let count = self.chunk.min(self.to_send - self.sent);
            self.buffer.clear();
            self.buffer
                .extend((self.sent..self.sent + count).map(|at| pattern(self.stream, at)));
            match tcp.send(id, &self.buffer) {
                Poll::Ready(Ok(sent)) => self.sent += sent,
                Poll::Ready(Err(error)) => return self.error = Some(error),
                Poll::Pending => return,
            }
        }
        if !self.closed {
            match tcp.shutdown(now, id) {
                Ok(()) => self.closed = true,
                Err(error) => self.error = Some(error),
            }
        }
    }

    fn receive(&mut self, now: Instant, tcp: &mut Tcp, id: ConnectionId) {
        self.buffer.resize(self.chunk, 0);
        loop {
            match tcp.receive(now, id, &mut self.buffer) {
                Poll::Ready(Ok(0)) => {
                    assert_eq!(self.received, self.expected, "the stream ended early");
                    self.finished = true;
                    return;
                }
                Poll::Ready(Ok(count)) => {
                    for (at, octet) in self.buffer[..count].iter().enumerate() {
                        let position = self.received + at;
                        assert_eq!(
                            *octet,
                            pattern(1 - self.stream, position),
                            "octet {position} is wrong"
                        );
                    }
                    self.received += count;
                    assert!(self.received <= self.expected, "more came than was sent");
                }
                Poll::Ready(Err(error)) => return self.error = Some(error),
                Poll::Pending => return,
            }
        }
    }
}

impl App for Peer {
    fn poll(&mut self, now: Instant, tcp: &mut Tcp) {
        if let (None, Some(listener)) = (self.id, self.listener) {
            self.id = tcp.accept(listener).expect("the listener is there");
        }
        let Some(id) = self.id else { return };
        if self.error.is_some() {
            return;
        }
        if !matches!(
            tcp.status(id).map(|status| status.state),
            Ok(netstack::proto::tcp::State::SynSent)
        ) {
            self.send(now, tcp, id);
        }
        if !self.finished {
            self.receive(now, tcp, id);
        }
    }
}

pub type Pair = Network<TcpHost<Peer>, TcpHost<Peer>>;

/// A client that sends `up` octets to a server that sends `down` octets.
pub fn pair(
    up: usize,
    down: usize,
    link: Link,
    seed: u64,
    config: &Config,
    options: &Options,
) -> Pair {
    pair_between(
        ADDRESSES.map(IpAddr::V4),
        (up, down),
        link,
        seed,
        config,
        options,
    )
}

/// The same between two addresses.
pub fn pair_between(
    [client_address, server_address]: [IpAddr; 2],
    (up, down): (usize, usize),
    link: Link,
    seed: u64,
    config: &Config,
    options: &Options,
) -> Pair {
    let there = SocketAddr::new(server_address, PORT);
    let mut seeds = [[0; 32], [1; 32]];
    seeds[0][..8].copy_from_slice(&seed.to_ne_bytes());
    seeds[1][..8].copy_from_slice(&seed.to_ne_bytes());
    let client = TcpHost {
        tcp: Tcp::new(config.clone(), seeds[0]),
        app: Peer::new(0, up, down),
    };
    let server = TcpHost {
        tcp: Tcp::new(config.clone(), seeds[1]),
        app: Peer::new(1, down, up),
    };
    let mut network = Network::new(client, server, link, seed);
    let listener = network.b.tcp.listen(there, 16, options.clone());
    network.b.app.listener = Some(listener.expect("the port is free"));
    let id = network.a.tcp.connect(
        network.now,
        SocketAddr::new(client_address, 0),
        there,
        options,
    );
    network.a.app.id = Some(id.expect("a connection can be opened"));
    network
}

/// Whether both ends have received everything.
pub fn done(network: &mut Pair) -> bool {
    network.a.app.finished && network.b.app.finished
}

/// Runs a transfer to its end and says how long it took.
pub fn complete(network: &mut Pair, limit: Duration) -> Duration {
    let start = network.now;
    let finished = network.run_until(limit, done);
    assert!(
        finished,
        "not finished after {limit:?}: client {:?} {:?}, server {:?} {:?}",
        network.a.app,
        network.a.tcp.counters(),
        network.b.app,
        network.b.tcp.counters()
    );
    network.now - start
}
