//! Many connections from several addresses, and a budget that is spent: whatever comes, in whatever
//! order, what was charged is what is held, and what is held stays within the budget.
#![no_main]

mod tcp_wire;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::tcp::{Config, ConnectionId, Ecn, IpMeta, ListenerId, Options, Tcp};
use tcp_wire::{OURS, Raw, Sink};

const MEMORY: usize = 60_000;
/// What one segment or call may take beyond the budget: its octets with what is rounded up, or the
/// growth of a table.
const OVERSHOOT: usize = 40_000;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }
}

/// What a peer knows of a connection: what it was sent last.
#[derive(Clone, Copy)]
struct Seen {
    peer: (Ipv4Addr, u16),
    seq: u32,
    ack: u32,
}

struct World {
    tcp: Tcp,
    now: Instant,
    listener: ListenerId,
    held: Vec<ConnectionId>,
    seen: Vec<Seen>,
}

impl World {
    fn give(&mut self, peer: (Ipv4Addr, u16), raw: Raw<'_>) {
        let raw = Raw {
            source_port: peer.1,
            destination_port: 80,
            ..raw
        };
        let ip = IpMeta {
            source: peer.0.into(),
            destination: OURS.into(),
            ecn: Ecn::NotEct,
            checksummed: true,
        };
        let segment = Bytes::from(raw.octets());
        self.tcp.handle_segment(self.now, &ip, segment);
    }

    fn transmit(&mut self) {
        let mut sink = Sink {
            mtu: 1500,
            ..Sink::default()
        };
        self.tcp.poll_transmit(self.now, &mut sink, 10_000);
        for sent in sink.sent {
            let peer = (sent.destination, sent.destination_port);
            let flags = u32::from(sent.flags & 3 != 0);
            let seen = Seen {
                peer,
                seq: sent.seq.wrapping_add(sent.payload as u32 + flags),
                ack: sent.ack,
            };
            match self.seen.iter_mut().find(|old| old.peer == peer) {
                Some(old) => *old = seen,
                None => self.seen.push(seen),
            }
        }
    }

    /// A peer opens a connection, up to its acceptance.
    fn open(&mut self, input: &mut Input<'_>) {
        let which = input.byte();
        let peer = (
            Ipv4Addr::new(10, 0, 0, 2 + (which & 7)),
            1000 + u16::from(which >> 3),
        );
        let window = input.word();
        let syn = Raw {
            seq: 1,
            flags: 2,
            window,
            options: &[2, 4, 5, 180, 4, 2, 3, 3, 7],
            ..Raw::default()
        };
        self.give(peer, syn);
        self.transmit();
        if let Some(seen) = self.seen.iter().find(|seen| seen.peer == peer).copied()
            && which & 0x80 == 0
        {
            let third = Raw {
                seq: 2,
                ack: seen.seq,
                flags: 16,
                window,
                ..Raw::default()
            };
            self.give(peer, third);
        }
    }

    fn segment(&mut self, input: &mut Input<'_>) {
        let Some(seen) = self.seen.get(usize::from(input.byte())).copied() else {
            return;
        };
        let payload = usize::from(input.word()) % 1460;
        // Beyond a gap, or not.
        let gap = u32::from(input.byte()) * 97 * u32::from(input.byte() & 1);
        let raw = Raw {
            seq: seen.ack.wrapping_add(gap),
            ack: seen.seq.wrapping_sub(u32::from(input.byte())),
            flags: 16 | (input.byte() & 0x05 & input.byte()),
            window: input.word(),
            payload: &[0x5a; 1460][..payload],
            ..Raw::default()
        };
        self.give(seen.peer, raw);
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        while let Ok(Some(id)) = self.tcp.accept(self.listener) {
            self.held.push(id);
        }
        let Some(id) = self.held.get(usize::from(input.byte())).copied() else {
            return;
        };
        let length = usize::from(input.word());
        match what & 7 {
            0 | 1 => {
                let _ = self.tcp.send(id, &[0x33; 65_536][..length]);
            }
            2 => {
                let mut data = Bytes::from(vec![0x33; length]);
                let _ = self.tcp.send_bytes(id, &mut data);
            }
            3 => {
                let _ = self
                    .tcp
                    .receive(self.now, id, &mut [0; 4000][..length % 4000]);
            }
            4 => {
                let _ = self.tcp.receive_bytes(self.now, id, length);
            }
            5 => {
                let _ = self.tcp.shutdown(self.now, id);
            }
            6 => self.tcp.abort(self.now, id),
            _ => {
                self.tcp.release(self.now, id);
                self.held.retain(|held| *held != id);
            }
        }
    }

    fn check(&mut self) {
        let held = self.tcp.audit();
        assert_eq!(held, self.tcp.memory_used(), "charged and held");
        assert!(held <= MEMORY + OVERSHOOT, "{held} octets held");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut config = Config::default();
    config.memory = Some(MEMORY);
    config.application_octets = 300;
    let mut tcp = Tcp::new(config, [9; 32]);
    let listener = tcp
        .listen(SocketAddrV4::new(OURS, 80), 16, Options::default())
        .expect("a free port");
    let mut world = World {
        tcp,
        now: Instant::from_nanos(1_000_000_000),
        listener,
        held: Vec::new(),
        seen: Vec::new(),
    };
    let mut input = Input(data);
    while !input.0.is_empty() {
        match input.byte() & 7 {
            0 | 1 => world.open(&mut input),
            2..=4 => world.segment(&mut input),
            5 => world.call(&mut input),
            6 => world.now += Duration::from_millis(u64::from(input.word())),
            _ => {
                if let Some(next) = world.tcp.next_timeout() {
                    world.now = world.now.max(next);
                }
            }
        }
        world.check();
        world.tcp.handle_timeout(world.now);
        world.check();
        world.transmit();
        while world.tcp.poll_event().is_some() {}
        world.check();
    }
    for id in core::mem::take(&mut world.held) {
        world.tcp.release(world.now, id);
    }
    world.tcp.close_listener(world.now, world.listener);
    for _ in 0..10_000 {
        world.transmit();
        match world.tcp.next_timeout() {
            Some(next) => world.now = world.now.max(next),
            None => break,
        }
        world.tcp.handle_timeout(world.now);
    }
    world.check();
    assert_eq!(
        world.tcp.connection_counts(),
        (0, 0),
        "connections are left over"
    );
});
