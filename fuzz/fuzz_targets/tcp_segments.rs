//! A sequence of segments, user calls, ICMP errors and time-outs, in which sequence numbers are near
//! those that the engine expects: all states are within reach.
#![no_main]

mod tcp_wire;

use core::net::SocketAddrV4;
use core::task::Poll;
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::tcp::congestion::{self, MakeController};
use netstack::proto::tcp::{Config, ConnectionId, Ecn, IcmpError, ListenerId, Options, Tcp};
use tcp_wire::{OURS, PEER, Raw, Sink};

const MEMORY: usize = 100_000;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// What the peer knows of a port: what it was sent last.
#[derive(Clone, Copy, Default)]
struct Seen {
    port: u16,
    peer_port: u16,
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
    fn transmit(&mut self) {
        let mut sink = Sink {
            mtu: 1500,
            ..Sink::default()
        };
        // All that is queued, in the smallest segments that a peer can ask for, is less.
        const ENOUGH: usize = MEMORY / 16;
        let count = self.tcp.poll_transmit(self.now, &mut sink, ENOUGH);
        assert!(
            count < ENOUGH,
            "a quiet peer makes the engine send without end"
        );
        for sent in sink.sent {
            assert_eq!(sent.destination, PEER);
            let seen = Seen {
                port: sent.source_port,
                peer_port: sent.destination_port,
                seq: sent
                    .seq
                    .wrapping_add(sent.payload as u32 + u32::from(sent.flags & 3 != 0)),
                ack: sent.ack,
            };
            match self
                .seen
                .iter_mut()
                .find(|old| (old.port, old.peer_port) == (seen.port, seen.peer_port))
            {
                Some(old) => *old = seen,
                None => self.seen.push(seen),
            }
        }
    }

    fn segment(&mut self, input: &mut Input<'_>) {
        let which = input.byte();
        let flags = input.byte();
        let known = self.seen.get(usize::from(which >> 2)).copied();
        let seen = known.unwrap_or(Seen {
            port: 80,
            peer_port: 1000 + u16::from(which),
            ..Seen::default()
        });
        // Offsets are nearly always small.
        let offset = |byte: u8, far: u16| {
            if byte & 0x80 == 0 {
                i32::from(byte as i8)
            } else {
                i32::from(far as i16) * 40
            }
        };
        let (mut seq, mut ack) = (0, 0);
        if which & 1 != 0 {
            seq = offset(input.byte(), input.word());
        }
        if which & 2 != 0 {
            ack = offset(input.byte(), input.word());
        }
        let options = usize::from(input.byte()) % 41;
        let payload = usize::from(input.word()) % 1500;
        let raw = Raw {
            source_port: seen.peer_port,
            destination_port: seen.port,
            seq: seen.ack.wrapping_add_signed(seq),
            ack: seen.seq.wrapping_add_signed(ack),
            flags,
            window: input.word(),
            options: input.take(options),
            payload: &[0x5a; 1500][..payload],
        };
        raw.give(&mut self.tcp, self.now, Ecn::from_traffic_class(which >> 6));
    }

    fn call(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let id = self.held.get(usize::from(what >> 4)).copied();
        let now = self.now;
        match (what & 0xf, id) {
            (0, _) => {
                let accepted = self.tcp.accept(self.listener).expect("the listener stays");
                self.held.extend(accepted);
            }
            (1, _) if self.held.len() < 16 => {
                let remote = SocketAddrV4::new(PEER, 1 + u16::from(input.byte() & 3));
                let mut options = Options::default();
                let chosen = input.byte();
                options.ecn = chosen & 1 != 0;
                options.congestion = controller(chosen >> 1);
                let opened = self
                    .tcp
                    .connect(now, SocketAddrV4::new(OURS, 0), remote, &options);
                self.held.extend(opened);
            }
            (2 | 3, Some(id)) => {
                let _ = self
                    .tcp
                    .send(id, &[0x33; 3000][..usize::from(input.word()) % 3000]);
            }
            (4 | 5, Some(id)) => {
                let mut buffer = [0; 2000];
                let room = usize::from(input.word()) % 2000;
                if let Poll::Ready(Ok(count)) = self.tcp.receive(now, id, &mut buffer[..room]) {
                    assert!(buffer[..count].iter().all(|octet| *octet == 0x5a));
                }
            }
            (6, Some(id)) => {
                let _ = self.tcp.shutdown(now, id);
            }
            (7, Some(id)) => self.tcp.abort(now, id),
            (8, Some(id)) => {
                self.tcp.release(now, id);
                self.held.retain(|held| *held != id);
                assert!(self.tcp.status(id).is_err());
            }
            (9, Some(id)) => {
                let _ = self.tcp.set_keep_alive(now, id, Some(Default::default()));
            }
            (10, Some(id)) => {
                let _ = self
                    .tcp
                    .set_user_timeout(id, Some(Duration::from_millis(input.word().into())));
            }
            (11, Some(id)) => {
                let _ = self.tcp.poll_flushed(id);
            }
            (12, _) => self.icmp(input),
            _ => {}
        }
    }

    fn icmp(&mut self, input: &mut Input<'_>) {
        let Some(seen) = self.seen.get(usize::from(input.byte())).copied() else {
            return;
        };
        let mut quoted = [0; 8];
        quoted[..2].copy_from_slice(&seen.port.to_be_bytes());
        quoted[2..4].copy_from_slice(&seen.peer_port.to_be_bytes());
        quoted[4..].copy_from_slice(&seen.seq.wrapping_sub(u32::from(input.byte())).to_be_bytes());
        let error = match input.byte() & 3 {
            0 => IcmpError::NetworkUnreachable,
            1 => IcmpError::HostUnreachable,
            2 => IcmpError::PortUnreachable,
            _ => IcmpError::FragmentationNeeded(input.word()),
        };
        self.tcp.handle_icmp(self.now, OURS, PEER, &quoted, error);
    }
}

fn controller(which: u8) -> Option<MakeController> {
    match which % 4 {
        0 => Some(congestion::new_reno),
        1 => Some(congestion::bbr),
        _ => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let mut config = Config::default();
    config.memory = Some(MEMORY);
    config.max_connections = 12;
    config.max_time_wait = 4;
    let mut tcp = Tcp::new(config, [9; 32]);
    let mut input = Input(data);
    let mut options = Options::default();
    options.congestion = controller(input.byte());
    let listener = tcp
        .listen(SocketAddrV4::new(OURS, 80), 3, options)
        .expect("a free port");
    let now = Instant::from_nanos(1_000_000_000);
    let mut world = World {
        tcp,
        now,
        listener,
        held: Vec::new(),
        seen: Vec::new(),
    };
    while !input.0.is_empty() {
        match input.byte() & 7 {
            0..=3 => world.segment(&mut input),
            4 | 5 => world.call(&mut input),
            6 => world.now += Duration::from_millis(u64::from(input.word())),
            _ => {
                if let Some(next) = world.tcp.next_timeout() {
                    world.now = world.now.max(next);
                }
            }
        }
        world.tcp.handle_timeout(world.now);
        world.transmit();
        for _ in 0..100 {
            if world.tcp.poll_event().is_none() {
                break;
            }
        }
        assert_eq!(world.tcp.audit(), world.tcp.memory_used());
        // What one segment or call takes may exceed the budget.
        assert!(world.tcp.memory_used() <= MEMORY + 40_000);
    }
    // Whatever happened, everything ends once nobody holds it.
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
    assert_eq!(
        world.tcp.connection_counts(),
        (0, 0),
        "connections are left over"
    );
    // Tables, and chunks for connections to come.
    assert!(world.tcp.memory_used() <= MEMORY / 2, "memory is left over");
});
