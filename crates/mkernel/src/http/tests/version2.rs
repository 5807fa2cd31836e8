//! HTTP/2: RFC 9113.

use std::convert::Infallible;
use std::pin::pin;

use ::http::{Request, Response};
use bytes::Bytes;
use futures_lite::future::poll_once;
use futures_lite::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::service::service_fn;
use miou_rs::hyper::Executor;
use miou_rs::{Instant, Promise, sleep, spawn, timeout};

use super::world::{SECOND, World, run};
use crate::http::{Body, Http2, Options, serve};

pub(super) type Client = SendRequest<Full<Bytes>>;

/// A client, and its connection.
pub(super) async fn connect(world: &World) -> (Client, Promise<hyper::Result<()>>) {
    let stream = world.connect().await;
    let handshake = http2::handshake(Executor::default(), stream).await;
    let (client, connection) = handshake.expect("HTTP/2");
    (client, spawn(connection))
}

async fn ask(client: &Client, path: &str, content: &[u8]) -> hyper::Result<(u16, String)> {
    let request = Request::post(format!("http://a{path}"));
    let request = request
        .body(Full::from(content.to_vec()))
        .expect("a request");
    let response: Response<Incoming> = client.clone().send_request(request).await?;
    let status = response.status().as_u16();
    let content = response.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&content).into_owned()))
}

#[test]
fn section_3_3_prior_knowledge_is_enough() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let (client, _connection) = connect(&world).await;
        let slow = ask(&client, "/slow", b"");
        let fast = async {
            let start = Instant::now();
            let answer = ask(&client, "/echo", b"abc").await.expect("an answer");
            assert!(Instant::now() - start < SECOND);
            answer
        };
        let (slow, fast) = futures_lite::future::zip(slow, fast).await;
        assert_eq!(slow.expect("an answer"), (200, "slow".to_owned()));
        assert_eq!(fast, (200, "abc".to_owned()));
    });
}

#[test]
fn bounds_hold_for_each_request() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().body_octets(10));
        let (client, _connection) = connect(&world).await;
        let answer = ask(&client, "/count", &[0; 11]).await.expect("an answer");
        assert_eq!(answer.0, 413);
        let answer = ask(&client, "/count", &[0; 10]).await.expect("an answer");
        assert_eq!(answer, (200, "10".to_owned()));
        let long = format!("/{}", "x".repeat(17_000));
        let answer = ask(&client, &long, b"").await.expect("an answer");
        assert_eq!(answer.0, 431);
        assert_eq!(ask(&client, "/error", b"").await.expect("an answer").0, 500);
    });
}

#[test]
fn content_that_does_not_come_is_the_end_of_its_request_alone() {
    type Content = BoxBody<Bytes, Infallible>;
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let stream = world.connect().await;
        let handshake = http2::handshake::<_, _, Content>(Executor::default(), stream).await;
        let (client, connection) = handshake.expect("HTTP/2");
        let _connection = spawn(connection);
        let ask = |path: &str, content| {
            let request = Request::post(format!("http://a{path}")).body(content);
            client.clone().send_request(request.expect("a request"))
        };
        let start = Instant::now();
        let late = ask("/count", StreamBody::new(stream::pending()).boxed());
        let answered = async {
            let mut late = pin!(late);
            // Others go on meanwhile.
            for _ in 0..20 {
                let fast = ask("/", Content::default()).await.expect("an answer");
                assert_eq!(fast.status(), 200);
                if let Some(late) = poll_once(&mut late).await {
                    return late.expect("an answer");
                }
                sleep(SECOND).await;
            }
            panic!("no answer");
        };
        assert_eq!(answered.await.status(), 408);
        let time = Instant::now() - start;
        assert!(time >= 5 * SECOND && time <= 11 * SECOND, "{time:?}");
        let last = ask("/", Content::default()).await.expect("an answer");
        assert_eq!(last.status(), 200);
    });
}

#[test]
fn an_idle_connection_ends_and_one_that_is_served_does_not() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let (client, connection) = connect(&world).await;
        let answer = ask(&client, "/slow", b"").await.expect("an answer");
        assert_eq!(answer, (200, "slow".to_owned()));
        sleep(8 * SECOND).await;
        assert!(connection.is_finished());
        assert!(client.is_closed());
    });
}

#[test]
fn section_6_8_a_shutdown_finishes_what_was_asked_for() {
    run(async |world: World| {
        let options = Options::default().shutdown_time(1000 * SECOND);
        let serving = world.serve_until(options, sleep(3 * SECOND));
        let (client, _connection) = connect(&world).await;
        let answer = ask(&client, "/slow", b"").await.expect("an answer");
        assert_eq!(answer, (200, "slow".to_owned()));
        serving.await.expect("no panic").expect("no error");
    });
}

#[test]
fn the_last_request_ends_the_connection() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().requests(2));
        let (client, connection) = connect(&world).await;
        for _ in 0..2 {
            assert_eq!(ask(&client, "/", b"").await.expect("an answer").0, 200);
        }
        sleep(SECOND).await;
        assert!(connection.is_finished());
    });
}

#[test]
fn requests_beside_others_take_the_room_of_connections() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(3));
        let (client, _connection) = connect(&world).await;
        let ask = || ask(&client, "/slow", b"");
        let all = futures_lite::future::zip(ask(), futures_lite::future::zip(ask(), ask()));
        let one_more = async {
            sleep(SECOND).await;
            let beside = ask().await.expect("an answer").0;
            let alone = world.status("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
            (beside, alone)
        };
        let ((first, (second, third)), refused) = futures_lite::future::zip(all, one_more).await;
        for answer in [first, second, third] {
            assert_eq!(answer.expect("an answer").0, 200);
        }
        assert_eq!(refused, (503, 503));
        // The room is there again.
        assert_eq!(ask().await.expect("an answer").0, 200);
    });
}

#[test]
fn section_8_2_3_the_crumbs_of_a_cookie_are_one() {
    run(async |world: World| {
        let service = service_fn(async |request: Request<Body>| {
            let cookies = request.headers().get_all("cookie").iter();
            let cookies: Vec<_> = cookies.map(|it| it.to_str().expect("ASCII")).collect();
            Ok::<_, Infallible>(Response::new(cookies.join(" and ")))
        });
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        let (mut client, _connection) = connect(&world).await;
        for (crumbs, whole) in [
            (&["a=b"][..], "a=b"),
            (&["a=b", "c=d", "e=f"], "a=b; c=d; e=f"),
        ] {
            let mut request = Request::get("http://a/");
            for crumb in crumbs {
                request = request.header("cookie", *crumb);
            }
            let request = request.body(Default::default()).expect("a request");
            let response = client.send_request(request).await.expect("an answer");
            let content = response.into_body().collect().await.expect("content");
            assert_eq!(content.to_bytes(), whole);
        }
    });
}

#[test]
fn an_answer_counts_until_the_client_has_taken_it() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(1));
        let mut builder = http2::Builder::new(Executor::default());
        builder.initial_stream_window_size(1);
        let handshake = builder.handshake(world.connect().await).await;
        let (mut client, connection) = handshake.expect("HTTP/2");
        let _connection = spawn(connection);
        let mut get = async || {
            let request = Request::get("http://a/").body(Full::<Bytes>::default());
            let answer = client.send_request(request.expect("a request")).await;
            answer.expect("an answer")
        };
        let kept = get().await;
        assert_eq!(kept.status(), 200);
        assert_eq!(get().await.status(), 503);
        drop(kept);
        sleep(SECOND).await;
        assert_eq!(get().await.status(), 200);
    });
}

#[test]
fn who_does_not_hear_that_the_connection_ends_has_no_more_requests_than_bounds() {
    run(async |world: World| {
        let options = Options::default().requests(2);
        let _serving = world.serve(options.http2(Http2::default().streams(3)));
        let stream = world.connect().await;
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.expect("sent");
        for number in 0..20_u8 {
            // GET / of `a`, by RFC 7541 appendix A.
            let head = [0, 0, 6, 1, 5, 0, 0, 0, number * 2 + 1];
            let request = [&head[..], b"\x82\x86\x84\x41\x01a"].concat();
            if stream.write_all(&request).await.is_err() {
                break;
            }
            sleep(SECOND / 10).await;
        }
        let mut octets = Vec::new();
        let rest = async {
            while let Ok(Some(chunk)) = stream.read_chunk(usize::MAX).await {
                octets.extend_from_slice(&chunk);
            }
        };
        timeout(SECOND, rest).await.expect("it has ended");
        let mut answers = 0;
        let mut frames = octets.as_slice();
        while let Some((head, rest)) = frames.split_first_chunk::<9>() {
            answers += usize::from(head[3] == 1);
            frames = &rest[usize::from(u16::from_be_bytes([head[1], head[2]]))..];
        }
        assert!((2..=5).contains(&answers), "{answers}");
    });
}

#[test]
fn rfc9110_section_9_3_2_and_15_3_5_and_15_4_5_no_content_is_sent_where_there_is_none() {
    run(async |world: World| {
        let service = service_fn(async |request: Request<Body>| {
            let mut response = Response::new(Full::<Bytes>::from("hello"));
            if let Ok(code) = request.uri().path()[1..].parse() {
                *response.status_mut() = code;
            }
            Ok::<_, Infallible>(response)
        });
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        let (mut client, _connection) = connect(&world).await;
        for (method, path, length) in [
            ("HEAD", "/", Some("5")),
            ("HEAD", "/304", None),
            ("GET", "/204", None),
            ("GET", "/304", None),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(format!("http://a{path}"));
            let request = request.body(Full::default()).expect("a request");
            let response = client.send_request(request).await.expect("an answer");
            let said = response.headers().get("content-length");
            assert_eq!(said.map(|it| it.as_bytes()), length.map(str::as_bytes));
            let content = response.into_body().collect().await.expect("no error");
            assert!(content.to_bytes().is_empty(), "{method} {path}");
        }
    });
}

#[test]
fn section_8_3_1_a_request_says_whose_its_target_is() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let (mut client, _connection) = connect(&world).await;
        for (host, status) in [(None, 400), (Some("a"), 200)] {
            let mut request = Request::get("/");
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let request = request.body(Full::default()).expect("a request");
            let response = client.send_request(request).await.expect("an answer");
            assert_eq!(response.status(), status);
        }
    });
}
