//! The worst that a peer can make of one connection, for callgrind to count: `worst CASE PIECES`.
//!
//! - `reassembly`: so many ranges beyond a gap are held, none of which touch; measured is a range more, at a place that
//!   cannot be foretold, again and again.
//! - `sack`: so many segments are in flight, and are acknowledged one by one, every second one and in no order, with
//!   the three blocks that a peer sends.
//! - `mss`: a peer whose MSS is below the floor is sent so many segments, and acknowledges every second one.
//!
//! Prints how many segments went through [`measured`], which is what is to be counted (`--toggle-collect`).

use std::env;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::congestion::{Ack, Controller};
use netstack::proto::tcp::{Config, Ecn, IpMeta, Options, Tcp, TxMeta, TxSink};

#[path = "../../../../../crates/netstack/tests/wire/mod.rs"]
mod wire;

use wire::{ACK, Conn, IRS, OURS, PEER, SYN, Seg, plain, seg};

/// Ranges and pieces are so many octets.
const LEN: u32 = 8;

/// Permits whatever the peer's window does.
#[derive(Debug)]
struct Unlimited;

impl Controller for Unlimited {
    fn cwnd(&self) -> u32 {
        1 << 30
    }

    fn ssthresh(&self) -> u32 {
        1 << 30
    }

    fn on_ack(&mut self, _: &Ack) {}
    fn on_congestion_event(&mut self, _: Instant, _: u32) {}
    fn on_timeout(&mut self, _: Instant, _: u32, _: bool) {}
    fn on_spurious(&mut self, _: Instant) {}
    fn on_idle(&mut self) {}
    fn set_smss(&mut self, _: u32) {}
}

/// Drops what is sent.
#[derive(Default)]
struct Sink {
    buffer: Vec<u8>,
    segments: usize,
}

impl TxSink for Sink {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.buffer.resize(meta.len, 0);
        Some(&mut self.buffer)
    }

    fn commit(&mut self) {
        self.segments += 1;
    }
}

/// What callgrind counts: segments in, and what each makes the stack send.
#[inline(never)]
fn measured(tcp: &mut Tcp, now: Instant, segments: Vec<Bytes>, sink: &mut Sink) {
    let ip = IpMeta {
        source: PEER.into(),
        destination: OURS.into(),
        ecn: Ecn::NotEct,
        checksummed: false,
    };
    for segment in segments {
        tcp.handle_segment(now, &ip, segment);
        tcp.poll_transmit(now, sink, 4);
    }
}

/// All numbers below `count`, a power of two, each once and in no order.
fn scattered(count: u32) -> impl Iterator<Item = u32> {
    // An odd multiplier and an odd summand go through all of them (Hull and Dobell 1962).
    let mut at = 1_u32;
    (0..count).map(move |_| {
        at = at.wrapping_mul(0x9e37_7975).wrapping_add(0x79b9) % count;
        at
    })
}

fn connection(mss: u16) -> Conn {
    let mut config = Config::default();
    config.memory = Some(1 << 30);
    config.congestion = |_| Box::new(Unlimited);
    let mut options: Options = plain();
    options.receive_buffer = 8 << 20;
    options.max_receive_buffer = 8 << 20;
    options.send_buffer = 8 << 20;
    let mut syn = seg(SYN, IRS, 0).mss(mss).scale(14);
    syn.sack_permitted = true;
    let mut conn = Conn::accept(config, options, &syn);
    conn.end_quick_acks();
    conn
}

fn frames(segments: impl IntoIterator<Item = Seg>) -> Vec<Bytes> {
    let octets = |segment: Seg| Bytes::from(segment.octets());
    segments.into_iter().map(octets).collect()
}

/// `pieces` ranges, twice the length apart, and as many segments that lie between them.
fn reassembly(pieces: u32) -> Result<usize> {
    let mut conn = connection(1460);
    let first = conn.seq.wrapping_add(LEN);
    let range = |at: u32| {
        let mut segment = conn.seg(ACK).data(&[0x61; LEN as usize]);
        segment.seq = first.wrapping_add(2 * LEN * at);
        segment
    };
    let all: Vec<Seg> = scattered(2 * pieces).map(range).collect();
    let (held, more) = all.split_at(pieces as usize);
    let (held, more) = (frames(held.to_vec()), frames(more.to_vec()));
    let now = conn.e.now;
    let ip = IpMeta {
        source: PEER.into(),
        destination: OURS.into(),
        ecn: Ecn::NotEct,
        checksummed: false,
    };
    for segment in held {
        conn.e.tcp.handle_segment(now, &ip, segment);
        let _ = conn.e.sent();
    }
    let count = more.len();
    measured(&mut conn.e.tcp, now, more, &mut Sink::default());
    let queued = conn.e.tcp.counters().ofo_queue;
    ensure!(queued == u64::from(2 * pieces), "{queued} were kept");
    Ok(count)
}

/// `pieces` in flight, every second one of which is sacked.
fn sack(pieces: u32) -> Result<usize> {
    let mut conn = connection(536);
    for _ in 0..pieces {
        conn.e.send(conn.id, &[0x62; 536]);
    }
    let sent = conn.e.sent();
    ensure!(sent.len() == pieces as usize, "{} were sent", sent.len());
    let mut told: Vec<(u32, u32)> = Vec::new();
    let acknowledgement = |at: u32| {
        let start = conn.ack.wrapping_add((2 * at + 1) * 536);
        told.insert(0, (start, start.wrapping_add(536)));
        told.truncate(3);
        conn.seg(ACK).sack(&told)
    };
    let acknowledgements = frames(scattered(pieces / 2).map(acknowledgement));
    let count = acknowledgements.len();
    conn.e.now += wire::ms(5);
    measured(
        &mut conn.e.tcp,
        conn.e.now,
        acknowledgements,
        &mut Sink::default(),
    );
    Ok(count)
}

/// `pieces` segments to a peer that asks for one octet in each.
fn mss(pieces: u32) -> Result<usize> {
    let mut conn = connection(1);
    let len = 48;
    conn.e.send(conn.id, &vec![0x63; pieces as usize * len]);
    let acknowledge = |count: u32| {
        let mut segment = conn.seg(ACK);
        segment.ack = conn.ack.wrapping_add(2 * count * len as u32);
        segment
    };
    let acknowledgements = frames((0..pieces / 2).map(acknowledge));
    let mut sink = Sink::default();
    measured(&mut conn.e.tcp, conn.e.now, acknowledgements, &mut sink);
    ensure!(
        sink.segments >= pieces as usize - 4,
        "{} were sent",
        sink.segments
    );
    Ok(pieces as usize)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, pieces] = arguments.as_slice() else {
        bail!("usage: worst reassembly|sack|mss PIECES");
    };
    let pieces: u32 = pieces.parse().context(pieces.clone())?;
    ensure!(
        pieces.is_power_of_two(),
        "{pieces}: a power of two is expected"
    );
    let count = match case.as_str() {
        "reassembly" => reassembly(pieces)?,
        "sack" => sack(pieces)?,
        "mss" => mss(pieces)?,
        other => bail!("no case {other:?}: reassembly, sack or mss"),
    };
    println!("{count}");
    Ok(())
}
