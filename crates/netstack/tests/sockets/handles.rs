//! Handles: how long they keep a stack running, and what they can be turned into.

use crate::tcp::pair;
use crate::world::{CLIENT, SERVER, World};
use futures_lite::{StreamExt, future};
use netstack::proto::tcp::KeepAlive;
use netstack::{TcpListener, TcpStream, UdpSocket, copy_bidirectional};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_stack_runs_as_long_as_a_stream_of_it_and_until_what_was_written_is_delivered() {
    let mut world = World::new();
    let (near, far) = world.run(pair(&world));
    world.forget_client();
    world.run(async {
        world.server.sleep(SECOND).await;
        assert!(!world.client_has_ended(), "a stream is left");
        near.write_all(&[7; 100_000]).await.expect("sent");
        drop(near);
        let mut received = 0;
        while let Some(chunk) = far.read_chunk(usize::MAX).await.expect("there") {
            received += chunk.len();
        }
        assert_eq!(received, 100_000);
        drop(far);
        world.server.sleep(SECOND).await;
        assert!(world.client_has_ended(), "nobody holds it any more");
    });
}

#[test]
fn a_stack_that_nobody_used_ends_with_its_handle() {
    let mut world = World::new();
    world.run(async { world.client.sleep(SECOND).await });
    world.forget_client();
    world.run(async { world.server.sleep(SECOND).await });
    assert!(world.client_has_ended());
}

#[test]
fn the_failure_of_a_stack_says_what_broke_it() {
    let world = World::new();
    world.run(async {
        let mut failure = Box::pin(world.client.failure());
        assert!(future::poll_once(&mut failure).await.is_none());
        world.break_client();
        let error = failure.await;
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // Also for whoever asks later.
        assert_eq!(world.client.failure().await.to_string(), error.to_string());
    });
    let world = World::new();
    world.stop_client();
    let error = world.run(async { world.client.failure().await });
    assert_eq!(error.kind(), ErrorKind::NetworkDown);
}

#[test]
fn connections_come_as_a_stream_that_ends_with_the_stack() {
    let world = World::new();
    world.run(async {
        let listener = TcpListener::bind(&world.client, (CLIENT, 7)).expect("a free port");
        let mut incoming = listener.incoming();
        let mut kept = Vec::new();
        for _ in 0..3 {
            let (connected, accepted) = future::zip(
                TcpStream::connect(&world.server, (CLIENT, 7)),
                incoming.next(),
            )
            .await;
            let connected = connected.expect("connected");
            let accepted = accepted.expect("endless").expect("a connection");
            let peer = accepted.peer_addr().expect("connected");
            assert_eq!(peer, connected.local_addr().expect("connected"));
            kept.push((connected, accepted));
        }
        world.break_client();
        let error = incoming.next().await.expect("an end").map(drop);
        assert_eq!(error.expect_err("broken").kind(), ErrorKind::BrokenPipe);
        assert!(incoming.next().await.is_none());
    });
}

#[test]
fn the_halves_know_their_addresses_and_the_owned_one_ends_the_stream() {
    let world = World::new();
    world.run(async {
        let (mut near, mut far) = pair(&world).await;
        let ours = near.local_addr().expect("connected");
        let theirs = SocketAddr::from((SERVER, 7));
        let (read, write) = near.split();
        let of_read = (read.local_addr(), read.peer_addr());
        for (local, peer) in [of_read, (write.local_addr(), write.peer_addr())] {
            assert_eq!(local.expect("connected"), ours);
            assert_eq!(peer.expect("connected"), theirs);
        }
        let (read, mut write) = near.into_split();
        assert_eq!(read.local_addr().expect("connected"), ours);
        assert_eq!(write.peer_addr().expect("connected"), theirs);
        assert!(format!("{write:?}").contains("10.0.0.2:7"), "{write:?}");
        write.write_all(b"all of it").await.expect("sent");
        drop(write);
        let mut octets = [0; 9];
        let (mut reader, _) = far.split();
        reader.read_exact(&mut octets).await.expect("as many");
        assert_eq!(&octets, b"all of it");
        let error = reader
            .read_exact(&mut octets[..1])
            .await
            .expect_err("ended");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn two_streams_are_tied_together_until_both_have_ended() {
    let world = World::new();
    let proxy = TcpListener::bind(&world.server, (SERVER, 80)).expect("a free port");
    let stack = world.server.clone();
    let target = TcpListener::bind(&world.client, (CLIENT, 81)).expect("a free port");
    world.run(async {
        let proxy = async {
            let (near, _) = proxy.accept().await.expect("a connection");
            let far = TcpStream::connect(&stack, (CLIENT, 81)).await;
            let far = far.expect("connected");
            copy_bidirectional(&near, &far).await.expect("both ended")
        };
        let user = async {
            let stream = TcpStream::connect(&world.client, (SERVER, 80)).await;
            let stream = stream.expect("connected");
            stream.write_all(&[1; 300_000]).await.expect("sent");
            stream.shutdown().expect("ended");
            count(&stream).await
        };
        let target = async {
            let (stream, _) = target.accept().await.expect("a connection");
            // The answer begins when the question has ended.
            let received = count(&stream).await;
            stream.write_all(&[2; 500_000]).await.expect("sent");
            received
        };
        let (copied, (back, there)) = future::zip(proxy, future::zip(user, target)).await;
        assert_eq!((there, back), (300_000, 500_000));
        assert_eq!(copied, (300_000, 500_000));
    });
}

async fn count(stream: &TcpStream) -> usize {
    let mut received = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX).await.expect("there") {
        received += chunk.len();
    }
    received
}

#[test]
fn what_was_set_of_a_stream_can_be_asked_for() {
    let world = World::new();
    world.run(async {
        let (stream, _far) = pair(&world).await;
        let get = |stream: &TcpStream| {
            let timeouts = (stream.read_timeout(), stream.write_timeout());
            let of_user = (stream.user_timeout().ok(), stream.linger().ok());
            let (nodelay, keep_alive) = (stream.nodelay().ok(), stream.keep_alive().ok());
            (nodelay, keep_alive, of_user, stream.ttl().ok(), timeouts)
        };
        let none = (Some(None), Some(None));
        let first = (Some(false), Some(None), none, Some(64), (None, None));
        assert_eq!(get(&stream), first);
        let keep_alive = KeepAlive::default()
            .idle(SECOND)
            .interval(2 * SECOND)
            .probes(3);
        stream.set_nodelay(true).expect("open");
        stream.set_keep_alive(Some(keep_alive)).expect("open");
        stream.set_user_timeout(Some(3 * SECOND)).expect("open");
        stream.set_linger(Some(Duration::ZERO)).expect("open");
        stream.set_ttl(9).expect("open");
        stream.set_read_timeout(Some(4 * SECOND));
        stream.set_write_timeout(Some(5 * SECOND));
        let all = (
            Some(true),
            Some(Some(keep_alive)),
            (Some(Some(3 * SECOND)), Some(Some(Duration::ZERO))),
            Some(9),
            (Some(4 * SECOND), Some(5 * SECOND)),
        );
        assert_eq!(get(&stream), all);
        for ttl in [0, 256] {
            let error = stream.set_ttl(ttl).expect_err("no such time");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&ttl.to_string()), "{error}");
        }
        assert_eq!(stream.ttl().expect("open"), 9);
    });
}

#[test]
fn rfc6056_3_2_udp_and_tcp_choose_ports_from_one_range() {
    let world = World::new();
    for _ in 0..200 {
        let socket = UdpSocket::bind(&world.client, (CLIENT, 0)).expect("a free port");
        let listener = TcpListener::bind(&world.client, (CLIENT, 0)).expect("a free port");
        for address in [socket.local_addr(), listener.local_addr()] {
            let port = address.expect("bound").port();
            assert!((32_768..=60_999).contains(&port), "{port}");
        }
    }
}

#[test]
fn a_connected_udp_socket_receives_from_its_peer() {
    let world = World::new();
    world.run(async {
        let far = UdpSocket::bind(&world.server, (SERVER, 9)).expect("a free port");
        let near = UdpSocket::bind(&world.client, (CLIENT, 9)).expect("a free port");
        let mut buffer = [0; 8];
        let error = near.recv(&mut buffer).await.expect_err("no peer");
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        near.connect((SERVER, 9)).expect("an address");
        assert_eq!(
            near.peer_addr().expect("one"),
            SocketAddr::from((SERVER, 9))
        );
        assert_eq!(near.send(b"there").expect("sent"), 5);
        assert_eq!(far.recv_from(&mut buffer).await.expect("there").0, 5);
        assert_eq!(far.send_to(b"back", (CLIENT, 9)).expect("sent"), 4);
        assert_eq!(near.recv(&mut buffer).await.expect("there"), 4);
        assert_eq!(&buffer[..4], b"back");
    });
}

#[test]
fn a_socket_may_have_limits_of_its_own() {
    let world = World::new();
    world.run(async {
        let one = netstack::proto::udp::QueueLimits::default().datagrams(1);
        let far = UdpSocket::bind_with(&world.server, (SERVER, 9), one).expect("a free port");
        let near = UdpSocket::bind(&world.client, (CLIENT, 9)).expect("a free port");
        for octet in [b"1", b"2", b"3"] {
            near.send_to(octet, (SERVER, 9)).expect("a route");
            world.client.sleep(SECOND).await;
        }
        let datagram = far.recv_datagram().await.expect("the first");
        assert_eq!(datagram.payload, "1");
        assert!(future::poll_once(far.recv_datagram()).await.is_none());
    });
}
