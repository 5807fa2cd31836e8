//! A host in multicast groups among routers and hosts that say anything at any time.
//!
//! The input is a list of steps: a group is joined or left, time passes, or an IGMP message comes: of the input's own,
//! or one that is right but for what the input says.
//!
//! Held true after each step: nothing that was due is still due, packets are well formed, reports speak of the groups
//! that are joined or were, and no more is sent than the time allows.
#![no_main]

use core::net::Ipv4Addr;
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use netstack::proto::Instant;
use netstack::proto::checksum::checksum;
use netstack::proto::ip::v4::Header;
use netstack::proto::multicast::igmp::{self, ALL_SYSTEMS};
use netstack::proto::multicast::{Groups, Heard, Message};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn group(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(239, 0, 0, number & 7)
}

/// The message, with a checksum, in a packet with Router Alert.
fn hear(groups: &mut Groups<Ipv4Addr>, now: Instant, to: Ipv4Addr, message: &[u8]) {
    let mut message = message.to_vec();
    if message.len() >= 4 {
        message[2..4].fill(0);
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let mut header = Header::new(ROUTER, to, igmp::PROTOCOL, 4 + message.len());
    header.header_len += 4;
    let packet = [&[0; 20], &[148, 4, 0, 0][..], &message].concat();
    match igmp::parse(&header, &packet) {
        Some(Heard::Query(query)) => groups.handle_query(now, &query),
        Some(Heard::OlderReport(group)) => groups.handle_older_report(now, group),
        None => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let start = Instant::from_nanos(1_000_000_000);
    let mut now = start;
    let mut groups = Groups::new([3; 16]);
    let (mut changes, mut sent) = (0_u64, 0_u64);
    let mut octets = data.iter().copied();
    while let Some(what) = octets.next() {
        let mut next = || octets.next().unwrap_or(0);
        match what % 8 {
            0 => {
                changes += 1;
                let _ = groups.join(now, group(next()));
            }
            1 => {
                changes += 1;
                groups.leave(now, group(next()));
            }
            2 => now = groups.poll_at().unwrap_or(now).max(now),
            3 => now += Duration::from_millis(u64::from(next()) << (what >> 4)),
            4 => {
                let (code, to, numbers) = (next(), next(), [next(), next(), 0, 0]);
                let (asked, to) = match to & 0x80 {
                    0 => (Ipv4Addr::UNSPECIFIED, ALL_SYSTEMS),
                    _ => (group(to), group(to)),
                };
                let mut message = vec![0x11, code, 0, 0];
                message.extend(asked.octets());
                message.extend(&numbers[..usize::from(what & 0x10) / 4]);
                hear(&mut groups, now, to, &message);
            }
            5 => {
                let message = [&[0x16, 0, 0, 0][..], &group(next()).octets()].concat();
                hear(&mut groups, now, group(0), &message);
            }
            _ => {
                let message: Vec<_> = (0..what >> 3).map(|_| next()).collect();
                hear(&mut groups, now, ALL_SYSTEMS, &message);
            }
        }
        while let Some(message) = groups.poll(now) {
            sent += 1;
            if let Message::Report(records) = &message {
                assert!((1..=32).contains(&records.len()));
            }
            let (to, packet) = igmp::packet(OURS, &message);
            let header = Header::parse(&packet).expect("a right header");
            assert_eq!((header.destination, header.total_len), (to, packet.len()));
            assert_eq!(checksum(&packet[header.header_len..]), 0);
        }
        assert!(
            groups.poll_at().is_none_or(|at| at > now),
            "it is still due"
        );
        // A change is told up to seven times, and answers of each group come ten times a second.
        let tenths = (now - start).as_millis() as u64 / 100;
        assert!(
            sent <= 8 + 8 * changes + 8 * tenths,
            "{sent} in {tenths} tenths"
        );
    }
});
