//! Frames of any content, with time passing in between: no panic, and answers bounded.
//!
//! The input is a list of steps: an octet that says what to do, one that says how long the frame
//! is, and the frame's octets. Some steps mend the lengths and checksums of Ethernet and IPv4, since
//! chance alone would hardly ever find them.

#![no_main]

use core::cell::Cell;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::checksum::checksum;
use netstack::proto::interface::{Event, InterfaceConfig, Joined};
use netstack::proto::ip::Cidr;
use netstack::proto::link::ethernet::MacAddr;
use netstack::proto::tcp::Options;
use netstack::proto::{Instant, Interface};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// What one frame may be answered with at once: a queue of frames that waited for a neighbour, and
/// an answer of its own, or those to a run of 128.
const MOST_ANSWERS: usize = 64 + 128;

fuzz_target!(|data: &[u8]| {
    let mut stack = Interface::new(InterfaceConfig::new(MAC, 1500, [7; 32]));
    let mut now = Instant::from_nanos(0);
    stack.add_address(now, Cidr::new(ADDRESS, 24).expect("a prefix"));
    stack.start_dhcp(now);
    let any = |port| SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    let udp = stack.udp_bind(any(53)).expect("a free port");
    let listener = stack
        .tcp()
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
        // As from a device that vouches for the checksums of TCP and UDP.
        let checksummed = step & 0x80 != 0;
        match step % 4 {
            1 if step & 0x40 != 0 => {
                // To which a device has joined datagrams, or says so.
                let joined = Joined {
                    transport: if *len < 240 { 34 } else { (len % 16).into() },
                    segment: (len % 16).into(),
                };
                let frame = ipv4_frame(*step, octets);
                let end = if *len < 240 {
                    frame.len()
                } else {
                    frame.len().min((len % 8 + 8).into())
                };
                stack.handle_run(now, &frame[..end], joined, &mut out);
            }
            0 => stack.handle_received(now, octets.to_vec().into(), checksummed, &mut out),
            1 => {
                stack.handle_received(now, ipv4_frame(*step, octets).into(), checksummed, &mut out)
            }
            2 => {
                now += Duration::from_millis(1 << (len % 18));
                while stack.poll(now, 16, &mut out) && answers.get() < MOST_ANSWERS {}
            }
            _ => stack.handle_frame(now, arp_frame(octets).into(), &mut out),
        }
        assert!(answers.get() <= MOST_ANSWERS, "{} answers", answers.get());
        while let Some(event) = stack.poll_event() {
            if event == Event::Udp(udp) {
                let _ = stack.udp().receive(udp);
            }
        }
        if let Ok(Some(connection)) = stack.tcp().accept(listener) {
            stack.tcp().release(now, connection);
        }
    }
});

/// `octets` as an IPv4 packet to us: version, length, checksum and addresses are put right.
fn ipv4_frame(step: u8, octets: &[u8]) -> Vec<u8> {
    let mut packet = octets.to_vec();
    packet.resize(packet.len().max(20), 0);
    packet[0] = 0x45;
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[9] = match step / 4 % 4 {
        0 => 1,
        1 => 6,
        2 => 17,
        _ => packet[9],
    };
    packet[12..15].copy_from_slice(&[10, 0, 0]);
    packet[16..20].copy_from_slice(&ADDRESS.octets());
    packet[10..12].fill(0);
    let sum = checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    if packet[9] == 1 && packet.len() >= 24 {
        packet[22..24].fill(0);
        let sum = checksum(&packet[20..]);
        packet[22..24].copy_from_slice(&sum.to_be_bytes());
    }
    if packet[9] == 17 && packet.len() >= 28 {
        let len = packet.len() as u16 - 20;
        packet[24..26].copy_from_slice(&len.to_be_bytes());
        packet[26..28].fill(0);
    }
    [MAC.0.as_slice(), &PEER.0, &[8, 0], &packet].concat()
}

/// `octets` as an ARP packet for IPv4 over Ethernet.
fn arp_frame(octets: &[u8]) -> Vec<u8> {
    let mut packet = octets.to_vec();
    packet.resize(28, 0);
    packet[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
    [MacAddr::BROADCAST.0.as_slice(), &PEER.0, &[8, 6], &packet].concat()
}
