use super::MulticastError;
use crate::proto::Instant;
use crate::proto::checksum::checksum;
use crate::proto::interface::{Interface, InterfaceConfig};
use crate::proto::ip::v4::{HEADER_LEN, Header, protocol};
use crate::proto::link::ethernet::MacAddr;
use crate::proto::udp::{self, SocketId};
use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use core::time::Duration;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 129, 2, 3);
/// RFC 1112 §6.4: the lower 23 bits.
const GROUP_MAC: [u8; 6] = [1, 0, 0x5e, 1, 2, 3];
const START: Instant = Instant::from_nanos(1_000_000_000);

fn stack() -> Interface {
    let mut stack = Interface::new(InterfaceConfig::new(MAC, 1500, [1; 32]));
    stack.add_address(START, "10.0.0.1/24".parse().expect("an address"));
    stack
}

fn socket(stack: &mut Interface, port: u16) -> SocketId {
    let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    stack.udp_bind(local).expect("a free port")
}

/// The kinds and groups of the records of IGMPv3 reports that are sent in `period` from `now` on.
fn reports(stack: &mut Interface, now: Instant, period: Duration) -> Vec<(u8, Ipv4Addr)> {
    let (mut now, end) = (now, now + period);
    let mut records = Vec::new();
    loop {
        let mut out = |frame: &[u8]| {
            if frame[12..14] != [8, 0] || frame[23] != 2 {
                return;
            }
            assert_eq!(frame[..6], [1, 0, 0x5e, 0, 0, 22]);
            let header = Header::parse(&frame[14..]).expect("an IPv4 packet");
            assert_eq!((header.ttl, header.header_len), (1, 24));
            for record in frame[14 + 24 + 8..].chunks(8) {
                let group: [u8; 4] = record[4..].try_into().expect("a group");
                records.push((record[0], group.into()));
            }
        };
        while stack.poll(now, 64, &mut out) {}
        match stack.poll_at(now) {
            Some(at) if at <= end => now = at.max(now),
            _ => return records,
        }
    }
}

fn frame(to: Ipv4Addr, kind: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut header = Header::new(PEER, to, kind, options.len() + payload.len());
    header.header_len += options.len();
    let mut packet = vec![0; HEADER_LEN];
    header.write(&mut packet);
    packet.extend(options);
    packet[0] = 0x40 | (header.header_len / 4) as u8;
    packet[10..12].fill(0);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    [&GROUP_MAC[..], &[2, 0, 0, 0, 0, 2, 8, 0], &packet, payload].concat()
}

/// Whether a datagram to the group at port 9 gets to the socket.
fn hears(stack: &mut Interface, id: SocketId, to: Ipv4Addr) -> bool {
    let (source, destination) = (SocketAddrV4::new(PEER, 7), SocketAddrV4::new(to, 9));
    let mut datagram = [0; 12];
    udp::write(source, destination, b"news", &mut datagram);
    let frame = frame(to, protocol::UDP, &[], &datagram);
    let mut answers = 0;
    stack.handle_frame(START, frame.into(), &mut |_: &[u8]| answers += 1);
    assert_eq!(
        answers, 0,
        "RFC 1122 §3.2.2: no error about what was sent to many"
    );
    let received = stack.udp().receive(id);
    received.is_some_and(|datagram| datagram.destination == destination.into())
}

#[test]
fn rfc1112_7_1_a_socket_hears_the_groups_that_it_has_joined() {
    let mut stack = stack();
    let (one, other) = (socket(&mut stack, 9), socket(&mut stack, 10));
    assert!(!hears(&mut stack, one, GROUP));
    stack
        .join_multicast(START, other, GROUP.into())
        .expect("room");
    assert!(!hears(&mut stack, one, GROUP), "another socket's group");
    stack
        .join_multicast(START, one, GROUP.into())
        .expect("room");
    assert!(hears(&mut stack, one, GROUP));
    assert!(
        !hears(&mut stack, one, Ipv4Addr::new(239, 1, 2, 3)),
        "of the same hardware address"
    );
    stack
        .leave_multicast(START, one, GROUP.into())
        .expect("it is in it");
    assert!(!hears(&mut stack, one, GROUP));
    stack.udp_close(START, one);
    let again = socket(&mut stack, 9);
    assert!(!hears(&mut stack, again, GROUP));
}

#[test]
fn rfc3376_5_1_joining_and_leaving_is_reported_by_the_first_and_the_last_socket() {
    let mut stack = stack();
    let (one, other) = (socket(&mut stack, 9), socket(&mut stack, 10));
    stack
        .join_multicast(START, one, GROUP.into())
        .expect("room");
    stack
        .join_multicast(START, other, GROUP.into())
        .expect("room");
    let minute = Duration::from_secs(60);
    assert_eq!(reports(&mut stack, START, minute), [(4, GROUP); 2]);
    let now = START + minute;
    stack.udp_close(now, one);
    assert_eq!(reports(&mut stack, now, minute), []);
    let now = now + minute;
    stack
        .leave_multicast(now, other, GROUP.into())
        .expect("it is in it");
    assert_eq!(reports(&mut stack, now, minute), [(3, GROUP); 2]);
    assert_eq!(stack.poll_at(now + minute), None);
}

#[test]
fn rfc3376_5_2_a_query_is_answered() {
    let mut stack = stack();
    let id = socket(&mut stack, 9);
    let all = Ipv4Addr::new(224, 0, 0, 1);
    let mut query = vec![0x11, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
    let sum = checksum(&query);
    query[2..4].copy_from_slice(&sum.to_be_bytes());
    let query = frame(all, 2, &[148, 4, 0, 0], &query);
    // Without a group there is nothing to say, and nothing is kept.
    stack.handle_frame(START, query.clone().into(), &mut |_: &[u8]| {
        panic!("an answer")
    });
    assert_eq!(stack.counters().ip.in_addr_errors, 1);
    stack.join_multicast(START, id, GROUP.into()).expect("room");
    // RFC 3376 §6: the group of all is never reported.
    stack.join_multicast(START, id, all.into()).expect("room");
    let minute = Duration::from_secs(60);
    assert_eq!(reports(&mut stack, START, minute), [(4, GROUP); 2]);
    let now = START + minute;
    stack.handle_frame(now, query.into(), &mut |_: &[u8]| panic!("at once"));
    assert_eq!(
        reports(&mut stack, now, Duration::from_secs(10)),
        [(2, GROUP)]
    );
}

#[test]
fn what_cannot_be_joined_or_left_is_told() {
    let mut stack = stack();
    let id = socket(&mut stack, 9);
    for none in ["10.0.0.1", "255.255.255.255", "2001:db8::1"] {
        let none: IpAddr = none.parse().expect("an address");
        let error = stack.join_multicast(START, id, none);
        assert_eq!(error, Err(MulticastError::NoGroup(none)));
    }
    let group = GROUP.into();
    assert_eq!(
        stack.leave_multicast(START, id, group),
        Err(MulticastError::NotJoined)
    );
    assert_eq!(stack.join_multicast(START, id, group), Ok(()));
    assert_eq!(
        stack.join_multicast(START, id, group),
        Err(MulticastError::Joined)
    );
    let numbered = |number: u8| Ipv4Addr::new(239, 0, 0, number).into();
    for number in 1..20 {
        assert_eq!(stack.join_multicast(START, id, numbered(number)), Ok(()));
    }
    let more = stack.join_multicast(START, id, numbered(20));
    assert_eq!(more, Err(MulticastError::Full));
    // What is full for all is full for each.
    for port in 20..23 {
        let id = socket(&mut stack, port);
        for number in 0..20 {
            let group = Ipv4Addr::new(239, 0, port as u8, number);
            let _ = stack.join_multicast(START, id, group.into());
        }
    }
    let last = socket(&mut stack, 99);
    let error = stack.join_multicast(START, last, Ipv4Addr::new(239, 9, 9, 9).into());
    assert_eq!(error, Err(MulticastError::Full));
    assert_eq!(
        stack.join_multicast(START, last, group),
        Ok(()),
        "one that is joined"
    );
}
