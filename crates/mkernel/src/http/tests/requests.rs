//! What HTTP/1.1 allows, and what it does not: RFC 9112.

use std::task::{Context, Poll};

use ::http::{Request, Response};
use miou_rs::{spawn, timeout};

use super::world::{self, SECOND, World, rest, run, status, until};
use crate::http::{Body, Options, serve};

const HELLO: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

#[test]
fn section_9_3_2_pipelined_requests_are_answered_in_order() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let count = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc";
        let answers = world.ask([HELLO, count, LAST].concat()).await;
        let bodies: Vec<_> = answers.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
        assert!(bodies.len() == 3, "{answers}");
        for (answer, body) in bodies.iter().zip(["hello", "3", "hello"]) {
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        }
    });
}

#[test]
fn a_connection_is_kept_and_ended_by_the_client() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let stream = world.connect().await;
        for _ in 0..3 {
            stream.write_all(HELLO.as_bytes()).await.expect("sent");
            assert_eq!(status(&until(&stream, "hello").await), 200);
        }
        stream.shutdown().expect("ended");
        let ended = timeout(SECOND, stream.read_chunk(1))
            .await
            .expect("at once");
        assert_eq!(ended.expect("no reset"), None);
    });
}

#[test]
fn rfc9110_section_10_1_1_content_that_is_wanted_is_asked_for() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let stream = world.connect().await;
        let head = "POST /count HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                    content-length: 4\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        let go_on = until(&stream, "\r\n\r\n").await;
        assert_eq!(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"four").await.expect("sent");
        assert!(rest(&stream).await.ends_with("\r\n\r\n4"));
        // What will be refused is not asked for.
        let options = head.replace("length: 4", "length: 4000000000");
        assert_eq!(world.status(options).await, 413);
    });
}

#[test]
fn section_7_1_chunks_come_and_go() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let answer = world
            .ask(
                "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
                 connection: close\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
            )
            .await;
        assert!(
            answer.contains("transfer-encoding: chunked\r\n"),
            "{answer}"
        );
        assert!(
            answer.contains("\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n"),
            "{answer}"
        );
    });
}

#[test]
fn requests_whose_end_others_may_see_elsewhere_are_refused() {
    let both = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let other_order = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n";
    let chunks = |chunks: &str| {
        let head = "POST /count HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{chunks}")
    };
    let fields = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
    let refused = [
        (400, both.to_owned()),
        (400, other_order.to_owned()),
        (
            400,
            fields("host: a\r\ncontent-length: 1\r\ncontent-length: 2"),
        ),
        (
            400,
            fields("host: a\r\ncontent-length: 0\r\ncontent-length: 0"),
        ),
        (400, fields("host: a\r\ncontent-length: 1, 2")),
        (400, fields("host: a\r\ncontent-length: +1")),
        (400, fields("host: a\r\ncontent-length: -1")),
        (
            400,
            fields("host: a\r\ncontent-length: 99999999999999999999"),
        ),
        (400, fields("host: a\r\ncontent-length : 1")),
        (400, fields("host: a\r\nx: y\r\n folded")),
        (400, fields("host: a\nx: y")),
        (400, fields("host: a\r\nx: y\rz: a")),
        (400, "GET / HTTP/1.1\nhost: a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nhost: a\r\n\n".to_owned()),
        (400, fields("x: y")),
        (400, fields("host: a\r\nhost: a")),
        (400, fields("host: user@a")),
        (
            400,
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        ),
        (501, fields("host: a\r\ntransfer-encoding: gzip, chunked")),
        (
            501,
            fields("host: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        ),
        (400, chunks("x\r\n")),
        (400, chunks("0x1\r\n")),
        (400, chunks("fffffffffffffffff\r\n")),
        (400, chunks("1\nx\r\n")),
        (400, chunks("1\r\nxyz\r\n")),
        (400, chunks("0\r\n\n")),
        (400, chunks("0\r\nx: y\n\r\n")),
        (400, chunks("0\r\nx: y\r\n\n")),
        (
            400,
            chunks(&format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(16))),
        ),
        (400, chunks(&format!("1;{}\r\n", "a".repeat(1 << 20)))),
    ];
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        for (expected, request) in refused {
            // Nothing behind it is taken for a request.
            let answer = world.ask(format!("{request}{LAST}")).await;
            assert_eq!(status(&answer), expected, "{request:.200}: {answer}");
            assert_eq!(
                answer.matches("HTTP/1.1").count(),
                1,
                "{request:.200}: {answer}"
            );
        }
        assert_eq!(world.status(LAST).await, 200);
    });
}

#[test]
fn a_request_that_is_refused_behind_others_leaves_them_their_answers() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let post = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\n\
                    content-length: 1\nchunked\n\n\r\n";
        let bad =
            "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answers = world.ask([post, HELLO, bad, LAST].concat()).await;
        let codes: Vec<_> = answers
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|it| &it[..3])
            .collect();
        assert_eq!(codes, ["200", "200", "400"], "{answers}");
    });
}

#[test]
fn the_answer_to_what_was_refused_arrives_though_the_client_goes_on_sending() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let stream = world.connect().await;
        let head = "POST /count HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(&[b'x'; 100_000]).await.expect("sent");
        assert_eq!(status(&rest(&stream).await), 413);
    });
}

#[test]
fn a_service_that_fails_is_500_and_one_that_panics_ends_its_connection() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let fail = LAST.replace("GET /", "GET /error");
        assert_eq!(world.status(fail).await, 500);
        let stream = world.connect().await;
        let panic = LAST.replace("GET /", "GET /panic");
        stream.write_all(panic.as_bytes()).await.expect("sent");
        let ended = stream.read_chunk(1).await;
        assert!(!matches!(ended, Ok(Some(_))), "{ended:?}");
        assert_eq!(world.status(LAST).await, 200);
    });
}

#[test]
fn an_upgraded_connection_is_the_services() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(SECOND));
        let stream = world.connect().await;
        let head =
            "GET /upgrade HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("sent");
        assert_eq!(status(&until(&stream, "\r\n\r\n").await), 101);
        miou_rs::sleep(10 * SECOND).await;
        stream.write_all(b"\nab\n").await.expect("sent");
        assert_eq!(until(&stream, "ab\n").await, "\nab\n");
        stream.shutdown().expect("ended");
        assert_eq!(rest(&stream).await, "");
    });
}

/// A service of `tower` that is ready at its second question.
#[derive(Clone)]
struct Hesitant(bool);

impl tower_service::Service<Request<Body>> for Hesitant {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<String>, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if self.0 {
            return Poll::Ready(Ok(()));
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(self.0, "called before it was ready");
        std::future::ready(Ok(Response::new(request.uri().path().to_owned())))
    }
}

#[test]
fn services_of_tower_are_asked_whether_they_are_ready() {
    run(async |world: World| {
        let server = serve(world.listener(), Hesitant(false), Options::default());
        let _serving = spawn(server.into_future());
        assert!(world.ask(LAST).await.ends_with("\r\n\r\n/"));
    });
}

#[test]
fn services_of_hyper_may_be_anything_that_is_one() {
    run(async |world: World| {
        let service = std::rc::Rc::new(hyper::service::service_fn(world::hello));
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        assert!(world.ask(LAST).await.ends_with("hello"));
    });
}
