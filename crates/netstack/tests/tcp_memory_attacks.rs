//! Attacks on a small budget, with an allocator that counts: what the engine holds stays within the budget, and a new
//! client is served afterwards.

mod heap;
mod wire;

use std::task::Poll;

use bytes::Bytes;
use netstack::proto::tcp::{Config, ConnectionId, Ecn, IpMeta, State};
use wire::*;

const BUDGET: usize = 1 << 20;
/// What may be allocated beyond the budget: tables that are there twice while they grow, the last frame, and what the
/// allocator's view of a tree's nodes and the account's differ by.
const BEYOND: usize = 128 << 10;
/// Octets of the buffers that frames come in.
const FRAME: usize = 2 << 10;
/// The same of a device that joins segments, with what a buffer takes beside its own.
const LONG_FRAME: usize = (66 << 10) + 128;

/// A connection of an attacker.
struct Attacker {
    host: u32,
    /// What it has got of our stream.
    ack: u32,
    id: ConnectionId,
}

struct Attack {
    e: Engine,
    attackers: Vec<Attacker>,
    /// Octets of the buffers.
    frame: usize,
    before: isize,
    most: isize,
}

impl Attack {
    fn new(most_attackers: usize) -> Self {
        Self::by_frames(most_attackers, FRAME, |_| FRAME)
    }

    fn by_frames(most_attackers: usize, frame: usize, held_by_frame: fn(usize) -> usize) -> Self {
        let mut config = Config::default();
        config.memory = Some(BUDGET);
        config.held_by_frame = held_by_frame;
        config.application_octets = 0;
        let attackers = Vec::with_capacity(most_attackers);
        let before = heap::held();
        let mut attack = Self {
            e: Engine::with(config, plain()),
            attackers,
            frame,
            before,
            most: 0,
        };
        attack.look();
        attack
    }

    /// Notes what is allocated now.
    fn look(&mut self) {
        self.most = self.most.max(heap::held() - self.before);
    }

    /// A connection with a maximum segment size and a window.
    fn open(&mut self, host: u32, mss: u16, window: u16) {
        let mut syn = sack_syn().mss(mss).window(window);
        syn.from = PEER_PORT;
        give_from(&mut self.e, host, &syn);
        let Some(syn_ack) = self.e.sent().into_iter().find(|seg| seg.has(SYN | ACK)) else {
            return;
        };
        let ack = syn_ack.seq.wrapping_add(1);
        give_from(&mut self.e, host, &seg(ACK, IRS + 1, ack).window(window));
        if let Ok(Some(id)) = self.e.tcp.accept(self.e.listener) {
            self.attackers.push(Attacker { host, ack, id });
        }
        self.settle();
    }

    /// A segment of an attacker in a buffer of its own, as a device's pool gives it.
    fn give(&mut self, attacker: usize, segment: &Seg) {
        let ip = IpMeta {
            source: std::net::Ipv4Addr::from_bits(0x0a01_0000 + self.attackers[attacker].host)
                .into(),
            destination: OURS.into(),
            ecn: Ecn::NotEct,
            checksummed: true,
        };
        let mut buffer = Vec::with_capacity(self.frame);
        buffer.extend_from_slice(&segment.octets());
        self.e
            .tcp
            .handle_segment(self.e.now, &ip, Bytes::from(buffer));
        self.look();
    }

    /// An echo as a service has it, without a copy; returns how many octets it has read.
    fn echo(&mut self, attacker: usize) -> u32 {
        let id = self.attackers[attacker].id;
        let mut read = 0;
        while let Poll::Ready(Ok(mut chunk)) = self.e.tcp.receive_bytes(self.e.now, id, usize::MAX)
            && !chunk.is_empty()
        {
            read += chunk.len() as u32;
            let _ = self.e.tcp.send_bytes(id, &mut chunk);
            self.look();
        }
        read
    }

    /// The service writes as much as it may to everyone, in small pieces.
    fn write_all(&mut self) {
        for attacker in 0..self.attackers.len() {
            let id = self.attackers[attacker].id;
            while let Poll::Ready(Ok(1..)) = self.e.tcp.send(id, &[7; 3000]) {
                self.look();
            }
            let _ = self.e.sent();
        }
        self.settle();
    }

    /// What a service does: it gives connections back that have ended.
    fn settle(&mut self) {
        let _ = self.e.sent();
        while self.e.tcp.poll_event().is_some() {}
        let (tcp, now) = (&mut self.e.tcp, self.e.now);
        self.attackers.retain(|attacker| {
            let ended = tcp
                .status(attacker.id)
                .is_ok_and(|status| status.state == State::Closed);
            if ended {
                tcp.release(now, attacker.id);
            }
            !ended
        });
        self.look();
    }

    /// A client comes that has nothing to do with it, and is served; what was allocated stayed within bounds.
    fn ends(mut self) {
        self.settle();
        let honest = 0xff00;
        let id = (0..4).find_map(|_| {
            let opened = open_saying(&mut self.e, (honest, PEER_PORT), b"hello");
            if opened.is_none() {
                let _ = self.e.pass(ms(250));
                self.settle();
            }
            opened
        });
        let (id, _) = id.expect("a new client gets in within a second");
        assert_eq!(self.e.read(id), b"hello");
        self.e.send(id, b"world");
        let answer = self.e.sent();
        assert!(
            answer.iter().any(|seg| seg.payload == b"world"),
            "{answer:?}"
        );
        self.look();
        println!("{} octets at most of a budget of {BUDGET}", self.most);
        // Of long frames also what the test makes them from.
        let beyond = BEYOND + 2 * (self.frame - FRAME);
        assert!(
            self.most <= (BUDGET + beyond) as isize,
            "{} octets, budget {BUDGET}",
            self.most
        );
        assert_eq!(self.e.tcp.audit(), self.e.tcp.memory_used());
    }
}

#[test]
fn single_octets_beyond_a_gap() {
    let mut attack = Attack::new(64);
    for host in 0..64 {
        attack.open(host, 1000, 65_000);
    }
    for octet in 0..190 {
        for attacker in 0..attack.attackers.len() {
            let ack = attack.attackers[attacker].ack;
            attack.give(
                attacker,
                &seg(ACK | PSH, IRS + 3 + 2 * octet, ack).data(b"1"),
            );
        }
        attack.settle();
    }
    attack.ends();
}

#[test]
fn gaps_that_nobody_fills() {
    let mut attack = Attack::new(160);
    for host in 0..160 {
        attack.open(host, 1000, 65_000);
    }
    for segment in 0..60 {
        for attacker in 0..attack.attackers.len() {
            let ack = attack.attackers[attacker].ack;
            let seq = IRS + 2 + 1000 * segment;
            attack.give(attacker, &seg(ACK, seq, ack).data(&[1; 1000]));
        }
        attack.settle();
    }
    attack.ends();
}

#[test]
fn windows_that_stay_closed() {
    let mut attack = Attack::new(300);
    for host in 0..300 {
        attack.open(host, 1000, 0);
        attack.write_all();
    }
    for _ in 0..20 {
        attack.e.pass(ms(1000));
        attack.write_all();
    }
    attack.ends();
}

#[test]
fn readers_that_take_a_little_now_and_then() {
    let mut attack = Attack::new(100);
    for host in 0..100 {
        attack.open(host, 1000, 65_000);
    }
    for _ in 0..50 {
        attack.write_all();
        for attacker in 0..attack.attackers.len() {
            attack.attackers[attacker].ack += 1000;
            let ack = attack.attackers[attacker].ack;
            attack.give(attacker, &seg(ACK, IRS + 1, ack));
        }
        attack.e.pass(ms(10));
    }
    attack.ends();
}

#[test]
fn the_smallest_segments() {
    let mut attack = Attack::new(100);
    for host in 0..100 {
        attack.open(host, 1, 65_000);
    }
    for _ in 0..20 {
        attack.write_all();
        for attacker in 0..attack.attackers.len() {
            attack.attackers[attacker].ack += 36;
            let ack = attack.attackers[attacker].ack;
            attack.give(attacker, &seg(ACK, IRS + 1, ack));
        }
        attack.e.pass(ms(10));
    }
    attack.ends();
}

#[test]
fn data_that_nobody_reads() {
    let mut attack = Attack::new(200);
    for host in 0..200 {
        attack.open(host, 1000, 65_000);
    }
    for octet in 0..100 {
        for attacker in 0..attack.attackers.len() {
            let ack = attack.attackers[attacker].ack;
            attack.give(attacker, &seg(ACK | PSH, IRS + 1 + octet, ack).data(b"1"));
        }
        attack.settle();
    }
    attack.ends();
}

#[test]
fn connections_that_do_nothing() {
    let mut attack = Attack::new(4000);
    for host in 0..4000 {
        attack.e.now += ms(1);
        attack.open(host, 1000, 65_000);
    }
    assert!(attack.attackers.len() > 500, "{}", attack.attackers.len());
    attack.ends();
}

#[test]
fn handshakes_that_nobody_ends() {
    let mut attack = Attack::new(0);
    for host in 0..4000 {
        attack.e.now += ms(1);
        give_from(&mut attack.e, host, &sack_syn());
        attack.settle();
    }
    attack.ends();
}

#[test]
fn time_waits() {
    let mut attack = Attack::new(1);
    for host in 0..4000 {
        attack.e.now += ms(1);
        attack.open(host, 1000, 65_000);
        let Some(Attacker { id, ack, .. }) = attack.attackers.pop() else {
            continue;
        };
        let _ = attack.e.tcp.shutdown(attack.e.now, id);
        let _ = attack.e.sent();
        give_from(
            &mut attack.e,
            host,
            &seg(FIN | ACK, IRS + 1, ack.wrapping_add(1)),
        );
        attack.e.tcp.release(attack.e.now, id);
        attack.settle();
    }
    let (_, waiting) = attack.e.tcp.connection_counts();
    assert!(waiting > 500, "{waiting}");
    attack.ends();
}

/// Echoes of the last `new` octets of long frames, whose others are known, are never acknowledged.
fn echoes_of_long_frames(attackers: u32, new: u32) {
    const LENGTH: u32 = 60_025;
    let mut attack = Attack::by_frames(attackers as usize, LONG_FRAME, |_| LONG_FRAME);
    for host in 0..attackers {
        attack.open(host, 1000, 65_000);
    }
    let mut next = vec![IRS + 1; attackers as usize];
    for _ in 0..60 {
        for attacker in 0..attack.attackers.len() {
            let Attacker { host, ack, .. } = attack.attackers[attacker];
            let seq = next[host as usize].wrapping_sub(LENGTH - new);
            let segment = seg(ACK, seq, ack).data(&[1; LENGTH as usize]);
            attack.give(attacker, &segment);
            next[host as usize] += attack.echo(attacker);
        }
        attack.settle();
    }
    assert!(next.iter().all(|next| *next > IRS + new), "all are echoed");
    attack.ends();
}

#[test]
fn echoes_of_small_parts_of_long_frames() {
    echoes_of_long_frames(1, 1025);
    echoes_of_long_frames(8, 1025);
}

#[test]
fn echoes_of_half_of_long_frames() {
    echoes_of_long_frames(8, 33_000);
    echoes_of_long_frames(8, 34_000);
}
