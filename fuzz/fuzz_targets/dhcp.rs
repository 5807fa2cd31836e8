//! A stack with a DHCP client between servers that say anything at any time.
//!
//! The input is a list of steps: time passes, a message comes that is an answer to the last one of
//! ours but for what the input changes of it, a frame comes that is the input's own, another station
//! claims the address, or the client is started, resumed or stopped.
//!
//! Held true after each step: the addresses, the routes and the MTU are those of the lease and no
//! others, deadlines lie ahead, and no more was sent than the time allows.
#![no_main]

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::dhcp::{CLIENT_PORT, SERVER_PORT};
use netstack::proto::interface::{Event, Interface, InterfaceConfig};
use netstack::proto::ip::v4::{self, Header, protocol};
use netstack::proto::ip::{Cidr, Route};
use netstack::proto::link::arp::Packet;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::udp;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const MTU: usize = 1500;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

struct World {
    stack: Interface,
    now: Instant,
    /// The last DHCP message of ours.
    last: Vec<u8>,
    /// Messages of ours, and when they were counted from.
    messages: u32,
    since: Instant,
}

impl World {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self {
            stack: Interface::new(InterfaceConfig::new(MAC, MTU, [5; 32])),
            now,
            last: vec![0; 300],
            messages: 0,
            since: now,
        }
    }

    fn call(&mut self, call: impl FnOnce(&mut Interface, Instant, &mut dyn FnMut(&[u8]))) {
        let (last, messages) = (&mut self.last, &mut self.messages);
        let mut out = |frame: &[u8]| {
            assert!((14..=14 + MTU).contains(&frame.len()));
            let dhcp = frame[12..14] == [8, 0] && frame[23] == 17 && frame[34..36] == [0, 68];
            if dhcp {
                assert!(frame.len() >= 14 + 20 + 8 + 300, "RFC 1542 §2.1");
                *last = frame[42..].to_vec();
                *messages += 1;
            }
        };
        call(&mut self.stack, self.now, &mut out);
        for _ in 0..16 {
            if !self.stack.poll(self.now, 16, &mut out) {
                break;
            }
        }
        self.check();
    }

    fn check(&mut self) {
        if let Some(at) = self.stack.poll_at(self.now) {
            assert!(at > self.now, "what was due is still due");
        }
        let lease = self.stack.lease().cloned();
        while let Some(event) = self.stack.poll_event() {
            if let Event::Lease(Some(told)) = event {
                assert_eq!(Some(told), lease, "an event of an older lease");
            }
        }
        let addresses: Vec<_> = lease
            .iter()
            .map(|lease| Cidr::from(lease.address))
            .collect();
        assert_eq!(self.stack.addresses(), addresses);
        let granted = lease.iter().flat_map(|lease| &lease.routes);
        let granted: Vec<Route> = granted.map(|route| Route::from(*route)).collect();
        let held = self.stack.routes();
        for route in &held {
            assert!(granted.contains(route), "{route:?}, which no lease has");
        }
        for route in &granted {
            let held = held.iter();
            let held = held.filter(|held| held.destination == route.destination);
            assert_eq!(held.count(), 1, "{route:?}");
        }
        let mtu = lease.as_ref().and_then(|lease| lease.mtu).map(usize::from);
        let expected = mtu
            .filter(|mtu| *mtu >= 576)
            .map_or(MTU, |mtu| mtu.min(MTU));
        assert_eq!(self.stack.mtu(), expected);
        if let Some(lease) = lease {
            assert!(!lease.address.address().is_unspecified());
            assert!(
                lease
                    .duration
                    .is_none_or(|duration| duration >= Duration::from_secs(10))
            );
            let gateway = lease.gateway.is_none_or(|gateway| {
                let mut routes = lease.routes.iter();
                routes.any(|route| route.gateway == gateway && route.destination.prefix() == 0)
            });
            assert!(gateway, "{lease:?}");
        }
        // A lease of ten seconds is extended each five, and lost and searched for in between: no more
        // than a handful of messages at once and one a second after that.
        let seconds = (self.now - self.since).as_secs();
        let most = 8 + seconds;
        assert!(
            u64::from(self.messages) <= most,
            "{} messages in {seconds} s",
            self.messages
        );
    }

    /// An answer to our last message, changed by the input.
    fn answer(&mut self, input: &mut Input<'_>) {
        let how = input.byte();
        let mut message = vec![0; 240];
        message[..3].copy_from_slice(&[2, 1, 6]);
        message[4..8].copy_from_slice(&self.last[4..8]);
        message[16..20].copy_from_slice(&[10, 0, 0, 50 + (how & 3)]);
        message[28..34].copy_from_slice(&MAC.0);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        // Offer or acknowledgement, as is due; or what the input says.
        let discover = self.last.get(242) == Some(&1);
        let kind = match how >> 2 & 3 {
            0 => 6,
            1 => input.byte(),
            _ if discover => 2,
            _ => 5,
        };
        message.extend([53, 1, kind]);
        if how & 0x10 == 0 {
            message.extend([54, 4, 10, 0, 0, 1 + (how >> 7)]);
        }
        if how & 0x20 == 0 {
            message.extend([51, 4, 0, 0, input.byte() & 0x3f, input.byte()]);
        }
        let options = usize::from(input.byte());
        message.extend(input.take(options));
        if how & 0x40 != 0 {
            // Overloaded fields, and octets changed anywhere.
            message.extend([52, 1, 1 + (input.byte() & 3)]);
            let field = input.take(64);
            message[44..][..field.len()].copy_from_slice(field);
            let field = input.take(128);
            message[108..][..field.len()].copy_from_slice(field);
            for _ in 0..input.byte() & 3 {
                let at = usize::from(input.byte()) * 3 % message.len();
                message[at] = input.byte();
            }
        }
        message.push(255);
        let frame = datagram(Ipv4Addr::BROADCAST, &message, how & 8 != 0);
        self.call(|stack, now, mut out| stack.handle_frame(now, frame.into(), &mut out));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        match what % 16 {
            0..=7 => self.answer(input),
            8 | 9 => {
                // To what is due next, and a little more.
                let next = self.stack.poll_at(self.now).unwrap_or(self.now);
                let most = self.now + Duration::from_secs(100_000);
                self.now = next.min(most).max(self.now);
                self.call(|_, _, _| {});
            }
            10 => {
                self.now += Duration::from_millis(1 << (what >> 4) | u64::from(input.byte()));
                self.call(|_, _, _| {});
            }
            11 => {
                let length = usize::from(input.byte());
                let frame = datagram(SERVER, input.take(length), false);
                self.call(|stack, now, mut out| stack.handle_frame(now, frame.into(), &mut out));
            }
            12 => {
                let Some(lease) = self.stack.lease() else {
                    return;
                };
                let claim = Packet::announcement(PEER, lease.address.address()).to_bytes();
                let frame = [&MacAddr::BROADCAST.0[..], &PEER.0, &[8, 6], &claim].concat();
                self.call(|stack, now, mut out| stack.handle_frame(now, frame.into(), &mut out));
            }
            13 => {
                self.restarted();
                self.call(|stack, now, _| stack.start_dhcp(now));
            }
            14 => {
                self.restarted();
                let address = Ipv4Addr::from([10, 0, 0, input.byte()]);
                self.call(|stack, now, _| stack.resume_dhcp(now, address));
            }
            _ => self.call(|stack, now, mut out| stack.stop_dhcp(now, &mut out)),
        }
    }

    /// The user starts the client anew: it may send again at once.
    fn restarted(&mut self) {
        (self.messages, self.since) = (0, self.now);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    world.call(|stack, now, _| stack.start_dhcp(now));
    let mut input = Input(data);
    while !input.0.is_empty() {
        world.step(&mut input);
    }
});

/// A frame with `message` from a server's port to a client's, with or without a checksum.
fn datagram(to: Ipv4Addr, message: &[u8], checksum: bool) -> Vec<u8> {
    let mut datagram = vec![0; udp::HEADER_LEN + message.len()];
    let source = SocketAddrV4::new(SERVER, SERVER_PORT);
    udp::write(
        source,
        SocketAddrV4::new(to, CLIENT_PORT),
        message,
        &mut datagram,
    );
    if !checksum {
        datagram[6..8].fill(0);
    }
    let header = Header::new(SERVER, to, protocol::UDP, datagram.len());
    let mut packet = vec![0; v4::HEADER_LEN];
    header.write(&mut packet);
    let station = if to.is_broadcast() {
        MacAddr::BROADCAST
    } else {
        MAC
    };
    [&station.0[..], &PEER.0, &[8, 0], &packet, &datagram].concat()
}
