//! One engine, and segments written and read by hand: the other end is the test.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

mod segment;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;

use bytes::Bytes;
use netstack::proto::Instant;
use netstack::proto::tcp::{
    Config, ConnectionId, Ecn, Error, IpMeta, ListenerId, Options, State, Tcp, TxMeta, TxSink,
};

pub use segment::{Seg, seg};

pub const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const PORT: u16 = 80;
pub const PEER_PORT: u16 = 4000;
/// Octets of an engine without connections, at most: tables, and a chunk kept for the next.
pub const TABLES: usize = 8 << 10;

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;
pub const URG: u8 = 32;
pub const ECE: u8 = 64;
pub const CWR: u8 = 128;

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Default)]
struct Sink {
    meta: Option<TxMeta>,
    buffer: Vec<u8>,
    sent: Vec<Seg>,
}

impl TxSink for Sink {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.meta = Some(*meta);
        self.buffer = vec![0x77; meta.len];
        Some(&mut self.buffer)
    }

    fn commit(&mut self) {
        let meta = self.meta.take().expect("commit without reserve");
        self.sent.push(Seg::read(&meta, &self.buffer));
    }
}

/// An engine in virtual time.
pub struct Engine {
    pub tcp: Tcp,
    pub now: Instant,
    pub listener: ListenerId,
}

/// Options without a delay that a test does not ask for.
pub fn plain() -> Options {
    let mut options = Options::default();
    options.nodelay = true;
    options.paced = false;
    options
}

impl Engine {
    pub fn new() -> Self {
        Self::with(Config::default(), plain())
    }

    pub fn with(config: Config, options: Options) -> Self {
        let mut tcp = Tcp::new(config, [7; 32]);
        let listener = tcp
            .listen(SocketAddrV4::new(OURS, PORT), 8, options)
            .expect("the port is free");
        Self {
            tcp,
            now: Instant::from_nanos(5_000_000_000),
            listener,
        }
    }

    pub fn give(&mut self, segment: &Seg) {
        let ip = IpMeta {
            source: PEER.into(),
            destination: OURS.into(),
            ecn: segment.ecn,
            checksummed: false,
        };
        self.tcp
            .handle_segment(self.now, &ip, Bytes::from(segment.octets()));
    }

    /// What is sent now.
    pub fn sent(&mut self) -> Vec<Seg> {
        let mut sink = Sink::default();
        self.tcp.poll_transmit(self.now, &mut sink, 10_000);
        sink.sent
    }

    /// The only segment that is sent now.
    #[track_caller]
    pub fn one(&mut self) -> Seg {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "one segment expected: {sent:#?}");
        sent.remove(0)
    }

    #[track_caller]
    pub fn nothing(&mut self) {
        let sent = self.sent();
        assert!(sent.is_empty(), "nothing expected: {sent:#?}");
    }

    /// Gives a segment and returns the only answer.
    #[track_caller]
    pub fn answer(&mut self, segment: &Seg) -> Seg {
        self.give(segment);
        self.one()
    }

    /// Gives a segment that must not be answered.
    #[track_caller]
    pub fn ignores(&mut self, segment: &Seg) {
        self.give(segment);
        self.nothing();
    }

    /// Lets time pass, with its timers; returns what is sent meanwhile, and when.
    pub fn pass(&mut self, time: Duration) -> Vec<(Instant, Seg)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        for _ in 0..100_000 {
            let Some(next) = self.tcp.next_timeout().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.tcp.handle_timeout(self.now);
            let now = self.now;
            sent.extend(self.sent().into_iter().map(|segment| (now, segment)));
        }
        self.now = end;
        sent
    }

    pub fn state(&self, id: ConnectionId) -> State {
        self.tcp.status(id).expect("the handle is valid").state
    }

    pub fn error(&self, id: ConnectionId) -> Option<Error> {
        self.tcp.status(id).expect("the handle is valid").error
    }

    #[track_caller]
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) {
        let sent = self.tcp.send(id, data);
        assert_eq!(sent, Poll::Ready(Ok(data.len())));
    }

    /// All that can be read now.
    pub fn read(&mut self, id: ConnectionId) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while let Poll::Ready(Ok(count)) = self.tcp.receive(self.now, id, &mut buffer)
            && count > 0
        {
            all.extend_from_slice(&buffer[..count]);
        }
        all
    }

    /// Whether the stream has ended in order.
    pub fn at_end(&mut self, id: ConnectionId) -> bool {
        self.tcp.receive(self.now, id, &mut [0; 1]) == Poll::Ready(Ok(0))
    }
}

/// An established connection, seen from the peer: `seq` is its next number, `ack` what it expects.
pub struct Conn {
    pub e: Engine,
    pub id: ConnectionId,
    pub seq: u32,
    pub ack: u32,
    /// The engine's SYN-ACK.
    pub syn_ack: Seg,
    /// Sent with each segment when the connection has timestamps.
    pub ts: Option<u32>,
}

/// First number of the peer.
pub const IRS: u32 = 1000;

/// The congestion window in octets.
pub fn window(c: &Conn) -> u32 {
    c.e.tcp.status(c.id).unwrap().congestion_window
}

impl Conn {
    /// A connection that the peer opened with this SYN; acknowledgements are no longer quick.
    #[track_caller]
    pub fn accept(config: Config, options: Options, syn: &Seg) -> Self {
        Self::accept_after(Duration::ZERO, config, options, syn)
    }

    /// The same with a round-trip time.
    #[track_caller]
    pub fn accept_after(rtt: Duration, config: Config, options: Options, syn: &Seg) -> Self {
        let mut e = Engine::with(config, options);
        let syn_ack = e.answer(syn);
        e.now += rtt;
        assert!(syn_ack.has(SYN | ACK));
        let ack = syn_ack.seq.wrapping_add(1);
        let ts = syn.timestamps.map(|(val, _)| val);
        let mut third = seg(ACK, syn.seq + 1, ack);
        third.timestamps =
            ts.map(|val| (val, syn_ack.timestamps.expect("timestamps are answered").0));
        e.give(&third);
        let id = e
            .tcp
            .accept(e.listener)
            .expect("the listener is there")
            .expect("established");
        e.nothing();
        Self {
            e,
            id,
            seq: syn.seq + 1,
            ack,
            syn_ack,
            ts,
        }
    }

    /// Without any option but MSS 1000.
    #[track_caller]
    pub fn plain() -> Self {
        Self::accept(Config::default(), plain(), &seg(SYN, IRS, 0).mss(1000))
    }

    /// With SACK, without timestamps.
    #[track_caller]
    pub fn sacked() -> Self {
        Self::accept(Config::default(), plain(), &sack_syn())
    }

    /// With a round-trip time of 100 ms.
    #[track_caller]
    pub fn slow(syn: &Seg) -> Self {
        Self::accept_after(ms(100), Config::default(), plain(), syn)
    }

    /// A segment of the peer at its present numbers.
    pub fn seg(&self, flags: u8) -> Seg {
        let mut segment = seg(flags, self.seq, self.ack);
        segment.timestamps = self
            .ts
            .map(|val| (val, self.syn_ack.timestamps.expect("agreed").0));
        segment
    }

    /// Gives data in order.
    pub fn give_data(&mut self, data: &[u8]) {
        let segment = self.seg(ACK | PSH).data(data);
        self.seq += data.len() as u32;
        self.e.give(&segment);
    }

    /// Sends `count` segments of 1000 octets, which must go out now.
    #[track_caller]
    pub fn sends(&mut self, count: usize) -> Vec<Seg> {
        self.e.send(self.id, &vec![0x42; count * 1000]);
        let sent = self.e.sent();
        assert_eq!(sent.len(), count, "{sent:#?}");
        sent
    }

    /// The peer acknowledges what it has got up to `ack`, measured from its present one.
    pub fn acks(&mut self, octets: u32) {
        self.ack = self.ack.wrapping_add(octets);
        let segment = self.seg(ACK);
        self.e.give(&segment);
    }

    pub fn state(&self) -> State {
        self.e.state(self.id)
    }

    /// Uses up the quick acknowledgements of the start.
    pub fn end_quick_acks(&mut self) {
        for _ in 0..16 {
            self.give_data(b"q");
            let _ = self.e.sent();
        }
        let _ = self.e.read(self.id);
    }
}

/// A SYN with MSS 1000 and SACK-permitted.
pub fn sack_syn() -> Seg {
    let mut syn = seg(SYN, IRS, 0).mss(1000);
    syn.sack_permitted = true;
    syn
}

/// A segment from a host of 10.1.0.0/16.
pub fn give_from(e: &mut Engine, host: u32, segment: &Seg) {
    let ip = IpMeta {
        source: Ipv4Addr::from_bits(0x0a01_0000 + host).into(),
        destination: OURS.into(),
        ecn: Ecn::NotEct,
        checksummed: true,
    };
    e.tcp
        .handle_segment(e.now, &ip, Bytes::from(segment.octets()));
}

/// The connection that a host opens from a port, with data in the last segment of the handshake, and the number that it
/// expects; `None` if it finds no place.
pub fn open_saying(
    e: &mut Engine,
    (host, port): (u32, u16),
    data: &[u8],
) -> Option<(ConnectionId, u32)> {
    let from = |mut segment: Seg| {
        segment.from = port;
        segment
    };
    give_from(e, host, &from(seg(SYN, IRS, 0).mss(1000)));
    let syn_ack = e.sent().into_iter().find(|seg| seg.has(SYN | ACK))?;
    let ack = syn_ack.seq.wrapping_add(1);
    give_from(e, host, &from(seg(ACK, IRS + 1, ack).data(data)));
    let id = e.tcp.accept(e.listener).expect("the listener is there")?;
    Some((id, ack))
}
