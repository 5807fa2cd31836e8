//! Which addresses are heard, and from which we speak.

use super::*;
use crate::proto::icmp::echo_request;
use crate::proto::tcp::Error;
use crate::proto::udp::{self, BindError};

const START: Instant = Instant::from_nanos(1);
const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// A SYN from port 4000.
fn syn(source: Ipv4Addr, destination: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[..2].copy_from_slice(&4000u16.to_be_bytes());
    segment[2..4].copy_from_slice(&port.to_be_bytes());
    segment[12..16].copy_from_slice(&[0x50, 0x02, 0xff, 0xff]);
    let sum = crate::proto::checksum::Sum::pseudo_header(source, destination, protocol::TCP, 20);
    let sum = sum.add_slice(&segment).finish();
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

fn datagram(source: Ipv4Addr, destination: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut datagram = vec![0; udp::HEADER_LEN + 4];
    let (from, to) = (
        SocketAddrV4::new(source, 4000),
        SocketAddrV4::new(destination, port),
    );
    udp::write(from, to, b"ping", &mut datagram);
    datagram
}

/// What can be asked of a stack: its protocol, and the octets.
fn questions(source: Ipv4Addr, destination: Ipv4Addr) -> [(&'static str, u8, Vec<u8>); 6] {
    let (tcp, udp) = (protocol::TCP, protocol::UDP);
    [
        ("SYN to a listener", tcp, syn(source, destination, 80)),
        ("SYN to nobody", tcp, syn(source, destination, 81)),
        ("datagram", udp, datagram(source, destination, 80)),
        ("datagram to nobody", udp, datagram(source, destination, 81)),
        ("echo", protocol::ICMP, echo_request(1, 1, b"x")),
        ("unknown protocol", 200, vec![0; 8]),
    ]
}

/// A stack with a listener and a socket on port 80, that would send to its neighbour and by it.
fn open() -> (Interface, udp::SocketId) {
    let mut stack = acquainted();
    stack.add_route(Route {
        destination: cidr("0.0.0.0/0"),
        gateway: ADDRESSES[1].into(),
    });
    let all = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 80);
    stack.listen(all, 8, Options::default()).expect("free");
    let socket = stack.udp_bind(all).expect("free");
    (stack, socket)
}

/// Whether IPv4 packets leave, or anything is kept, upon a packet in a frame to `mac`.
fn is_heard(source: Ipv4Addr, destination: Ipv4Addr, mac: MacAddr) -> Vec<&'static str> {
    let heard = questions(source, destination)
        .into_iter()
        .filter(|(_, protocol, bytes)| {
            let (mut stack, socket) = open();
            let header = Header::new(source, destination, *protocol, bytes.len());
            let mut sent = answers(&mut stack, frame(mac, &header, bytes));
            let mut out = Sent::default();
            while stack.poll(START, 64, &mut out) {}
            sent.extend(out.0);
            let spoke = sent.iter().any(|frame| frame[12..14] == [8, 0]);
            spoke || stack.udp().peek(socket).is_some() || stack.tcp().connection_counts() != (0, 0)
        });
    heard.map(|(question, ..)| question).collect()
}

#[test]
fn rfc1122_section_3_2_1_3_sources_that_are_no_host_are_not_heard() {
    let nobody: [[u8; 4]; 18] = [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 255, 255, 255],
        [127, 0, 0, 1],
        [127, 255, 255, 255],
        [224, 0, 0, 0],
        [224, 0, 0, 1],
        [239, 255, 255, 255],
        [240, 0, 0, 0],
        [240, 0, 0, 1],
        [247, 1, 2, 3],
        [255, 0, 0, 1],
        [255, 255, 255, 254],
        [255, 255, 255, 255],
        [10, 0, 0, 255],
        [10, 0, 0, 1],
        [0, 10, 0, 2],
        [233, 252, 0, 1],
    ];
    for source in nobody.map(Ipv4Addr::from) {
        for mac in [MACS[0], MacAddr::BROADCAST] {
            let heard = is_heard(source, ADDRESSES[0], mac);
            assert!(heard.is_empty(), "from {source}: {heard:?}");
        }
        for everybody in [Ipv4Addr::BROADCAST, [10, 0, 0, 255].into()] {
            let heard = is_heard(source, everybody, MacAddr::BROADCAST);
            assert!(heard.is_empty(), "from {source} to {everybody}: {heard:?}");
        }
    }
    for source in [
        [10, 0, 0, 2],
        [1, 0, 0, 1],
        [223, 255, 255, 254],
        [126, 1, 1, 1],
    ] {
        let heard = is_heard(source.into(), ADDRESSES[0], MACS[0]);
        assert_eq!(heard.len(), 6, "from {source:?}: {heard:?}");
    }
}

#[test]
fn rfc2131_section_4_1_only_a_dhcp_server_hears_who_has_no_address_yet() {
    let mut stack = acquainted();
    let sockets = [67, 7].map(|port| {
        let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
        stack.udp_bind(local).expect("free")
    });
    let nobody = Ipv4Addr::UNSPECIFIED;
    for (destination, mac) in [
        (Ipv4Addr::BROADCAST, MacAddr::BROADCAST),
        (ADDRESSES[0], MACS[0]),
        ([10, 0, 0, 255].into(), MacAddr::BROADCAST),
    ] {
        for port in [67, 7] {
            let bytes = datagram(nobody, destination, port);
            let header = Header::new(nobody, destination, protocol::UDP, bytes.len());
            assert!(answers(&mut stack, frame(mac, &header, &bytes)).is_empty());
        }
    }
    let heard = sockets.map(|socket| {
        let mut count = 0;
        while stack.udp().receive(socket).is_some() {
            count += 1;
        }
        count
    });
    assert_eq!(heard, [1, 0], "what was sent to all, to port 67");
}

#[test]
fn rfc1122_section_3_2_1_3_destinations_that_are_not_ours_are_not_heard() {
    let nowhere: [[u8; 4]; 11] = [
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [127, 0, 0, 1],
        [127, 1, 2, 3],
        [10, 0, 0, 0],
        [10, 0, 0, 3],
        [192, 0, 2, 1],
        [224, 0, 0, 1],
        [239, 1, 2, 3],
        [240, 0, 0, 1],
        [255, 255, 255, 254],
    ];
    for destination in nowhere.map(Ipv4Addr::from) {
        for mac in [MACS[0], MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            let heard = is_heard(ADDRESSES[1], destination, mac);
            assert!(heard.is_empty(), "to {destination}: {heard:?}");
        }
    }
    for everybody in [Ipv4Addr::BROADCAST, [10, 0, 0, 255].into()] {
        let heard = is_heard(ADDRESSES[1], everybody, MacAddr::BROADCAST);
        assert_eq!(heard, ["datagram"], "to {everybody}");
    }
}

#[test]
fn rfc1122_section_3_2_1_3_nothing_is_bound_to_or_sent_from_an_address_of_others() {
    let mut stack = acquainted();
    let peer = SocketAddrV4::new(ADDRESSES[1], 80);
    let others: [[u8; 4]; 5] = [
        [192, 0, 2, 77],
        [10, 0, 0, 2],
        [10, 0, 0, 255],
        [224, 0, 0, 1],
        [0, 0, 0, 1],
    ];
    for address in others.map(Ipv4Addr::from) {
        let (local, refused) = (SocketAddrV4::new(address, 0), Error::AddrNotAvailable);
        let connected = stack.connect(START, local, peer, &Options::default());
        assert_eq!(connected, Err(refused));
        let listening = stack.listen(SocketAddrV4::new(address, 80), 8, Options::default());
        assert_eq!(listening, Err(refused));
        assert_eq!(stack.udp_bind(local), Err(BindError::AddrNotAvailable));
        // TCP's own call knows no addresses: what it makes does not leave either.
        let _ = stack.tcp().connect(START, local, peer, &Options::default());
    }
    let loopback = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let socket = stack.udp_bind(loopback).expect("it is ours");
    let mut out = Sent::default();
    assert_eq!(
        stack.udp_send(START, socket, peer, b"x", &mut out),
        Err(SendError::AddrNotAvailable(Ipv4Addr::LOCALHOST.into())),
        "a loopback address is for this host only"
    );
    let connected = stack.connect(START, loopback, peer, &Options::default());
    assert_eq!(connected, Err(Error::AddrNotAvailable));
    while stack.poll(START, 64, &mut out) {}
    let packets = out.0.iter().filter(|frame| frame[12..14] == [8, 0]);
    assert_eq!(packets.count(), 0);
}

#[test]
fn an_address_that_goes_takes_its_connections_with_it_in_silence() {
    let mut pair = Pair::new();
    let (client, server) = pair.connect();
    let now = pair.now;
    let socket = pair.stacks[0].udp_bind(SocketAddrV4::new(ADDRESSES[0], 9));
    let socket = socket.expect("free");
    let unread = pair.stacks[0].tcp().send(client, &[7; 100_000]);
    assert!(matches!(unread, Poll::Ready(Ok(_))));
    pair.events[0].clear();
    assert!(pair.stacks[0].remove_address(now, ADDRESSES[0]));
    let before = pair.stacks[0].counters().ip.out_requests;
    pair.run(Duration::from_secs(120));
    assert_eq!(pair.stacks[0].counters().ip.out_requests, before);
    let status = pair.stacks[0].tcp().status(client).expect("held");
    let gone = Error::AddrNotAvailable;
    assert_eq!((status.state, status.error), (State::Closed, Some(gone)));
    let told = pair.events[0].iter().any(|event| {
        matches!(event, Event::Tcp(crate::proto::tcp::Event::Connection(id, ready))
            if *id == client && ready.contains(Readiness::CLOSED))
    });
    assert!(told, "{:?}", pair.events[0]);
    assert_eq!(pair.state(1, server), State::Established, "nobody told it");
    let peer = SocketAddrV4::new(ADDRESSES[1], 9);
    let sent = pair.call(0, |stack, now, out| {
        stack.udp_send(now, socket, peer, b"x", out)
    });
    assert_eq!(
        sent,
        Err(SendError::NoRoute),
        "the link has no route any more"
    );
    // With another address on the link there is a route, but not from the old one.
    let now = pair.now;
    pair.stacks[0].add_address(now, cidr("10.0.0.3/24"));
    let sent = pair.call(0, |stack, now, out| {
        stack.udp_send(now, socket, peer, b"x", out)
    });
    assert_eq!(sent, Err(SendError::AddrNotAvailable(ADDRESSES[0].into())));
    let again = pair.call(0, |stack, now, _| {
        stack.connect(now, ANY, peer, &Options::default())
    });
    assert!(again.is_ok(), "{again:?}");
}

#[test]
fn rfc1122_section_3_2_2_no_error_about_what_went_to_many() {
    let now = Instant::from_nanos(0);
    let (us, them) = (ADDRESSES[0], ADDRESSES[1]);
    let group = MacAddr([1, 0, 0x5e, 0, 0, 1]);
    let answers = |station: MacAddr, to: Ipv4Addr| {
        let mut stack = acquainted();
        let datagram = datagram(them, to, 81);
        let header = Header::new(them, to, protocol::UDP, datagram.len());
        let mut sent = Sent::default();
        stack.handle_frame(now, frame(station, &header, &datagram).into(), &mut sent);
        sent.0.len()
    };
    let all = [
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(10, 0, 0, 255),
        Ipv4Addr::new(10, 0, 0, 0),
        Ipv4Addr::new(224, 0, 0, 1),
    ];
    for station in [MacAddr::BROADCAST, MACS[0], group] {
        for to in all {
            assert_eq!(answers(station, to), 0, "to {to} at {station:?}");
        }
    }
    assert_eq!(answers(MacAddr::BROADCAST, us), 0);
    assert_eq!(answers(MACS[0], us), 1);
}

#[test]
fn rfc894_octets_behind_a_datagram_are_no_part_of_it() {
    let (now, mut stack) = (Instant::from_nanos(0), acquainted());
    let local = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 80);
    let socket = stack.udp_bind(local).expect("a free port");
    for (length, behind) in [(2, 16), (MTU - HEADER_LEN - udp::HEADER_LEN, 30)] {
        let mut datagram = vec![0; udp::HEADER_LEN + length];
        let source = SocketAddrV4::new(ADDRESSES[1], 4000);
        let destination = SocketAddrV4::new(ADDRESSES[0], 80);
        udp::write(source, destination, &vec![7; length], &mut datagram);
        let header = Header::new(ADDRESSES[1], ADDRESSES[0], protocol::UDP, datagram.len());
        datagram.extend(vec![0x55; behind]);
        let frame = frame(MACS[0], &header, &datagram);
        stack.handle_frame(now, frame.into(), &mut Sent::default());
        let received = stack.udp().receive(socket).expect("a datagram");
        assert_eq!(received.payload, vec![7; length]);
    }
}
