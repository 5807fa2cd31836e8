use super::{BindError, DATAGRAM, Delivery, HEADER_LEN, QueueLimits, Room, SocketId, Udp, write};
use bytes::Bytes;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ALIAS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn at(address: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(address.into(), port)
}

fn bind(udp: &mut Udp, local: SocketAddr) -> SocketId {
    udp.bind(local, QueueLimits::default(), 0)
        .expect("a free port")
}

/// Room for a datagram that lies in a buffer of its own length.
fn room(bytes: &Bytes) -> Room {
    Room {
        octets: usize::MAX,
        left: usize::MAX,
        pinned: bytes.len(),
    }
}

fn datagram(
    source: SocketAddr,
    destination: SocketAddr,
    payload: &[u8],
) -> ((IpAddr, IpAddr), Bytes) {
    let mut bytes = vec![0xff; HEADER_LEN + payload.len()];
    write(source, destination, payload, &mut bytes);
    ((source.ip(), destination.ip()), bytes.into())
}

fn deliver(udp: &mut Udp, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Delivery {
    let (ends, bytes) = datagram(from, to, payload);
    udp.handle(ends, &bytes, false, &room(&bytes))
}

#[test]
fn rfc768_delivers_by_port() {
    let mut udp = Udp::default();
    let id = bind(&mut udp, at(Ipv4Addr::UNSPECIFIED, 53));
    let from = at(THEIRS, 4000);
    assert_eq!(
        deliver(&mut udp, from, at(OURS, 53), b"hello"),
        Delivery::Queued(id)
    );
    assert_eq!(
        deliver(&mut udp, from, at(OURS, 54), b"hello"),
        Delivery::NoPort
    );
    assert_eq!(
        udp.peek(id).map(|datagram| datagram.payload.clone()),
        Some("hello".into())
    );
    let received = udp.receive(id).expect("one datagram");
    assert_eq!(
        (received.source, received.destination),
        (from, at(OURS, 53))
    );
    assert_eq!(received.payload, "hello");
    assert_eq!(udp.receive(id), None);
}

#[test]
fn rfc768_checksum_is_verified_unless_zero() {
    let mut udp = Udp::default();
    let id = bind(&mut udp, at(OURS, 53));
    let (ends, good) = datagram(at(THEIRS, 1), at(OURS, 53), &[5; 31]);
    for octet in 0..good.len() {
        let mut bad = good.to_vec();
        bad[octet] ^= 0x40;
        let delivery = {
            let bytes = bad.into();
            udp.handle(ends, &bytes, false, &room(&bytes))
        };
        assert!(
            !matches!(delivery, Delivery::Queued(_)),
            "octet {octet}: {delivery:?}"
        );
    }
    let mut unchecked = good.to_vec();
    unchecked[6..8].fill(0);
    assert_eq!(
        {
            let bytes = unchecked.into();
            udp.handle(ends, &bytes, false, &room(&bytes))
        },
        Delivery::Queued(id)
    );
}

#[test]
fn rfc768_a_sum_of_zero_is_sent_as_ones() {
    // A payload of one word that makes the sum come out as zero.
    let (source, destination) = (at(THEIRS, 1), at(OURS, 53));
    let sum_of = |payload: &[u8]| {
        let (_, bytes) = datagram(source, destination, payload);
        u16::from_be_bytes([bytes[6], bytes[7]])
    };
    let sum = sum_of(&[0, 0]);
    assert_eq!(sum_of(&sum.to_be_bytes()), 0xffff);
}

#[test]
fn lengths_that_lie_are_refused() {
    let mut udp = Udp::default();
    bind(&mut udp, at(OURS, 53));
    let (ends, good) = datagram(at(THEIRS, 1), at(OURS, 53), &[5; 8]);
    for length in [0u16, 7, 17, 0xffff] {
        let mut bad = good.to_vec();
        bad[4..6].copy_from_slice(&length.to_be_bytes());
        let delivery = {
            let bytes = bad.into();
            udp.handle(ends, &bytes, false, &room(&bytes))
        };
        assert_eq!(
            delivery,
            Delivery::Malformed { checksum: false },
            "length {length}"
        );
    }
    for len in 0..HEADER_LEN {
        let delivery = udp.handle(ends, &good.slice(..len), false, &room(&good));
        assert_eq!(delivery, Delivery::Malformed { checksum: false });
    }
}

#[test]
fn queues_are_bounded_by_count_and_octets() {
    let mut udp = Udp::default();
    // Two of ten octets, each in a buffer of eighteen, and one in a buffer of five hundred.
    let limits = QueueLimits {
        datagrams: 3,
        octets: 2 * (DATAGRAM + 18) + DATAGRAM + 500,
        ..QueueLimits::default()
    };
    let few = udp.bind(at(OURS, 1), limits, 0).expect("free");
    let from = at(THEIRS, 9);
    for _ in 0..3 {
        assert_eq!(
            deliver(&mut udp, from, at(OURS, 1), &[0; 10]),
            Delivery::Queued(few)
        );
    }
    assert_eq!(
        deliver(&mut udp, from, at(OURS, 1), &[0; 10]),
        Delivery::QueueFull
    );
    udp.receive(few);
    assert_eq!(udp.held(), 2 * (DATAGRAM + 18));
    assert_eq!(
        deliver(&mut udp, from, at(OURS, 1), &[0; 493]),
        Delivery::QueueFull
    );
    assert_eq!(
        deliver(&mut udp, from, at(OURS, 1), &[0; 492]),
        Delivery::Queued(few)
    );
    assert_eq!(udp.held(), limits.octets);
    udp.close(few);
    assert_eq!((udp.held(), udp.holders), (0, 0));
}

#[test]
fn rfc768_a_small_datagram_does_not_keep_its_frame() {
    let mut udp = Udp::default();
    let id = bind(&mut udp, at(OURS, 53));
    for (len, held) in [(0, 0), (1, 1), (1023, 1023), (1024, 2048), (1472, 2048)] {
        let (ends, bytes) = datagram(at(THEIRS, 1), at(OURS, 53), &vec![3; len]);
        let room = Room {
            pinned: 2048,
            ..room(&bytes)
        };
        let delivery = udp.handle(ends, &bytes, false, &room);
        assert_eq!(delivery, Delivery::Queued(id));
        assert_eq!(udp.held(), DATAGRAM + held, "{len} octets");
        let payload = udp.receive(id).expect("it waits").payload;
        let shared = bytes.as_ptr_range().contains(&payload.as_ptr());
        assert_eq!(shared && len > 0, held == 2048);
        assert_eq!(udp.held(), 0);
    }
}

#[test]
fn rfc768_a_flooded_socket_leaves_the_others_their_share() {
    let mut udp = Udp::default();
    let sockets = [1, 2, 3].map(|port| bind(&mut udp, at(OURS, port)));
    let send = |port: u16, udp: &mut Udp| {
        let (ends, bytes) = datagram(at(THEIRS, 9), at(OURS, port), &[1; 492]);
        let room = Room {
            octets: 12 * (DATAGRAM + 500),
            ..room(&bytes)
        };
        udp.handle(ends, &bytes, false, &room)
    };
    for _ in 0..12 {
        assert_eq!(send(1, &mut udp), Delivery::Queued(sockets[0]));
    }
    assert_eq!(send(1, &mut udp), Delivery::QueueFull);
    let got = [2, 3].map(|port| {
        let count = (0..20).filter(|_| send(port, &mut udp) != Delivery::QueueFull);
        count.count()
    });
    assert_eq!(got, [6, 4], "a half, then a third");
    // The first comes down to its share before it gets more.
    for left in (4..12).rev() {
        assert_eq!(send(1, &mut udp), Delivery::QueueFull, "{left} wait");
        udp.receive(sockets[0]);
    }
    while udp.receive(sockets[1]).is_some() {}
    assert_eq!(send(1, &mut udp), Delivery::Queued(sockets[0]));
}

#[test]
fn rfc768_nothing_is_queued_when_no_memory_is_left() {
    let mut udp = Udp::default();
    bind(&mut udp, at(OURS, 53));
    let (ends, bytes) = datagram(at(THEIRS, 1), at(OURS, 53), b"x");
    let room = Room {
        left: DATAGRAM,
        ..room(&bytes)
    };
    let delivery = udp.handle(ends, &bytes, false, &room);
    assert_eq!((delivery, udp.held()), (Delivery::QueueFull, 0));
}

#[test]
fn binding_the_same_twice_is_an_error() {
    let mut udp = Udp::default();
    let limits = QueueLimits::default();
    let id = bind(&mut udp, at(OURS, 53));
    assert_eq!(udp.bind(at(OURS, 53), limits, 0), Err(BindError::AddrInUse));
    assert_eq!(
        udp.bind(at(Ipv4Addr::UNSPECIFIED, 53), limits, 0),
        Err(BindError::AddrInUse)
    );
    let alias = bind(&mut udp, at(ALIAS, 53));
    assert_eq!(
        deliver(&mut udp, at(THEIRS, 1), at(ALIAS, 53), b"x"),
        Delivery::Queued(alias)
    );
    udp.close(id);
    bind(&mut udp, at(OURS, 53));
}

#[test]
fn rfc6056_ephemeral_ports_are_in_range_distinct_and_run_out() {
    let range = (50_000u16, 50_999u16);
    let count = usize::from(range.1 - range.0) + 1;
    let mut udp = Udp::new(range);
    let mut ports = std::collections::HashSet::new();
    for n in 0..100u32 {
        let id = udp.bind(
            at(OURS, 0),
            QueueLimits::default(),
            n.wrapping_mul(0x9e37_79b9),
        );
        let port = udp.local(id.expect("free")).expect("open").port();
        assert!((range.0..=range.1).contains(&port), "{port}");
        assert!(ports.insert(port), "port {port} given twice");
    }
    while udp.sockets.len() < count {
        udp.bind(at(OURS, 0), QueueLimits::default(), 0)
            .expect("one is left");
    }
    let full = udp.bind(at(OURS, 0), QueueLimits::default(), 5);
    assert_eq!(full, Err(BindError::NoPortLeft));
}

#[test]
fn rfc1122_section_4_1_3_3_port_unreachable_reaches_the_connected_socket() {
    let mut udp = Udp::default();
    let id = bind(&mut udp, at(Ipv4Addr::UNSPECIFIED, 5000));
    let peer = at(THEIRS, 53);
    assert_eq!(
        udp.handle_unreachable(at(OURS, 5000).into(), peer.into()),
        None,
        "not connected"
    );
    udp.connect(id, peer);
    assert_eq!(
        udp.handle_unreachable(at(OURS, 5000).into(), at(THEIRS, 54).into()),
        None,
        "another peer"
    );
    assert_eq!(
        udp.handle_unreachable(at(OURS, 5000).into(), peer.into()),
        Some(id)
    );
    assert!(udp.take_refused(id));
    assert!(!udp.take_refused(id));
    assert_eq!(
        deliver(&mut udp, at(THEIRS, 54), at(OURS, 5000), b"x"),
        Delivery::NoPort
    );
    assert_eq!(
        deliver(&mut udp, peer, at(OURS, 5000), b"x"),
        Delivery::Queued(id)
    );
    // A refusal that nobody has taken is not the next peer's.
    assert_eq!(
        udp.handle_unreachable(at(OURS, 5000).into(), peer.into()),
        Some(id)
    );
    udp.connect(id, peer);
    assert!(udp.take_refused(id));
    assert_eq!(
        udp.handle_unreachable(at(OURS, 5000).into(), peer.into()),
        Some(id)
    );
    udp.connect(id, at(THEIRS, 9));
    assert!(!udp.take_refused(id));
}

#[test]
fn sockets_on_all_addresses_of_both_families() {
    let (ours, theirs) = (
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::LOCALHOST,
    );
    let any = at(Ipv6Addr::UNSPECIFIED, 53);
    let limits = QueueLimits::default();
    let mut udp = Udp::default();
    let both = bind(&mut udp, any);
    let received = |udp: &mut Udp, id| udp.receive(id).expect("a datagram").destination;
    for (from, to) in [(at(theirs, 9), at(ours, 53)), (at(THEIRS, 9), at(OURS, 53))] {
        assert_eq!(deliver(&mut udp, from, to, b"x"), Delivery::Queued(both));
        assert_eq!(received(&mut udp, both), to);
    }
    for taken in [
        any,
        at(ours, 53),
        at(OURS, 53),
        at(Ipv4Addr::UNSPECIFIED, 53),
    ] {
        assert_eq!(
            udp.bind(taken, limits, 0),
            Err(BindError::AddrInUse),
            "{taken}"
        );
    }
    udp.close(both);
    let alone = udp.bind(any, limits.only_v6(true), 0).expect("free");
    let to_v4 = deliver(&mut udp, at(THEIRS, 9), at(OURS, 53), b"x");
    assert_eq!(to_v4, Delivery::NoPort);
    let v4 = bind(&mut udp, at(Ipv4Addr::UNSPECIFIED, 53));
    for (from, to, id) in [
        (at(theirs, 9), at(ours, 53), alone),
        (at(THEIRS, 9), at(OURS, 53), v4),
    ] {
        assert_eq!(deliver(&mut udp, from, to, b"x"), Delivery::Queued(id));
    }
    // RFC 4291 §2.5.5.2: another way to write the same address.
    let mapped = Ipv4Addr::new(10, 0, 0, 9).to_ipv6_mapped();
    let id = bind(&mut udp, at(mapped, 54));
    assert_eq!(udp.local(id), Some(at(Ipv4Addr::new(10, 0, 0, 9), 54)));
}

#[test]
fn rfc8200_section_8_1_a_datagram_over_ipv6_has_a_checksum() {
    let (ours, theirs) = (
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::LOCALHOST,
    );
    let mut udp = Udp::default();
    let id = bind(&mut udp, at(Ipv6Addr::UNSPECIFIED, 53));
    let (ends, good) = datagram(at(theirs, 9), at(ours, 53), b"data");
    let mut bad = good.to_vec();
    bad[6..8].fill(0);
    let delivery = udp.handle(ends, &bad.into(), false, &room(&good));
    assert_eq!(delivery, Delivery::Malformed { checksum: true });
    let delivery = udp.handle(ends, &good, false, &room(&good));
    assert_eq!(delivery, Delivery::Queued(id));
}
