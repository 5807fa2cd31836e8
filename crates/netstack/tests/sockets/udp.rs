//! UDP sockets, and ping.

use crate::world::{CLIENT, SERVER, World};
use netstack::UdpSocket;
use std::io::ErrorKind;
use std::net::SocketAddr;
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
            let (request, peer) = server.receive().await.expect("a datagram");
            assert_eq!(request.len(), len);
            assert_eq!(peer, SocketAddr::from((CLIENT, client.local_addr().port())));
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
        let error = socket.receive().await.expect_err("nobody");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn ping_measures_or_times_out() {
    let world = World::new();
    world.run(async {
        let second = Duration::from_secs(1);
        world.client.ping(SERVER, second).await.expect("an echo");
        let nobody = world.client.ping([10, 0, 0, 9].into(), second).await;
        assert_eq!(nobody.expect_err("nobody").kind(), ErrorKind::TimedOut);
        assert_eq!(world.server.counters().icmp.in_echos, 1);
    });
}
