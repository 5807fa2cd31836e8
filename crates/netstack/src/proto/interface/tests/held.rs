//! What others can make us hold.

use super::*;
use crate::proto::account::Kind;
use crate::proto::icmp::{echo_request, write_echo_reply};
use crate::proto::ip::v4::Fragments;

fn used(stack: &mut Interface, kind: Kind) -> usize {
    stack.tcp().account().used_by(kind)
}

/// The frames of an echo reply with so much data.
fn echo_reply(source: Ipv4Addr, identifier: u16, sequence: u16, len: usize) -> Vec<Vec<u8>> {
    let request = echo_request(identifier, sequence, &vec![b'E'; len]);
    let mut reply = vec![0; request.len()];
    write_echo_reply(&request, &mut reply);
    let header = Header {
        dont_fragment: false,
        identification: sequence,
        ..Header::new(source, ADDRESSES[0], protocol::ICMP, reply.len())
    };
    let fragments = Fragments::new(header, MTU).expect("may be cut");
    let frames = fragments.map(|(header, range)| frame(MACS[0], &header, &reply[range]));
    frames.collect()
}

#[test]
fn rfc792_echo_replies_that_nobody_asked_for_are_not_kept() {
    let mut stack = acquainted();
    let before = used(&mut stack, Kind::Events);
    for sequence in 0..300 {
        for frame in echo_reply([172, 16, 9, 9].into(), 1, sequence, 65_499) {
            assert!(answers(&mut stack, frame).is_empty());
        }
    }
    assert_eq!(stack.counters().icmp.in_echo_reps, 300);
    assert_eq!(stack.poll_event(), None);
    assert_eq!(used(&mut stack, Kind::Events), before);
    assert_eq!(used(&mut stack, Kind::Fragments), 0);
}

#[test]
fn rfc792_a_reply_is_to_a_request_that_waits_and_of_its_length() {
    let mut stack = acquainted();
    let mut out = Sent::default();
    let now = Instant::from_nanos(1);
    for sequence in [1, 2] {
        let sent = stack.send_echo_request(now, ADDRESSES[1], 9, sequence, &[b'E'; 100], &mut out);
        assert_eq!(sent, Ok(()));
    }
    let strangers = [
        echo_reply([10, 0, 0, 3].into(), 9, 1, 100),
        echo_reply(ADDRESSES[1], 8, 1, 100),
        echo_reply(ADDRESSES[1], 9, 3, 100),
        echo_reply(ADDRESSES[1], 9, 1, 60_000),
        echo_reply(ADDRESSES[1], 9, 1, 99),
    ];
    for frame in strangers.into_iter().flatten() {
        answers(&mut stack, frame);
        assert_eq!(stack.poll_event(), None);
    }
    let good = echo_reply(ADDRESSES[1], 9, 1, 100);
    for _ in 0..3 {
        answers(&mut stack, good[0].clone());
    }
    let reply = stack.poll_event();
    assert!(
        matches!(reply, Some(Event::EchoReply { sequence: 1, ref data, .. }) if data.len() == 100)
    );
    assert_eq!(stack.poll_event(), None, "each request has one reply");
}

#[test]
fn rfc792_replies_that_nobody_takes_are_bounded_and_charged() {
    let mut stack = acquainted();
    let (mut out, now) = (Sent::default(), Instant::from_nanos(1));
    for sequence in 0..300 {
        let data = [b'E'; 60_000];
        let sent = stack.send_echo_request(now, ADDRESSES[1], 9, sequence, &data, &mut out);
        assert_eq!(sent, Ok(()));
        for frame in echo_reply(ADDRESSES[1], 9, sequence, 60_000) {
            answers(&mut stack, frame);
        }
    }
    let held = used(&mut stack, Kind::Events);
    assert!((120_000..200_000).contains(&held), "{held}");
    while stack.poll_event().is_some() {}
    assert!(used(&mut stack, Kind::Events) < 64 << 10);
}

#[test]
fn rfc5227_section_2_4_conflicts_tell_no_more_than_the_last_station() {
    let mut stack = acquainted();
    for n in 0..=u16::MAX {
        let [high, low] = n.to_be_bytes();
        let mac = MacAddr([2, 0, 0, 9, high, low]);
        let mut bytes = vec![0; ethernet::HEADER_LEN];
        let ether_type = ethernet::ARP;
        ethernet::Header {
            destination: MacAddr::BROADCAST,
            source: mac,
            ether_type,
        }
        .write(&mut bytes);
        bytes.extend_from_slice(&Packet::announcement(mac, ADDRESSES[0]).to_bytes());
        answers(&mut stack, bytes);
    }
    let last = MacAddr([2, 0, 0, 9, 0xff, 0xff]);
    let told = core::iter::from_fn(|| stack.poll_event()).collect::<Vec<_>>();
    assert_eq!(told, [Event::AddressConflict(ADDRESSES[0].into(), last)]);
    assert!(used(&mut stack, Kind::Events) < 4096);
}

#[test]
fn rfc768_a_flood_to_one_socket_hides_no_other_socket_and_no_event() {
    let mut stack = acquainted();
    let sockets = [7, 9].map(|port| {
        let local = SocketAddrV4::new(ADDRESSES[0], port);
        stack.udp_bind(local).expect("free")
    });
    let send = |port: u16, stack: &mut Interface| {
        let mut bytes = vec![0; 9];
        let from = SocketAddrV4::new(ADDRESSES[1], 4000);
        let to = SocketAddrV4::new(ADDRESSES[0], port);
        crate::proto::udp::write(from, to, b"x", &mut bytes);
        let header = Header::new(ADDRESSES[1], ADDRESSES[0], protocol::UDP, bytes.len());
        answers(stack, frame(MACS[0], &header, &bytes));
    };
    send(9, &mut stack);
    (0..200).for_each(|_| send(7, &mut stack));
    let told = core::iter::from_fn(|| stack.poll_event()).collect::<Vec<_>>();
    assert_eq!(told, [Event::Udp(sockets[1]), Event::Udp(sockets[0])]);
    send(7, &mut stack);
    assert_eq!(stack.poll_event(), Some(Event::Udp(sockets[0])));
}

#[test]
fn rfc791_section_3_2_fragments_are_charged_and_yield_under_pressure() {
    let mut stack = acquainted();
    let reply = echo_reply([10, 0, 0, 3].into(), 1, 1, 60_000);
    for frame in &reply[..20] {
        answers(&mut stack, frame.clone());
    }
    let held = used(&mut stack, Kind::Fragments);
    assert!((29_600..60_000).contains(&held), "{held}");
    // Nothing is left at ease: those that come make room for each other only.
    let left = stack.tcp().account().left_at_ease();
    stack.tcp().account().charge(Kind::SendQueues, left);
    for sequence in 2..10 {
        let reply = echo_reply([10, 0, 0, sequence as u8].into(), 1, sequence, 60_000);
        for frame in &reply[..20] {
            answers(&mut stack, frame.clone());
            assert!(used(&mut stack, Kind::Fragments) <= held);
        }
    }
    // A connection is not ended, nor the reserve used, as long as there are fragments.
    let account = stack.tcp().account();
    let more = account.limit() / 8 - 1000;
    account.charge(Kind::SendQueues, more);
    let mut out = Sent::default();
    stack.poll(Instant::default(), 64, &mut out);
    assert_eq!(used(&mut stack, Kind::Fragments), 0);
    stack.tcp().account().release(Kind::SendQueues, left + more);
    for frame in &reply[..20] {
        answers(&mut stack, frame.clone());
    }
    assert_eq!(used(&mut stack, Kind::Fragments), held);
    let mut out = Sent::default();
    stack.poll(Instant::from_nanos(31_000_000_000), 64, &mut out);
    assert_eq!(used(&mut stack, Kind::Fragments), 0);
}
