//! What becomes of connections, and what does not.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use http_body_util::Empty;
use hyper::service::service_fn;
use miou_rs::{sleep, spawn};

use super::version2::connect;
use super::world::{SECOND, World, hello, rest, run, status, until};
use crate::http::{Body, Options, Upgraded, serve};

type Answer = Result<Response<Empty<Bytes>>, Infallible>;

/// Answers with the status that is the path.
async fn as_told(request: Request<Body>) -> Answer {
    let code = request.uri().path().trim_start_matches('/').parse();
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::from_u16(code.expect("a number")).expect("a status");
    Ok(response)
}

/// Sends each octet back, as long as there are any.
async fn tunnel(mut request: Request<Body>) -> Answer {
    let upgrade = hyper::upgrade::on(&mut request);
    let echo = spawn(async {
        let mut stream = Upgraded::from(upgrade.await.expect("upgraded"));
        let mut octet = [0];
        while let Ok(1) = stream.read(&mut octet).await {
            stream.write_all(&octet).await.expect("written");
            stream.flush().await.expect("sent");
        }
    });
    std::mem::forget(echo);
    Ok(Response::new(Empty::new()))
}

#[test]
fn rfc9110_section_7_8_a_protocol_that_was_not_asked_for_is_not_switched_to() {
    run(async |world: World| {
        let server = serve(world.listener(), service_fn(as_told), Options::default());
        let _serving = spawn(server.into_future());
        let get = |version: &str, code: u16, fields: &str| {
            format!("GET /{code} HTTP/{version}\r\nhost: a\r\n{fields}\r\n")
        };
        let asked = "connection: upgrade\r\nupgrade: echo\r\n";
        assert_eq!(world.status(get("1.1", 101, asked)).await, 101);
        let close = "connection: close\r\n";
        assert_eq!(world.status(get("1.1", 101, close)).await, 500);
        let old = world.ask(get("1.0", 101, asked)).await;
        assert!(old.starts_with("HTTP/1.0 500 "), "{old}");
        assert_eq!(world.status(get("1.1", 103, asked)).await, 500);
        assert_eq!(world.status(get("1.1", 204, close)).await, 204);
    });
}

#[test]
fn rfc9110_section_7_8_http_1_0_has_no_upgrade() {
    run(async |world: World| {
        let service = service_fn(async |request: Request<Body>| {
            let asked = request.headers().contains_key("upgrade");
            Ok::<_, Infallible>(Response::new(format!("{asked}")))
        });
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        for (version, expected) in [("1.0", "\r\n\r\nfalse"), ("1.1", "\r\n\r\ntrue")] {
            let request = format!(
                "GET / HTTP/{version}\r\nhost: a\r\nupgrade: echo\r\nconnection: close\r\n\r\n"
            );
            let answer = world.ask(request).await;
            assert!(answer.ends_with(expected), "{answer}");
        }
    });
}

#[test]
fn rfc9113_section_8_6_http_2_switches_to_nothing() {
    run(async |world: World| {
        let options = Options::default().idle_time(5 * SECOND);
        let server = serve(world.listener(), service_fn(as_told), options);
        let _serving = spawn(server.into_future());
        let (mut client, connection) = connect(&world).await;
        for code in ["101", "103"] {
            let request = Request::get(format!("http://a/{code}")).body(Default::default());
            let response = client.send_request(request.expect("a request")).await;
            assert_eq!(response.expect("an answer").status(), 500, "{code}");
        }
        sleep(20 * SECOND).await;
        assert!(connection.is_finished(), "no limit holds any more");
    });
}

#[test]
fn who_connects_to_a_service_that_has_no_tunnels_gets_no_connection_for_good() {
    run(async |world: World| {
        let options = Options::default().idle_time(5 * SECOND);
        let server = serve(world.listener(), service_fn(hello), options);
        let _serving = spawn(server.into_future());
        let (mut client, connection) = connect(&world).await;
        let mut request = Request::new(Default::default());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = "a:80".parse().expect("an authority");
        let answer = client.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        sleep(20 * SECOND).await;
        assert!(connection.is_finished(), "no limit holds any more");
        drop(answer);
    });
}

#[test]
fn rfc9113_section_8_5_a_tunnel_has_its_time_and_its_connection_ends_after_it() {
    run(async |world: World| {
        let options = Options::default().idle_time(5 * SECOND).connections(1);
        let server = serve(world.listener(), service_fn(tunnel), options);
        let _serving = spawn(server.into_future());
        let (mut client, connection) = connect(&world).await;
        let mut request = Request::new(Default::default());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = "a:80".parse().expect("an authority");
        let response = client.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let upgraded = hyper::upgrade::on(response).await.expect("a tunnel");
        let mut stream = Upgraded::from(upgraded);
        for _ in 0..2 {
            sleep(60 * SECOND).await;
            stream.write_all(b"x").await.expect("written");
            stream.flush().await.expect("sent");
            let mut octet = [0];
            stream.read_exact(&mut octet).await.expect("an echo");
            assert_eq!(octet, *b"x");
        }
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        assert_eq!(status(&world.ask(get).await), 503, "it makes no room");
        drop(stream);
        sleep(20 * SECOND).await;
        assert!(connection.is_finished());
    });
}

#[test]
fn reading_nothing_takes_nothing() {
    run(async |world: World| {
        let service = service_fn(async |mut request: Request<Body>| {
            let upgrade = hyper::upgrade::on(&mut request);
            let echo = spawn(async {
                let mut stream = Upgraded::from(upgrade.await.expect("upgraded"));
                sleep(SECOND).await;
                assert_eq!(stream.read(&mut []).await.expect("no error"), 0);
                let mut octets = [0; 3];
                stream.read_exact(&mut octets).await.expect("all");
                stream.write_all(&octets).await.expect("written");
                stream.close().await.expect("ended");
            });
            std::mem::forget(echo);
            let response = Response::builder().status(101).header("upgrade", "echo");
            response.body(Empty::<Bytes>::new())
        });
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        let get = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        let stream = world.connect().await;
        stream.write_all(get.as_bytes()).await.expect("sent");
        until(&stream, "\r\n\r\n").await;
        stream.write_all(b"abc").await.expect("sent");
        assert_eq!(rest(&stream).await, "abc");
    });
}

/// Asks a server that has one place, and whose service keeps what it is asked, for an upgrade, and then another client;
/// returns what it has kept, and that client's answer.
async fn ask_twice(
    world: &World,
    code: u16,
    between: impl FnOnce(&mut Vec<Request<Body>>),
) -> (String, u16) {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keeps = kept.clone();
    let service = service_fn(move |request: Request<Body>| {
        let mut response = Response::new(Empty::<Bytes>::new());
        if request.uri().path() == "/keep" {
            *response.status_mut() = StatusCode::from_u16(code).expect("a status");
            keeps.borrow_mut().push(request);
        }
        async { Ok::<_, Infallible>(response) }
    });
    let options = Options::default().connections(1);
    let server = serve(world.listener(), service, options);
    let _serving = spawn(server.into_future());
    let stream = world.connect().await;
    let ask = "GET /keep HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.expect("sent");
    let first = until(&stream, "\r\n\r\n").await;
    sleep(SECOND).await;
    between(&mut kept.borrow_mut());
    let close = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    (first, world.status(close).await)
}

#[test]
fn a_request_that_is_kept_keeps_no_place_unless_its_connection_was_upgraded() {
    run(async |world: World| {
        let (first, second) = ask_twice(&world, 202, |_| ()).await;
        assert_eq!((status(&first), second), (202, 200));
    });
    run(async |world: World| {
        let (first, second) = ask_twice(&world, 101, |_| ()).await;
        assert_eq!((status(&first), second), (101, 503));
    });
}

#[test]
fn an_upgraded_connection_that_another_thread_drops_is_closed() {
    run(async |world: World| {
        let drop_elsewhere = |kept: &mut Vec<Request<Body>>| {
            let kept = std::mem::take(kept);
            let other = std::thread::spawn(move || drop(kept));
            other.join().expect("no panic");
        };
        let (first, second) = ask_twice(&world, 101, drop_elsewhere).await;
        assert_eq!((status(&first), second), (101, 200));
    });
}
