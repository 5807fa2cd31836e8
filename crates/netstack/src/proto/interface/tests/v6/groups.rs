//! Multicast groups, and what routers tell of name servers.

use super::{OURS, dual, frame, icmp, link_local, v6};
use crate::proto::Instant;
use crate::proto::icmp::v6::write_checksum;
use crate::proto::interface::tests::{MACS, stack};
use crate::proto::interface::{Event, Interface, Ipv6, MulticastError};
use crate::proto::ip::v6::{Header, protocol, solicited_node};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::udp;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 7);
pub(super) const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Frames that are sent in `period` from `now` on, each with its time.
pub(super) fn sent(
    stack: &mut Interface,
    now: Instant,
    period: Duration,
) -> Vec<(Duration, Vec<u8>)> {
    let (start, end, mut now) = (now, now + period, now);
    let mut frames = Vec::new();
    for _ in 0..10_000 {
        let mut out = |frame: &[u8]| frames.push((now - start, frame.to_vec()));
        while stack.poll(now, 64, &mut out) {}
        match stack.poll_at(now) {
            Some(at) if at <= end => now = at.max(now),
            _ => return frames,
        }
    }
    panic!("it does not end")
}

/// The kinds and groups of the records of MLDv2 reports among frames, and where they came from.
fn records(frames: &[(Duration, Vec<u8>)]) -> Vec<(Ipv6Addr, u8, Ipv6Addr)> {
    let reports = frames.iter().filter(|(_, frame)| {
        frame[12..14] == [0x86, 0xdd] && frame[20] == protocol::HOP_BY_HOP && frame[62] == 143
    });
    let records = reports.flat_map(|(_, frame)| {
        let source = Header::parse(&frame[14..]).expect("an IPv6 packet").source;
        let records = frame[70..].chunks(20);
        records.map(move |record| {
            let group: [u8; 16] = record[4..].try_into().expect("a group");
            (source, record[0], group.into())
        })
    });
    records.collect()
}

#[test]
fn rfc4862_5_4_2_and_rfc3590_4_the_groups_of_solicitations_are_reported_before_and_after_the_address_is_ours()
 {
    let mut stack = stack(0);
    let start = Instant::from_nanos(0);
    stack.start_ipv6(start, &Ipv6::default().accept_ra(false));
    let frames = sent(&mut stack, start, 10 * SECOND);
    let ours = link_local(&stack);
    let group = solicited_node(ours);
    let told = records(&frames);
    assert!(
        told.iter().all(|(_, kind, of)| (*kind, *of) == (4, group)),
        "{told:?}"
    );
    let by_nobody = told
        .iter()
        .filter(|(source, ..)| source.is_unspecified())
        .count();
    let by_us = told.iter().filter(|(source, ..)| *source == ours).count();
    assert!(by_nobody >= 1 && by_us == 2, "{told:?}");
    // What is no longer ours is no longer listened for.
    let now = start + 20 * SECOND;
    assert!(stack.remove_address(now, ours));
    let told = records(&sent(&mut stack, now, 10 * SECOND));
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(_, kind, of)| (*kind, *of) == (3, group)));
}

#[test]
fn rfc3810_5_2_a_group_is_reported_and_heard_and_a_query_answered() {
    let mut pair = dual();
    pair.run(5 * SECOND);
    let [stack, _] = &mut pair.stacks;
    let now = pair.now;
    let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 9);
    let id = stack.udp_bind(any).expect("a free port");
    let datagram = {
        let mut datagram = vec![0; udp::HEADER_LEN + 4];
        let (from, to) = ((OURS[1], 7), (GROUP, 9));
        udp::write(from, to, b"news", &mut datagram);
        let header = Header::new(OURS[1], GROUP, 17, datagram.len());
        frame(MacAddr([0x33, 0x33, 0, 0, 0, 7]), &header, &datagram)
    };
    let hears = |stack: &mut Interface| {
        let mut answer = |_: &[u8]| panic!("an answer");
        stack.handle_frame(now, datagram.clone().into(), &mut answer);
        stack.udp().receive(id).is_some()
    };
    assert!(!hears(stack));
    assert_eq!(stack.join_multicast(now, id, GROUP.into()), Ok(()));
    assert!(hears(stack));
    let ours = link_local(stack);
    let told = records(&sent(stack, now, 10 * SECOND));
    assert_eq!(told, [(ours, 4, GROUP); 2]);
    // A question with Router Alert of a router on the link.
    let now = now + 20 * SECOND;
    let mut query = vec![130, 0, 0, 0, 0x03, 0xe8, 0, 0];
    query.extend(GROUP.octets());
    query.extend([2, 125, 0, 0]);
    write_checksum(ROUTER, GROUP, &mut query);
    let query = [&[protocol::ICMP, 0, 5, 2, 0, 0, 1, 0][..], &query].concat();
    let mut header = Header::new(ROUTER, GROUP, protocol::HOP_BY_HOP, query.len());
    header.hop_limit = 1;
    let query = frame(MacAddr([0x33, 0x33, 0, 0, 0, 7]), &header, &query);
    stack.handle_frame(now, query.into(), &mut |_: &[u8]| panic!("at once"));
    assert_eq!(records(&sent(stack, now, SECOND)), [(ours, 2, GROUP)]);
    let now = now + 20 * SECOND;
    stack.udp_close(now, id);
    assert_eq!(
        records(&sent(stack, now, 10 * SECOND)),
        [(ours, 3, GROUP); 2]
    );
}

#[test]
fn where_ipv6_is_not_spoken_its_groups_are_none() {
    let mut stack = stack(0);
    let any = SocketAddr::from(([0; 4], 9));
    let id = stack.udp_bind(any).expect("a free port");
    let error = stack.join_multicast(Instant::from_nanos(0), id, GROUP.into());
    assert_eq!(error, Err(MulticastError::NoGroup(GROUP.into())));
    #[cfg(feature = "dhcp")]
    assert!(!stack.start_dhcpv6(Instant::from_nanos(0)));
}

#[test]
fn rfc8106_5_what_a_router_says_of_name_servers_is_handed_on_until_it_ends() {
    let mut stack = stack(0);
    let start = Instant::from_nanos(0);
    stack.start_ipv6(start, &Ipv6::default().dad_transmits(0));
    let server = v6("2001:db8::53");
    let mut message = vec![134, 0, 0, 0, 64, 0, 0, 60];
    message.extend([0; 8]);
    message.extend([25, 3, 0, 0, 0, 0, 0, 30]);
    message.extend(server.octets());
    message.extend([31, 2, 0, 0, 0, 0, 0, 30]);
    message.extend(b"\x03lan\x00\x00\x00\x00");
    let frame = icmp(ROUTER, v6("ff02::1"), 255, &message);
    stack.handle_frame(start, frame.into(), &mut |_: &[u8]| {});
    assert_eq!(stack.name_servers(), [IpAddr::V6(server)]);
    assert_eq!(stack.domains(), ["lan"]);
    let mut told = 0;
    let mut events = |stack: &mut Interface| {
        while let Some(event) = stack.poll_event() {
            told += u32::from(event == Event::NameServers);
        }
        told
    };
    assert_eq!(events(&mut stack), 1);
    sent(&mut stack, start, 31 * SECOND);
    assert!(stack.name_servers().is_empty() && stack.domains().is_empty());
    assert_eq!(events(&mut stack), 2);
}

#[test]
fn rfc2710_4_a_report_in_a_frame_to_us_alone_keeps_us_from_none() {
    let to_group = MacAddr([0x33, 0x33, 0, 0, 0, 7]);
    for (station, are_ours) in [(MACS[0], 1), (to_group, 0)] {
        let mut pair = dual();
        let [stack, _] = &mut pair.stacks;
        let start = Instant::from_nanos(0);
        let any = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 9);
        let id = stack.udp_bind(any).expect("a free port");
        assert_eq!(stack.join_multicast(start, id, GROUP.into()), Ok(()));
        sent(stack, start, 10 * SECOND);
        let now = start + 20 * SECOND;
        // A router of the first version asks, within ten seconds; a neighbour answers.
        for (kind, delay, station) in [(130, 10_000_u16, to_group), (131, 0, station)] {
            let [high, low] = delay.to_be_bytes();
            let mut message = [&[kind, 0, 0, 0, high, low, 0, 0][..], &GROUP.octets()].concat();
            write_checksum(ROUTER, GROUP, &mut message);
            let packet = [&[protocol::ICMP, 0, 5, 2, 0, 0, 1, 0][..], &message].concat();
            let mut header = Header::new(ROUTER, GROUP, protocol::HOP_BY_HOP, packet.len());
            header.hop_limit = 1;
            let packet = frame(station, &header, &packet);
            stack.handle_frame(now, packet.into(), &mut |_: &[u8]| panic!("at once"));
        }
        let frames = sent(stack, now, 11 * SECOND);
        let reports = frames
            .iter()
            .filter(|(_, frame)| frame[62..].first() == Some(&131));
        assert_eq!(reports.count(), are_ours, "{station:?}");
    }
}
