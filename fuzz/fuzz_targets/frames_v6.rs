//! Frames of IPv6 to a stack that speaks it: headers and their extensions, fragments, ICMPv6, neighbour discovery.
//! Nothing panics, answers are bounded, and what is held stays within the account.
#![no_main]

use core::cell::Cell;
use core::net::{Ipv6Addr, SocketAddr};
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::Ipv6;
use netstack::proto::icmp::v6::write_checksum;
use netstack::proto::interface::{Event, InterfaceConfig};
use netstack::proto::ip::Cidr;
use netstack::proto::ip::v6::{ALL_NODES, Header, solicited_node};
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::{Config, Options};
use netstack::proto::{Instant, Interface};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const THEIRS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
/// What one frame may be answered with at once: a queue of frames that waited for a neighbour, and an answer of its own.
const MOST_ANSWERS: usize = 64 + 64;
/// What the stack may hold.
const MEMORY: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let tcp = Config::default().memory(MEMORY);
    let mut stack = Interface::new(InterfaceConfig::new(MAC, 1500, [7; 32]).tcp(tcp));
    let mut now = Instant::from_nanos(0);
    let settings = Ipv6::default().dad_transmits(data.first().map_or(0, |it| it & 1));
    stack.start_ipv6(now, &settings);
    stack.add_address(now, Cidr::new(ADDRESS, 64).expect("a prefix"));
    let any = |port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
    let udp = stack.udp_bind(any(53)).expect("a free port");
    let listener = stack
        .listen(any(7), 4, Options::default())
        .expect("a free port");

    let mut rest = data;
    while let [step, len, more @ ..] = rest {
        let (octets, later) = more.split_at(usize::from(*len).min(more.len()));
        rest = later;
        let answers = Cell::new(0);
        let mut out = |frame: &[u8]| {
            assert!(
                (14..=1514).contains(&frame.len()),
                "a frame of {} octets",
                frame.len()
            );
            answers.set(answers.get() + 1);
        };
        let checksummed = step & 0x80 != 0;
        match step % 4 {
            0 => stack.handle_received(now, raw(octets).into(), checksummed, &mut out),
            1 => stack.handle_received(now, packet(*step, octets).into(), checksummed, &mut out),
            2 => {
                now += Duration::from_millis(1 << (len % 24));
                while stack.poll(now, 16, &mut out) && answers.get() < MOST_ANSWERS {}
            }
            _ => stack.handle_frame(now, message(*step, octets).into(), &mut out),
        }
        assert!(answers.get() <= MOST_ANSWERS, "{} answers", answers.get());
        assert!(stack.tcp().memory_used() <= 2 * MEMORY);
        while let Some(event) = stack.poll_event() {
            if event == Event::Udp(udp) {
                let _ = stack.udp().receive(udp);
            }
        }
        if let Ok(Some(connection)) = stack.tcp().accept(listener) {
            stack.tcp().release(now, connection);
        }
        let addresses = stack.addresses();
        assert!(addresses.len() <= 20, "{addresses:?}");
    }
});

/// `octets` behind an Ethernet header to us.
fn raw(octets: &[u8]) -> Vec<u8> {
    [MAC.0.as_slice(), &PEER.0, &[0x86, 0xdd], octets].concat()
}

/// `octets` as an IPv6 packet to us: version, length and addresses are put right.
fn packet(step: u8, octets: &[u8]) -> Vec<u8> {
    let Some((next_header, payload)) = octets.split_first() else {
        return raw(octets);
    };
    let next_header = match step / 4 % 8 {
        0 => 0,
        1 => 44,
        2 => 60,
        3 => 43,
        4 => 6,
        5 => 17,
        _ => *next_header,
    };
    let mut source = THEIRS.octets();
    source[15] = step;
    let header = Header::new(source.into(), ADDRESS, next_header, payload.len());
    let mut packet = vec![0; 40];
    header.write(&mut packet);
    packet.extend_from_slice(payload);
    raw(&packet)
}

/// `octets` as a message of ICMPv6, with a right checksum: of neighbour discovery, or another.
fn message(step: u8, octets: &[u8]) -> Vec<u8> {
    let mut message = octets.to_vec();
    message.resize(message.len().max(8), 0);
    message[0] = match step / 4 % 8 {
        kind @ 0..=4 => 133 + kind,
        5 => 2,
        6 => 128,
        _ => message[0],
    };
    let mut header = Header::new(THEIRS, ADDRESS, 58, message.len());
    header.hop_limit = 255;
    if step & 0x20 == 0 {
        header.destination = match message[0] {
            135 => solicited_node(ADDRESS),
            _ => ALL_NODES,
        };
    }
    if step & 0x40 != 0 {
        header.source = Ipv6Addr::UNSPECIFIED;
    }
    write_checksum(header.source, header.destination, &mut message);
    let mut packet = vec![0; 40];
    header.write(&mut packet);
    packet.extend_from_slice(&message);
    raw(&packet)
}
