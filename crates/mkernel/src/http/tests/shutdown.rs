//! Ending a server.

use std::io::ErrorKind;
use std::marker::PhantomData;
use std::rc::Rc;

use hyper::service::service_fn;
use miou_rs::{Instant, sleep, spawn, timeout};

use super::world::{SECOND, World, answer, rest, run, status, until};
use crate::http::Options;
use crate::http::connection::Server;
use crate::http::peer::{Order, Peer};
use crate::http::places::Peers;

const HELLO: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn what_is_being_served_is_finished_and_nothing_else_begins() {
    run(async |world: World| {
        let signal = sleep(10 * SECOND);
        let options = Options::default().shutdown_time(1000 * SECOND);
        let serving = world.serve_until(options, signal);
        let [idle, slow, fresh] = [
            world.connect().await,
            world.connect().await,
            world.connect().await,
        ];
        idle.write_all(HELLO.as_bytes()).await.expect("sent");
        until(&idle, "hello").await;
        let request = HELLO.replace("GET /", "GET /slow");
        slow.write_all(request.as_bytes()).await.expect("sent");
        sleep(9 * SECOND).await;
        fresh.write_all(&HELLO.as_bytes()[..9]).await.expect("sent");
        sleep(2 * SECOND).await;
        let refused = netstack::TcpStream::connect(world.stack(), ([10, 0, 0, 2], 80)).await;
        let error = refused.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(timeout(SECOND, rest(&idle)).await.expect("at once"), "");
        // One whose request is on its way has its turn.
        fresh.write_all(&HELLO.as_bytes()[9..]).await.expect("sent");
        let answer = rest(&fresh).await;
        assert_eq!(status(&answer), 200);
        assert!(answer.contains("connection: close"), "{answer}");
        let answer = rest(&slow).await;
        assert!(answer.ends_with("slow"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        serving.await.expect("no panic").expect("no error");
    });
}

#[test]
fn a_request_that_has_come_with_the_signal_is_answered() {
    run(async |world: World| {
        let listener = world.listener();
        let client = world.connect().await;
        client.write_all(HELLO.as_bytes()).await.expect("sent");
        sleep(SECOND).await;
        let (stream, address) = listener.accept().await.expect("a client");
        let options = Options::default();
        let peers = Rc::new(Peers::new(options.room(1 << 20, false), 1 << 10));
        let peer = Rc::new(Peer::new(address, Instant::now()));
        let place = peers.enter(peer.clone());
        let server = Server {
            service: Rc::new(service_fn(answer)),
            options: Rc::new(options),
            peers,
            #[cfg(feature = "tls")]
            tls: None,
            kind: PhantomData,
        };
        peer.tell(Order::Finish);
        let serving = spawn(async move { server.connection(stream, peer, place).await });
        let answer = rest(&client).await;
        assert!(answer.contains("connection: close"), "{answer}");
        drop(client);
        serving.await.expect("no panic");
    });
}

#[test]
fn what_takes_too_long_is_cut_off() {
    run(async |world: World| {
        let signal = sleep(2 * SECOND);
        let serving = world.serve_until(Options::default().shutdown_time(5 * SECOND), signal);
        let slow = world.connect().await;
        let request = HELLO.replace("GET /", "GET /slow");
        slow.write_all(request.as_bytes()).await.expect("sent");
        let start = Instant::now();
        serving.await.expect("no panic").expect("no error");
        let time = Instant::now() - start;
        assert!(time > 6 * SECOND && time < 8 * SECOND, "{time:?}");
        assert_eq!(rest(&slow).await, "");
    });
}

#[test]
fn who_has_said_nothing_is_not_waited_for() {
    run(async |world: World| {
        let options = Options::default().shutdown_time(1000 * SECOND);
        let serving = world.serve_until(options, sleep(2 * SECOND));
        let _silent = world.connect().await;
        let ended = timeout(3 * SECOND, serving).await.expect("within a second");
        ended.expect("no panic").expect("no error");
    });
}
