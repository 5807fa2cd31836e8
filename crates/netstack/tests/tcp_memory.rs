//! What the TCP engine allocates: nothing for a segment in steady state, little for an idle
//! connection.

mod heap;
mod wire;

use std::net::IpAddr;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use netstack::proto::tcp::{Config, ConnectionId, Ecn, IpMeta, TxMeta, TxSink};
use wire::*;

/// Octets of a kibibyte that an idle connection leaves to the handle of its user and to the list of
/// who waits for it (`sockets_memory` counts all together).
const ABOVE: isize = 96 + 56;

#[test]
fn an_idle_connection_holds_less_than_a_kibibyte() {
    const CONNECTIONS: u16 = 1000;
    let mut e = Engine::new();
    let mut held = Vec::with_capacity(CONNECTIONS.into());
    let (mut before, mut taken_before) = (0, 0);
    // The first one also pays for what the engine keeps for all.
    for port in 0..=CONNECTIONS {
        let from = |mut segment: Seg| {
            segment.from = 2000 + port;
            segment
        };
        let syn_ack = e.answer(&from(sack_syn()));
        e.give(&from(seg(ACK, IRS + 1, syn_ack.seq + 1)));
        let id = e.tcp.accept(e.listener).unwrap().unwrap();
        // It is used in both directions, out of order too.
        e.give(&from(seg(ACK, IRS + 6, syn_ack.seq + 1).data(b"world")));
        e.give(&from(seg(ACK, IRS + 1, syn_ack.seq + 1).data(b"hello")));
        assert_eq!(e.read(id).len(), 10);
        e.send(id, &[1; 5000]);
        let _ = e.sent();
        e.give(&from(seg(ACK, IRS + 11, syn_ack.seq + 5001)));
        let _ = e.sent();
        held.push(id);
        if port == 0 {
            e.pass(ms(5000));
            (before, taken_before) = (heap::held(), heap::taken());
        }
    }
    e.pass(ms(5000));
    while e.tcp.poll_event().is_some() {}
    let octets = (heap::held() - before) / isize::try_from(CONNECTIONS).unwrap();
    println!("{octets} octets for each idle connection");
    let taken = (heap::taken() - taken_before) / isize::try_from(CONNECTIONS).unwrap();
    assert!(
        taken <= 1024 - ABOVE,
        "{taken} octets for each idle connection, {octets} asked for"
    );
    // What the account says is what the allocator says, but for what it keeps for later.
    let charged = e.tcp.memory_used() / (usize::from(CONNECTIONS) + 1);
    assert!(
        (octets as usize..1024).contains(&charged),
        "{charged} charged"
    );
    assert_eq!(e.tcp.audit(), e.tcp.memory_used());
}

/// Counts segments; keeps the header of the last.
struct Frame {
    buffer: Vec<u8>,
    segments: usize,
}

impl TxSink for Frame {
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.segments += 1;
        self.buffer.get_mut(..meta.len)
    }

    fn commit(&mut self) {}
}

/// Segments in order from `c` on, as slices of one large buffer like those of a device's pool.
fn frames(c: &mut Conn, count: usize, make: impl Fn(&mut Conn) -> Seg) -> Vec<Bytes> {
    let mut pool = BytesMut::with_capacity(count * 1600);
    (0..count)
        .map(|_| {
            let segment = make(c);
            pool.extend_from_slice(&segment.octets());
            pool.split().freeze()
        })
        .collect()
}

const IP: IpMeta = IpMeta {
    source: IpAddr::V4(PEER),
    destination: IpAddr::V4(OURS),
    ecn: Ecn::NotEct,
    checksummed: false,
};

fn established() -> (Conn, ConnectionId, Frame) {
    let c = Conn::accept(Config::default(), plain(), &sack_syn().scale(7));
    let id = c.id;
    (
        c,
        id,
        Frame {
            buffer: vec![0; 1500],
            segments: 0,
        },
    )
}

#[test]
fn receiving_in_steady_state_allocates_nothing() {
    let (mut c, id, mut frame) = established();
    let segments = frames(&mut c, 4000, |c| {
        let segment = c.seg(ACK).data(&[7; 1000]);
        c.seq += 1000;
        segment
    });
    let mut calls = 0;
    let mut read = 0;
    for (index, segment) in segments.into_iter().enumerate() {
        if index == 1000 {
            calls = heap::calls();
        }
        c.e.tcp.handle_segment(c.e.now, &IP, segment);
        if index % 8 == 7 {
            while let Poll::Ready(Ok(chunk)) = c.e.tcp.receive_bytes(c.e.now, id, usize::MAX) {
                read += chunk.len();
            }
            c.e.tcp.poll_transmit(c.e.now, &mut frame, 100);
            while c.e.tcp.poll_event().is_some() {}
        }
    }
    assert_eq!(heap::calls() - calls, 0, "allocations for 3000 segments");
    assert_eq!(read, 4_000_000);
}

#[test]
fn sending_in_steady_state_allocates_nothing() {
    let (mut c, id, mut frame) = established();
    let acks = frames(&mut c, 1000, |c| {
        c.ack = c.ack.wrapping_add(4000);
        c.seg(ACK)
    });
    let data = [9; 4000];
    let mut calls = 0;
    for (index, ack) in acks.into_iter().enumerate() {
        if index == 250 {
            calls = heap::calls();
        }
        assert_eq!(c.e.tcp.send(id, &data), Poll::Ready(Ok(4000)));
        c.e.tcp.poll_transmit(c.e.now, &mut frame, 100);
        c.e.tcp.handle_segment(c.e.now, &IP, ack);
        while c.e.tcp.poll_event().is_some() {}
    }
    assert_eq!(heap::calls() - calls, 0, "allocations for 3000 segments");
    assert!(frame.segments >= 4000);
}
