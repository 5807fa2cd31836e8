//! What is bounded, and what is said to who exceeds it.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use miou_rs::{Instant, sleep, timeout};

use super::world::{SECOND, World, rest, run, status, until};
use crate::http::Options;
use crate::http::body::by_itself;

const HELLO: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[test]
fn headers_that_are_too_long_or_too_many() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let with = |fields: &str| LAST.replace("host: a", &format!("host: a\r\n{fields}"));
        let long = |octets| with(&format!("x: {}", "y".repeat(octets)));
        assert_eq!(world.status(long(16_000)).await, 200);
        assert_eq!(world.status(long(17_000)).await, 431);
        assert_eq!(world.status(long(1 << 20)).await, 431);
        let many = |count| with(vec!["x: y"; count].join("\r\n").as_str());
        assert_eq!(world.status(many(98)).await, 200);
        assert_eq!(world.status(many(99)).await, 431);
    });
}

#[test]
fn a_request_line_that_is_too_long() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let at = |octets| LAST.replacen('/', &format!("/{}", "y".repeat(octets)), 1);
        assert_eq!(world.status(at(16_000)).await, 200);
        assert_eq!(world.status(at(17_000)).await, 414);
        assert_eq!(world.status(at(1 << 20)).await, 414);
        let answers = world.ask(format!("{HELLO}{}", at(20_000))).await;
        assert_eq!(status(&answers), 200);
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{answers}");
        assert!(answers.contains("HTTP/1.1 414 "), "{answers}");
    });
}

#[test]
fn other_bounds_for_headers() {
    run(async |world: World| {
        let options = Options::default().header_octets(32 << 10).header_count(200);
        let _serving = world.serve(options);
        let with = |fields: &str| LAST.replace("host: a", &format!("host: a\r\n{fields}"));
        assert_eq!(
            world
                .status(with(&format!("x: {}", "y".repeat(30_000))))
                .await,
            200
        );
        assert_eq!(
            world
                .status(with(&format!("x: {}", "y".repeat(33_000))))
                .await,
            431
        );
        let many = |count| with(vec!["x: y"; count].join("\r\n").as_str());
        assert_eq!(world.status(many(198)).await, 200);
        assert_eq!(world.status(many(199)).await, 431);
    });
}

#[test]
fn content_that_is_too_long() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().body_octets(10));
        let post = |path: &str, rest: &str| {
            format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{rest}")
        };
        let ten = post("/count", "content-length: 10\r\n\r\n0123456789");
        assert!(world.ask(ten).await.ends_with("\r\n\r\n10"));
        assert_eq!(
            world
                .status(post("/count", "content-length: 11\r\n\r\n"))
                .await,
            413
        );
        let chunked = "transfer-encoding: chunked\r\n\r\n8\r\n01234567\r\n3\r\nabc\r\n0\r\n\r\n";
        // Whatever the service makes of it.
        assert_eq!(world.status(post("/count", chunked)).await, 413);
    });
}

#[test]
fn content_in_too_many_pieces() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().body_octets(6400));
        let pieces = |count| {
            let chunks = "1\r\nx\r\n".repeat(count);
            let head = "POST /count HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
            format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
        };
        assert!(world.ask(pieces(1124)).await.ends_with("\r\n\r\n1124"));
        assert_eq!(world.status(pieces(1125)).await, 413);
    });
}

#[test]
fn a_small_piece_of_content_keeps_nothing_else() {
    let read = Bytes::from(vec![0; 8 << 10]);
    let piece = by_itself(read.slice(..4095));
    assert!(read.is_unique());
    assert_eq!(piece, read[..4095]);
}

#[test]
fn a_header_that_does_not_come_in_time() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        for octets in [1, 3, 20] {
            let stream = world.connect().await;
            let start = Instant::now();
            stream
                .write_all(&HELLO.as_bytes()[..octets])
                .await
                .expect("sent");
            // An octet now and then does not help.
            sleep(6 * SECOND).await;
            stream
                .write_all(&HELLO.as_bytes()[octets..octets + 1])
                .await
                .expect("sent");
            let answer = rest(&stream).await;
            assert_eq!(status(&answer), 408, "{octets}");
            // RFC 9110 section 6.6.1.
            assert!(answer.contains("\r\ndate: "), "{answer}");
            let time = Instant::now() - start;
            assert!(
                time >= 10 * SECOND && time < 17 * SECOND,
                "{octets}: {time:?}"
            );
        }
    });
}

#[test]
fn a_header_that_begins_as_the_preface_of_http_2_has_no_more_time() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        for (octets, rest_of_it) in [("PRI * HTTP/2.0\r\n", ""), ("PR", "OPFIND / HTTP/1.1\r\n")] {
            let stream = world.connect().await;
            sleep(9 * SECOND).await;
            let start = Instant::now();
            for octet in octets.bytes().chain(rest_of_it.bytes()) {
                if stream.write_all(&[octet]).await.is_err() {
                    break;
                }
                sleep(4 * SECOND).await;
                if Instant::now() - start > 11 * SECOND {
                    break;
                }
            }
            let answer = rest(&stream).await;
            assert_eq!(status(&answer), 408, "{octets}");
            // RFC 9110 section 6.6.1.
            assert!(answer.contains("\r\ndate: "), "{answer}");
            let time = Instant::now() - start;
            assert!(
                time >= 10 * SECOND && time < 15 * SECOND,
                "{octets}: {time:?}"
            );
        }
    });
}

#[test]
fn content_that_does_not_come_in_time() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let stream = world.connect().await;
        let head = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n1234";
        let start = Instant::now();
        stream.write_all(head.as_bytes()).await.expect("sent");
        sleep(4 * SECOND).await;
        stream.write_all(b"5").await.expect("sent");
        assert_eq!(status(&rest(&stream).await), 408);
        let time = Instant::now() - start;
        assert!(time > 8 * SECOND && time < 12 * SECOND, "{time:?}");
    });
}

#[test]
fn a_connection_without_a_request_is_closed_without_a_word() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(20 * SECOND));
        let start = Instant::now();
        assert_eq!(rest(&world.connect().await).await, "");
        assert!(Instant::now() - start >= 10 * SECOND);
        let stream = world.connect().await;
        stream.write_all(HELLO.as_bytes()).await.expect("sent");
        until(&stream, "hello").await;
        let start = Instant::now();
        assert_eq!(rest(&stream).await, "");
        let time = Instant::now() - start;
        assert!(time > 19 * SECOND && time < 22 * SECOND, "{time:?}");
    });
}

#[test]
fn who_takes_nothing_of_an_answer_is_reset() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let stream = world.connect().await;
        let large = HELLO.replace("GET /", "GET /large");
        stream.write_all(large.as_bytes()).await.expect("sent");
        sleep(20 * SECOND).await;
        let error = loop {
            match stream.read_chunk(usize::MAX).await {
                Ok(chunk) => assert!(chunk.is_some(), "an end as if it were whole"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_slow_service_has_its_time() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(SECOND));
        let slow = LAST.replace("GET /", "GET /slow");
        assert!(world.ask(slow).await.ends_with("slow"));
    });
}

#[test]
fn an_answer_made_of_content_ends_when_that_does_not_come() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let stream = world.connect().await;
        let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabcd";
        stream.write_all(head.as_bytes()).await.expect("sent");
        until(&stream, "abcd").await;
        let next = timeout(6 * SECOND, stream.read_chunk(usize::MAX)).await;
        assert!(next.expect("in time").is_err(), "reset");
    });
}

#[test]
fn content_that_has_come_waits_for_a_slow_service() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(SECOND));
        let head =
            "POST /late HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n";
        let answer = world.ask(head.to_owned() + &"x".repeat(100_000)).await;
        assert!(answer.ends_with("100000"), "{answer}");
    });
}

#[test]
fn an_idle_connection_makes_room_for_a_new_one() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(2));
        let [older, newer] = [world.connect().await, world.connect().await];
        for stream in [&older, &newer] {
            stream.write_all(HELLO.as_bytes()).await.expect("sent");
            until(stream, "hello").await;
            sleep(SECOND).await;
        }
        assert_eq!(world.status(LAST).await, 200);
        let ended = timeout(SECOND, rest(&older)).await;
        assert_eq!(ended.expect("at once"), "");
        newer.write_all(LAST.as_bytes()).await.expect("sent");
        assert_eq!(status(&rest(&newer).await), 200);
    });
}

#[test]
fn one_that_is_slow_to_ask_makes_room_for_a_new_one() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(1));
        let slow = world.connect().await;
        slow.write_all(b"GET /").await.expect("sent");
        sleep(SECOND).await;
        assert_eq!(world.status(LAST).await, 200);
        assert_eq!(status(&rest(&slow).await), 408);
    });
}

#[test]
fn one_that_was_upgraded_makes_no_room() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(1));
        let upgraded = world.connect().await;
        let request = LAST
            .replace("GET /", "GET /upgrade")
            .replace("connection: close", "connection: upgrade\r\nupgrade: echo");
        upgraded.write_all(request.as_bytes()).await.expect("sent");
        until(&upgraded, "\r\n\r\n").await;
        assert_eq!(world.status(LAST).await, 503);
        drop(upgraded);
        sleep(SECOND).await;
        assert_eq!(world.status(LAST).await, 200);
    });
}

#[test]
fn where_all_are_being_served_a_new_one_is_told_so() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(1));
        let slow = world.connect().await;
        let request = LAST.replace("GET /", "GET /slow");
        slow.write_all(request.as_bytes()).await.expect("sent");
        sleep(SECOND).await;
        assert_eq!(world.status(LAST).await, 503);
        assert!(rest(&slow).await.ends_with("slow"));
        assert_eq!(world.status(LAST).await, 200);
    });
}

#[test]
fn the_last_request_of_a_connection_says_so() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().requests(2));
        let answers = world.ask([HELLO, HELLO, HELLO].concat()).await;
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
        assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
    });
}

#[test]
fn who_has_been_told_that_the_connection_ends_makes_room() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().connections(1));
        for (octets, answer) in [(LAST, 200), ("X\r\n\r\n", 400), ("GET", 408)] {
            let stays = world.connect().await;
            stays.write_all(octets.as_bytes()).await.expect("sent");
            assert_eq!(status(&rest(&stays).await), answer);
            sleep(SECOND / 10).await;
            assert_eq!(world.status(LAST).await, 200);
            stays.write_all(b"x").await.expect("sent");
            sleep(SECOND / 10).await;
            let error = stays.write_all(b"x").await.expect_err("nobody listens");
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn no_time_at_all_is_some() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(Duration::ZERO));
        let slow = HELLO.replace("GET /", "GET /slow");
        assert!(world.ask(slow).await.ends_with("slow"));
    });
}
