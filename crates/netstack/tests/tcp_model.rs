//! The engine against a model of a peer: the simplest TCP that is one. One segment in flight, nothing
//! kept out of order, no options, everything acknowledged.

mod sim;

#[path = "sim/transfer.rs"]
mod transfer;

use core::net::SocketAddrV4;
use core::time::Duration;

use etherparse::TcpHeader;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, Ecn, Options, Tcp};
use sim::{ADDRESSES, Host, Link, Network, Packet, Random, TcpHost, v4};
use transfer::{PORT, Peer, pattern};

const SEGMENT: usize = 500;
const AGAIN: Duration = Duration::from_millis(300);

/// A server of one connection.
#[derive(Debug)]
struct Model {
    /// The client's port, once its SYN has come.
    peer: Option<u16>,
    iss: u32,
    rcv_nxt: u32,
    received: Vec<u8>,
    fin_received: bool,
    to_send: Vec<u8>,
    /// Numbers acknowledged after ISS: one for the SYN, the octets, one for the FIN.
    acked: usize,
    /// When what is in flight is sent again.
    again: Option<Instant>,
    ack_due: bool,
}

impl Model {
    fn new(to_send: usize, iss: u32) -> Self {
        Self {
            peer: None,
            iss,
            rcv_nxt: 0,
            received: Vec::new(),
            fin_received: false,
            to_send: (0..to_send).map(|at| pattern(1, at)).collect(),
            acked: 0,
            again: None,
            ack_due: false,
        }
    }

    fn is_done(&self) -> bool {
        self.fin_received && self.acked == self.to_send.len() + 2
    }

    fn take(&mut self, header: &TcpHeader, payload: &[u8]) {
        if header.syn {
            self.peer = Some(header.source_port);
            self.rcv_nxt = header.sequence_number.wrapping_add(1);
            self.again = None;
            return;
        }
        if self.peer != Some(header.source_port) || header.rst {
            return;
        }
        let acked = header.acknowledgment_number.wrapping_sub(self.iss) as usize;
        if header.ack && acked > self.acked && acked <= self.to_send.len() + 2 {
            self.acked = acked;
            self.again = None;
        }
        if header.sequence_number == self.rcv_nxt {
            self.received.extend_from_slice(payload);
            self.rcv_nxt = self.rcv_nxt.wrapping_add(payload.len() as u32);
            if header.fin && !self.fin_received {
                self.fin_received = true;
                self.rcv_nxt = self.rcv_nxt.wrapping_add(1);
            }
        }
        self.ack_due |= !payload.is_empty() || header.fin;
    }

    /// The segment that is due: what is not acknowledged, or an acknowledgement alone.
    fn segment(&mut self, now: Instant) -> Option<(TcpHeader, Vec<u8>)> {
        let peer = self.peer?;
        let mut header = TcpHeader::new(PORT, peer, self.iss.wrapping_add(self.acked as u32), 4000);
        header.ack = true;
        header.acknowledgment_number = self.rcv_nxt;
        let mut payload = Vec::new();
        let all = self.acked == self.to_send.len() + 2;
        if !all && self.again.is_none_or(|again| again <= now) {
            self.again = Some(now + AGAIN);
            match self.acked {
                0 => header.syn = true,
                sent => {
                    let start = sent - 1;
                    let end = (start + SEGMENT).min(self.to_send.len());
                    payload = self.to_send[start.min(end)..end].to_vec();
                    header.fin = end == self.to_send.len();
                }
            }
        } else if !self.ack_due {
            return None;
        }
        self.ack_due = false;
        Some((header, payload))
    }
}

impl Host for Model {
    fn handle(&mut self, _: Instant, packet: Packet) {
        let Ok((header, payload)) = TcpHeader::from_slice(&packet.segment) else {
            return;
        };
        let (source, destination) = (v4(packet.source).octets(), v4(packet.destination).octets());
        let sum = header.calc_checksum_ipv4_raw(source, destination, payload);
        if sum == Ok(header.checksum) {
            self.take(&header, payload);
        }
    }

    fn run(&mut self, now: Instant, out: &mut Vec<Packet>) {
        let Some((mut header, payload)) = self.segment(now) else {
            return;
        };
        let (source, destination) = (ADDRESSES[1], ADDRESSES[0]);
        let sum = header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), &payload);
        header.checksum = sum.expect("it is short enough");
        let mut segment = header.to_bytes().to_vec();
        segment.extend(payload);
        let ecn = Ecn::NotEct;
        out.push(Packet {
            source: source.into(),
            destination: destination.into(),
            ecn,
            dont_fragment: true,
            segment: segment.into(),
        });
    }

    fn next(&self) -> Option<Instant> {
        self.again.filter(|_| !self.is_done())
    }
}

fn run_seed(seed: u64) {
    let mut random = Random::new(seed);
    let percent = |value: u64| (value * 10_000) as u32;
    let link = Link {
        delay: Duration::from_micros(50 + random.below(20_000)),
        loss: percent(random.below(15)),
        duplicate: percent(random.below(10)),
        corrupt: percent(random.below(4)),
        reorder: percent(random.below(10)),
        ..Link::default()
    };
    let (up, down) = (random.below(20_000) as usize, random.below(8_000) as usize);
    let mut tcp = Tcp::new(Config::default(), [seed as u8; 32]);
    let mut app = Peer::new(0, up, down);
    let (local, remote) = (
        SocketAddrV4::new(ADDRESSES[0], 0),
        SocketAddrV4::new(ADDRESSES[1], PORT),
    );
    let start = Instant::from_nanos(1_000_000_000);
    app.id = tcp.connect(start, local, remote, &Options::default()).ok();
    // The numbers wrap within the transfer of every second seed.
    let iss = if seed.is_multiple_of(2) {
        u32::MAX - 3000
    } else {
        random.next() as u32
    };
    let mut network = Network::new(TcpHost { tcp, app }, Model::new(down, iss), link, seed);
    let finished = network.run_until(Duration::from_secs(3600), |network| {
        network.a.app.finished && network.b.is_done()
    });
    assert!(
        finished,
        "seed {seed}: {:?} {:?}",
        network.a.app, network.b.acked
    );
    let expected: Vec<u8> = (0..up).map(|at| pattern(0, at)).collect();
    assert!(
        network.b.received == expected,
        "seed {seed}: other octets than were sent"
    );
}

#[test]
fn a_thousand_seeds_against_the_simplest_peer() {
    for seed in 0..1000 {
        run_seed(seed);
    }
}
