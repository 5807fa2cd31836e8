//! One engine, and segments written and read by hand: the other end is the test.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;

use bytes::Bytes;
use etherparse::{TcpHeader, TcpOptionElement};
use netstack::proto::Instant;
use netstack::proto::tcp::{
    Config, ConnectionId, Ecn, Error, IpMeta, ListenerId, Options, State, Tcp, TxMeta, TxSink,
};

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

/// A segment of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seg {
    pub from: u16,
    pub to: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    pub urgent: u16,
    pub mss: Option<u16>,
    pub scale: Option<u8>,
    pub sack_permitted: bool,
    pub timestamps: Option<(u32, u32)>,
    pub sack: Vec<(u32, u32)>,
    pub payload: Vec<u8>,
    pub ecn: Ecn,
    pub dont_fragment: bool,
}

/// A segment from the peer.
pub fn seg(flags: u8, seq: u32, ack: u32) -> Seg {
    Seg {
        from: PEER_PORT,
        to: PORT,
        seq,
        ack,
        flags,
        window: 65_000,
        urgent: 0,
        mss: None,
        scale: None,
        sack_permitted: false,
        timestamps: None,
        sack: Vec::new(),
        payload: Vec::new(),
        ecn: Ecn::NotEct,
        dont_fragment: true,
    }
}

impl Seg {
    pub fn data(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub fn window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    pub fn mss(mut self, mss: u16) -> Self {
        self.mss = Some(mss);
        self
    }

    pub fn scale(mut self, scale: u8) -> Self {
        self.scale = Some(scale);
        self
    }

    pub fn ts(mut self, val: u32, ecr: u32) -> Self {
        self.timestamps = Some((val, ecr));
        self
    }

    pub fn sack(mut self, blocks: &[(u32, u32)]) -> Self {
        self.sack = blocks.to_vec();
        self
    }

    pub fn ecn(mut self, ecn: Ecn) -> Self {
        self.ecn = ecn;
        self
    }

    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// The octets of the segment, by etherparse.
    pub fn octets(&self) -> Vec<u8> {
        let mut header = TcpHeader::new(self.from, self.to, self.seq, self.window);
        header.acknowledgment_number = self.ack;
        header.fin = self.has(FIN);
        header.syn = self.has(SYN);
        header.rst = self.has(RST);
        header.psh = self.has(PSH);
        header.ack = self.has(ACK);
        header.urg = self.has(URG);
        header.ece = self.has(ECE);
        header.cwr = self.has(CWR);
        header.urgent_pointer = self.urgent;
        let mut options = Vec::new();
        options.extend(self.mss.map(TcpOptionElement::MaximumSegmentSize));
        options.extend(self.scale.map(TcpOptionElement::WindowScale));
        if self.sack_permitted {
            options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
        }
        options.extend(
            self.timestamps
                .map(|(val, ecr)| TcpOptionElement::Timestamp(val, ecr)),
        );
        if let Some((first, rest)) = self.sack.split_first() {
            let mut others = [None; 3];
            for (other, block) in others.iter_mut().zip(rest) {
                *other = Some(*block);
            }
            options.push(TcpOptionElement::SelectiveAcknowledgement(*first, others));
        }
        header.set_options(&options).expect("the options fit");
        header.checksum = header
            .calc_checksum_ipv4_raw(PEER.octets(), OURS.octets(), &self.payload)
            .expect("it is short enough");
        let mut octets = header.to_bytes().to_vec();
        octets.extend(&self.payload);
        octets
    }

    /// Reads a segment of the engine's, to the peer or a host of 10.1.0.0/16; its checksum must be
    /// right.
    pub fn read(meta: &TxMeta, octets: &[u8]) -> Self {
        assert_eq!((meta.source, meta.len), (OURS, octets.len()));
        let peer = meta.destination;
        assert!(peer == PEER || peer.octets()[1] == 1, "{peer}");
        let (header, payload) = TcpHeader::from_slice(octets).expect("a well-formed header");
        let sum = header.calc_checksum_ipv4_raw(OURS.octets(), peer.octets(), payload);
        assert_eq!(sum.expect("it is short enough"), header.checksum);
        let mut flags = 0;
        for (flag, on) in [
            (FIN, header.fin),
            (SYN, header.syn),
            (RST, header.rst),
            (PSH, header.psh),
            (ACK, header.ack),
            (URG, header.urg),
            (ECE, header.ece),
            (CWR, header.cwr),
        ] {
            flags |= if on { flag } else { 0 };
        }
        let mut read = Self {
            from: header.source_port,
            to: header.destination_port,
            window: header.window_size,
            urgent: header.urgent_pointer,
            payload: payload.to_vec(),
            ecn: meta.ecn,
            dont_fragment: meta.dont_fragment,
            ..seg(flags, header.sequence_number, header.acknowledgment_number)
        };
        for option in header.options_iterator() {
            match option.expect("well-formed options") {
                TcpOptionElement::MaximumSegmentSize(mss) => read.mss = Some(mss),
                TcpOptionElement::WindowScale(scale) => read.scale = Some(scale),
                TcpOptionElement::SelectiveAcknowledgementPermitted => read.sack_permitted = true,
                TcpOptionElement::Timestamp(val, ecr) => read.timestamps = Some((val, ecr)),
                TcpOptionElement::SelectiveAcknowledgement(first, others) => {
                    read.sack.push(first);
                    read.sack.extend(others.into_iter().flatten());
                }
                TcpOptionElement::Noop => {}
            }
        }
        read
    }
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
            source: PEER,
            destination: OURS,
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
        let sent = self.tcp.send(self.now, id, data);
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
        source: Ipv4Addr::from_bits(0x0a01_0000 + host),
        destination: OURS,
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
