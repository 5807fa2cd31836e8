//! TCP listeners and streams.

use crate::world::{CLIENT, SERVER, World};
use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use netstack::proto::tcp::{Options, congestion};
use netstack::{Config, Stack, TcpListener, TcpStream};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A connection, with both ends.
pub(crate) async fn pair(world: &World) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
    let client = TcpStream::connect(&world.client, (SERVER, 7))
        .await
        .expect("a connection");
    let (server, peer) = listener.accept().await.expect("a connection");
    assert_eq!(peer, client.local_addr().expect("connected"));
    assert_eq!(peer.ip(), CLIENT);
    assert_eq!(
        client.peer_addr().expect("connected"),
        SocketAddr::from((SERVER, 7))
    );
    (client, server)
}

#[test]
fn what_is_written_is_read() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        client.write_all(b"hello").await.expect("sent");
        let mut buffer = [0; 16];
        assert_eq!(server.peek(&mut buffer).await.expect("there"), 5);
        assert_eq!(server.read(&mut buffer[..2]).await.expect("there"), 2);
        let nothing = server.read_chunk(0).await.expect("there");
        assert_eq!(nothing, Some(Bytes::new()), "it is not the end");
        let rest = server.read_chunk(100).await.expect("there");
        assert_eq!((&buffer[..2], rest), (&b"he"[..], Some(Bytes::from("llo"))));
        server
            .write_chunk(Bytes::from("world"))
            .await
            .expect("sent");
        server.flushed().await.expect("acknowledged");
        assert_eq!(client.read(&mut buffer).await.expect("there"), 5);
        assert_eq!(&buffer[..5], b"world");
    });
}

#[test]
fn a_megabyte_each_way_through_the_traits_of_futures_io() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
        let (mut from, mut to) = (&client, &client);
        let send = async {
            to.write_all(&sent).await.expect("sent");
            to.close().await.expect("ended");
        };
        let mut received = Vec::new();
        let receive = async { from.read_to_end(&mut received).await.expect("received") };
        let echo = async {
            futures_lite::io::copy(&server, &mut &server)
                .await
                .expect("copied");
            server.shutdown().expect("ended");
        };
        futures_lite::future::zip(send, futures_lite::future::zip(receive, echo)).await;
        assert!(received == sent);
    });
}

#[test]
fn a_chunk_is_polled_for_until_it_comes() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        let server = &server;
        let read = |max| poll_fn(move |context| server.poll_read_chunk(context, max));
        let (first, _) = futures_lite::future::zip(read(3), client.write_all(b"hello")).await;
        assert_eq!(first.expect("there"), Some("hel".into()));
        client.shutdown().expect("ended");
        assert_eq!(read(100).await.expect("there"), Some("lo".into()));
        assert_eq!(read(100).await.expect("the end"), None);
    });
}

#[test]
fn a_half_closed_stream_still_reads() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        client.shutdown().expect("half-closed");
        assert_eq!(server.read_chunk(100).await.expect("the end"), None);
        server.write_all(b"late").await.expect("sent");
        drop(server);
        assert_eq!(
            client.read_chunk(100).await.expect("there"),
            Some("late".into())
        );
        assert_eq!(client.read_chunk(100).await.expect("the end"), None);
        let error = client.write(b"x").await.expect_err("closed");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn owned_halves_end_the_stream_when_the_writing_one_goes() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        let (mut read, mut write) = client.into_split();
        write.write_all(b"a").await.expect("sent");
        drop(write);
        assert_eq!(server.read_chunk(9).await.expect("there"), Some("a".into()));
        assert_eq!(server.read_chunk(9).await.expect("the end"), None);
        server.write_all(b"b").await.expect("sent");
        assert_eq!(read.read_chunk(9).await.expect("there"), Some("b".into()));
    });
}

#[test]
fn errors_are_of_the_kinds_that_are_expected() {
    let world = World::new();
    world.run(async {
        let refused = TcpStream::connect(&world.client, (SERVER, 1))
            .await
            .map(|_| ());
        assert_eq!(
            refused.expect_err("closed").kind(),
            ErrorKind::ConnectionRefused
        );
        let far = TcpStream::connect(&world.client, ([192, 0, 2, 1], 1))
            .await
            .map(|_| ());
        assert_eq!(
            far.expect_err("no route").kind(),
            ErrorKind::NetworkUnreachable
        );
        let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 1));
        let v6 = TcpStream::connect(&world.client, v6).await.map(|_| ());
        assert_eq!(
            v6.expect_err("IPv6 is not spoken").kind(),
            ErrorKind::NetworkUnreachable
        );
        let elsewhere = std::net::SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, 1, 0, 7);
        let scope = TcpStream::connect(&world.client, elsewhere).await;
        let scope = scope.map(|_| ()).expect_err("another interface's");
        assert_eq!(scope.kind(), ErrorKind::InvalidInput);
        let _first = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
        let second = TcpListener::bind(&world.server, (SERVER, 7)).map(|_| ());
        assert_eq!(second.expect_err("taken").kind(), ErrorKind::AddrInUse);
        let nobody = TcpStream::connect(&world.client, ([10, 0, 0, 9], 1))
            .await
            .map(|_| ());
        let kind = nobody.expect_err("nobody there").kind();
        assert!(
            matches!(kind, ErrorKind::HostUnreachable | ErrorKind::TimedOut),
            "{kind:?}"
        );
    });
}

#[test]
fn an_abort_resets_the_peer() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        client.abort();
        let error = server.read(&mut [0]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn linger_of_zero_resets_on_drop() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        client.set_linger(Some(Duration::ZERO)).expect("held");
        drop(client);
        let error = server.read(&mut [0]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_read_that_waits_too_long_times_out_and_the_stream_goes_on() {
    let world = World::new();
    world.run(async {
        let (client, server) = pair(&world).await;
        client.set_read_timeout(Some(Duration::from_secs(2)));
        let before = world.seconds();
        let error = client.read(&mut [0]).await.expect_err("nothing came");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let waited = world.seconds() - before;
        assert!((2.0..2.1).contains(&waited), "{waited}");
        server.write_all(b"x").await.expect("sent");
        assert_eq!(client.read(&mut [0]).await.expect("there"), 1);
    });
}

#[test]
fn a_write_that_waits_too_long_times_out() {
    let world = World::new();
    world.run(async {
        let (client, _server) = pair(&world).await;
        client.set_write_timeout(Some(Duration::from_secs(3)));
        let chunk = Bytes::from(vec![0; 64 << 10]);
        let error = loop {
            if let Err(error) = client.write_chunk(chunk.clone()).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_peer_that_is_gone_times_out() {
    let world = World::new();
    world.run(async {
        let (client, _server) = pair(&world).await;
        client
            .set_user_timeout(Some(Duration::from_secs(5)))
            .expect("held");
        world.cut();
        client.write_all(b"x").await.expect("queued");
        let before = world.seconds();
        let error = client.read(&mut [0]).await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(world.seconds() - before >= 5.0);
    });
}

#[test]
fn dropping_a_listener_resets_who_was_not_accepted() {
    let world = World::new();
    world.run(async {
        let listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
        let client = TcpStream::connect(&world.client, (SERVER, 7))
            .await
            .expect("connected");
        drop(listener);
        let error = client.read(&mut [0]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_stack_speaks_to_itself() {
    let world = World::new();
    world.run(async {
        let listener = TcpListener::bind(&world.client, (Ipv4Addr::LOCALHOST, 7)).expect("free");
        let near = TcpStream::connect(&world.client, (Ipv4Addr::LOCALHOST, 7)).await;
        let near = near.expect("a connection");
        let (far, _) = listener.accept().await.expect("a connection");
        near.write_all(b"me").await.expect("sent");
        assert_eq!(far.read_chunk(9).await.expect("there"), Some("me".into()));
    });
}

#[test]
fn two_hundred_connections_at_once() {
    let world = World::new();
    let listener = TcpListener::bind(&world.server, (SERVER, 7)).expect("a free port");
    world.spawn(async move {
        let mut streams = Vec::new();
        for _ in 0..200 {
            streams.push(listener.accept().await.expect("a connection").0);
        }
        for stream in streams {
            while let Some(chunk) = stream.read_chunk(usize::MAX).await.expect("there") {
                stream.write_chunk(chunk).await.expect("sent");
            }
        }
    });
    world.run(async {
        let mut streams = Vec::new();
        for _ in 0..200 {
            let stream = TcpStream::connect(&world.client, (SERVER, 7))
                .await
                .expect("connected");
            stream.write_all(&[7; 5000]).await.expect("sent");
            stream.shutdown().expect("half-closed");
            streams.push(stream);
        }
        for stream in streams {
            let mut received = Vec::new();
            (&stream).read_to_end(&mut received).await.expect("echoed");
            assert_eq!(received, [7; 5000]);
        }
    });
    assert_eq!(world.client.counters().tcp.active_opens, 200);
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_value() {
    let config = Config::default()
        .address("10.0.0.1/24".parse().expect("an address"))
        .gateway([192, 0, 2, 1].into());
    struct Nothing;
    impl netstack::FrameDevice for Nothing {
        fn mtu(&self) -> usize {
            1500
        }
        fn mac(&self) -> netstack::proto::link::ethernet::MacAddr {
            Default::default()
        }
        fn try_read(
            &mut self,
            _: &mut bytes::BytesMut,
        ) -> std::io::Result<Option<netstack::Received>> {
            Ok(None)
        }
        fn write(&mut self, _: &[u8]) -> std::io::Result<()> {
            Ok(())
        }
        fn poll_readable(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Pending
        }
    }
    impl netstack::Timer for Nothing {
        fn now(&self) -> netstack::proto::Instant {
            netstack::proto::Instant::from_nanos(0)
        }
        fn poll_until(
            &mut self,
            _: &mut std::task::Context<'_>,
            _: netstack::proto::Instant,
        ) -> std::task::Poll<()> {
            std::task::Poll::Pending
        }
    }
    let error = Stack::new(Nothing, Nothing, config)
        .map(|_| ())
        .expect_err("a far gateway");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
    for address in [
        "0.0.0.0/0",
        "127.0.0.1/8",
        "224.0.0.1/24",
        "255.255.255.255/32",
        "10.0.0.0/24",
        "10.0.0.255/24",
    ] {
        let config = Config::default().address(address.parse().expect("an address"));
        let error = Stack::new(Nothing, Nothing, config)
            .map(|_| ())
            .expect_err(address);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(address), "{error}");
    }
}

#[test]
fn a_listener_and_a_connection_may_be_paced_by_bbr() {
    let world = World::new();
    world.run(async {
        let mut options = Options::default();
        options.congestion = Some(congestion::bbr);
        let listener =
            TcpListener::bind_with(&world.server, (SERVER, 7), 8, &options).expect("a free port");
        let any = (Ipv4Addr::UNSPECIFIED, 0);
        let client = TcpStream::connect_with(&world.client, any, (SERVER, 7), &options)
            .await
            .expect("a connection");
        let (server, _) = listener.accept().await.expect("a connection");
        let sent: Vec<u8> = (0..1_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
        for (from, to) in [(&client, &server), (&server, &client)] {
            let send = async {
                from.write_all(&sent).await.expect("sent");
                from.shutdown().expect("ended");
            };
            let receive = async {
                let mut received = Vec::new();
                while let Some(chunk) = to.read_chunk(usize::MAX).await.expect("there") {
                    received.extend_from_slice(&chunk);
                }
                assert!(received == sent);
            };
            futures_lite::future::zip(send, receive).await;
        }
    });
}
