//! UDP sockets, and ping.

use crate::world::{CLIENT, SERVER, World};
use netstack::UdpSocket;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

#[test]
fn datagrams_there_and_back() {
    let world = World::new();
    world.run(async {
        let server = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
        let client = UdpSocket::bind(&world.client, ([0; 4], 0)).expect("a free port");
        client.connect((SERVER, 53)).expect("an address");
        for len in [0, 1, 1472, 1473, 40_000] {
            client.send(&vec![9; len]).expect("a route");
            let datagram = server.recv_datagram().await.expect("a datagram");
            let (request, peer) = (datagram.payload, datagram.source);
            assert_eq!(request.len(), len);
            let port = client.local_addr().expect("bound").port();
            assert_eq!(peer, SocketAddr::from((CLIENT, port)));
            server.send_to(&request, peer).expect("a route");
            let mut buffer = vec![0; 65_536];
            let (count, from) = client.recv_from(&mut buffer).await.expect("a datagram");
            assert_eq!((count, from), (len, SocketAddr::from((SERVER, 53))));
            assert!(buffer[..count] == request);
        }
    });
}

#[test]
fn errors_are_of_the_kinds_that_are_expected() {
    let world = World::new();
    world.run(async {
        let socket = UdpSocket::bind(&world.client, ([0; 4], 53)).expect("a free port");
        let taken = UdpSocket::bind(&world.client, ([0; 4], 53)).map(|_| ());
        assert_eq!(taken.expect_err("taken").kind(), ErrorKind::AddrInUse);
        let error = socket.send(b"x").expect_err("no peer");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let error = socket
            .send_to(b"x", ([192, 0, 2, 1], 1))
            .expect_err("no route");
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
        let error = socket
            .send_to(&[0; 65_508], (SERVER, 1))
            .expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("65507"), "{error}");
        socket.connect((SERVER, 9)).expect("an address");
        socket.send(b"anybody?").expect("a route");
        let error = socket.recv_datagram().await.expect_err("nobody");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn ping_measures_or_times_out() {
    let world = World::new();
    world.run(async {
        let second = Duration::from_secs(1);
        world.client.ping(SERVER, second).await.expect("an echo");
        for ourselves in [CLIENT, std::net::Ipv4Addr::LOCALHOST] {
            world.client.ping(ourselves, second).await.expect("an echo");
        }
        let nobody = world.client.ping([10, 0, 0, 9], second).await;
        assert_eq!(nobody.expect_err("nobody").kind(), ErrorKind::TimedOut);
        assert_eq!(world.server.counters().icmp.in_echos, 1);
    });
}

#[test]
fn rfc1122_3_2_1_3_sockets_of_addresses_that_are_not_ours_are_refused() {
    let world = World::new();
    let foreign = std::net::Ipv4Addr::new(192, 0, 2, 77);
    world.run(async {
        let kind = |error: std::io::Error| error.kind();
        let datagrams = UdpSocket::bind(&world.client, (foreign, 9)).map(|_| ());
        let listening = netstack::TcpListener::bind(&world.client, (foreign, 9)).map(|_| ());
        let options = netstack::proto::tcp::Options::default();
        let (local, peer) = ((foreign, 0), (SERVER, 80));
        let stream = netstack::TcpStream::connect_with(&world.client, local, peer, &options);
        for refused in [datagrams, listening, stream.await.map(|_| ())] {
            assert_eq!(refused.map_err(kind), Err(ErrorKind::AddrNotAvailable));
        }
        assert_eq!(world.client.counters().tcp.active_opens, 0);
        let socket = UdpSocket::bind(&world.client, (CLIENT, 9)).expect("ours");
        assert!(world.client.remove_address(CLIENT));
        world
            .client
            .add_address("10.0.0.3/24".parse().expect("an address"));
        let sent = socket.send_to(b"x", (SERVER, 9)).map_err(kind);
        assert_eq!(sent, Err(ErrorKind::AddrNotAvailable));
    });
}

#[test]
fn a_reader_is_told_that_its_address_has_gone() {
    let world = World::new();
    world.run(async {
        let listener = netstack::TcpListener::bind(&world.server, (SERVER, 80)).expect("free");
        let stream = netstack::TcpStream::connect(&world.client, (SERVER, 80)).await;
        let stream = stream.expect("connected");
        let _accepted = listener.accept().await.expect("a connection");
        let mut buffer = [0; 8];
        let reading = stream.read(&mut buffer);
        let going = async {
            world.client.sleep(Duration::from_secs(1)).await;
            assert!(world.client.remove_address(CLIENT));
            std::future::pending().await
        };
        let error = futures_lite::future::or(reading, going).await;
        let error = error.expect_err("the address has gone");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
fn a_group_is_heard_from_join_to_leave() {
    let world = World::new();
    world.run(async {
        let group = Ipv4Addr::new(239, 1, 2, 3);
        let listener = UdpSocket::bind(&world.server, ([0; 4], 5353)).expect("a free port");
        let speaker = UdpSocket::bind(&world.client, ([0; 4], 0)).expect("a free port");
        let error = listener.leave_multicast(group).expect_err("not in it");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        speaker
            .send_to(b"too early", (group, 5353))
            .expect("a route");
        world.client.sleep(Duration::from_secs(1)).await;
        listener.join_multicast(group).expect("a group");
        let error = listener.join_multicast(group).expect_err("twice");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = listener.join_multicast(SERVER).expect_err("no group");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        speaker.send_to(b"news", (group, 5353)).expect("a route");
        let heard = listener.recv_datagram().await.expect("a datagram");
        assert_eq!(heard.payload, &b"news"[..]);
        assert_eq!(heard.destination.ip(), group);
        listener.leave_multicast(group).expect("it is in it");
        speaker
            .send_to(b"too late", (group, 5353))
            .expect("a route");
        speaker.send_to(b"to you", (SERVER, 5353)).expect("a route");
        let heard = listener.recv_datagram().await.expect("a datagram");
        assert_eq!(heard.payload, &b"to you"[..]);
    });
}

#[test]
fn many_datagrams_are_sent_in_one_call() {
    let world = World::new();
    world.run(async {
        let server = UdpSocket::bind(&world.server, (SERVER, 53)).expect("a free port");
        let client = UdpSocket::bind(&world.client, ([0; 4], 0)).expect("a free port");
        let payload: Vec<u8> = (0..10_000_u16)
            .map(|at| at as u8 ^ (at >> 8) as u8)
            .collect();
        let sent = client.send_segments_to(&payload, 1472, (SERVER, 53));
        assert_eq!(sent.expect("a route"), payload.len());
        for part in payload.chunks(1472) {
            let datagram = server.recv_datagram().await.expect("a datagram");
            assert_eq!(datagram.payload, part);
        }
        let kind = |sent: std::io::Result<usize>| sent.expect_err("not sent").kind();
        let nothing = client.send_segments_to(&payload, 0, (SERVER, 53));
        assert_eq!(kind(nothing), ErrorKind::InvalidInput);
        let nowhere = client.send_segments_to(&payload, 1472, ([192, 0, 2, 1], 1));
        assert_eq!(kind(nowhere), ErrorKind::NetworkUnreachable);
        let long = client.send_segments_to(&[0; 70_000], 65_508, (SERVER, 53));
        assert_eq!(kind(long), ErrorKind::InvalidInput);
    });
}
