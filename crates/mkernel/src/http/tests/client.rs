//! The client, against servers that answer as they are told.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use ::http::Request;
use bytes::Bytes;
use http_body_util::Full;
use miou_rs::{Instant, Promise, sleep, spawn};
use netstack::{Resolver, TcpListener, TcpStream};

use super::world::{SECOND, World, run, until};
use crate::http::{Client, ClientError, ClientEvent, ClientOptions, Options, ResponseBody, Step};

const URL: &str = "http://10.0.0.2/";
/// In place of an answer: the end of the connection.
const CUT: &str = "cut";

impl World {
    pub(super) fn client(&self, options: ClientOptions) -> Client {
        Client::new(self.stack(), Resolver::new(self.stack(), []), options)
    }

    /// Answers each request on each connection with the next of `answers`; returns the requests.
    pub(super) fn answer(&self, answers: &[&str]) -> Promise<Vec<String>> {
        self.answer_at(80, answers)
    }

    pub(super) fn answer_at(&self, port: u16, answers: &[&str]) -> Promise<Vec<String>> {
        let listener = self.listener_at(port);
        let answers: Vec<_> = answers.iter().map(ToString::to_string).collect();
        spawn(async move {
            let mut asked = Vec::new();
            let mut stream = accept(&listener).await;
            for answer in answers {
                let head = loop {
                    if let Some(head) = head(&stream).await {
                        break head;
                    }
                    stream = accept(&listener).await;
                };
                asked.push(head);
                if answer != CUT {
                    stream.write_all(answer.as_bytes()).await.expect("sent");
                }
                if answer == CUT || answer.contains("connection: close") {
                    stream.shutdown().expect("ended");
                }
            }
            // The client has its time to read.
            sleep(100 * SECOND).await;
            asked
        })
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a connection").0
}

/// The head of a request, whose content is read too; `None` at the end.
async fn head(stream: &TcpStream) -> Option<String> {
    let mut first = [0];
    let Ok(1..) = stream.peek(&mut first).await else {
        return None;
    };
    let head = until(stream, "\r\n\r\n").await;
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    let mut content = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut content).await.expect("the content");
    Some(head)
}

pub(super) async fn text(body: ResponseBody) -> String {
    let all = body
        .read_all(1 << 20)
        .await
        .expect("read")
        .expect("not long");
    String::from_utf8(all).expect("UTF-8")
}

#[test]
fn connections_are_kept_and_used_again() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let reused = Rc::new(RefCell::new(Vec::new()));
        let seen = reused.clone();
        let options = ClientOptions::default().observer(move |event| {
            if let ClientEvent::Sent { reused, .. } = event {
                seen.borrow_mut().push(*reused);
            }
        });
        let client = world.client(options);
        for _ in 0..2 {
            let response = client.get(URL).await.expect("an answer");
            assert_eq!(response.status(), 200);
            assert_eq!(text(response.into_body()).await, "hello");
        }
        // One that is in use is not there for another.
        let unread = client
            .get("http://10.0.0.2/large")
            .await
            .expect("an answer");
        let post = Request::post("http://10.0.0.2/count").body("content".to_owned());
        let response = client
            .request(post.expect("a request"))
            .await
            .expect("an answer");
        assert_eq!(text(response.into_body()).await, "7");
        drop(unread);
        // One that was kept for too long is not used.
        sleep(31 * SECOND).await;
        client.get(URL).await.expect("an answer");
        assert_eq!(*reused.borrow(), [false, true, true, false, false]);
    });
}

#[test]
fn a_kept_connection_that_the_server_has_closed_is_no_error() {
    run(async |world: World| {
        let _serving = world.serve(Options::default().idle_time(5 * SECOND));
        let client = world.client(ClientOptions::default());
        for _ in 0..3 {
            let response = client.get(URL).await.expect("an answer");
            assert_eq!(text(response.into_body()).await, "hello");
            sleep(10 * SECOND).await;
        }
    });
}

#[test]
fn a_connection_that_is_not_used_again_is_closed() {
    run(async |world: World| {
        let listener = world.listener();
        let closed = spawn(async move {
            let stream = accept(&listener).await;
            head(&stream).await.expect("a request");
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.expect("sent");
            let start = Instant::now();
            assert_eq!(head(&stream).await, None);
            Instant::now() - start
        });
        let client = world.client(ClientOptions::default());
        text(client.get(URL).await.expect("an answer").into_body()).await;
        let time = closed.await.expect("no panic");
        assert!(time >= 29 * SECOND && time <= 61 * SECOND, "{time:?}");
    });
}

#[test]
fn a_connection_on_which_the_server_takes_no_more_is_not_used_again() {
    run(async |world: World| {
        let listener = world.listener();
        let _server = spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..2 {
                let stream = accept(&listener).await;
                until(&stream, "\r\n\r\n").await;
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.expect("sent");
                streams.push(stream);
            }
            sleep(100 * SECOND).await;
        });
        let client = world.client(ClientOptions::default());
        let start = Instant::now();
        for content in [10 << 20, 0] {
            let content = Full::<Bytes>::from(vec![0; content]);
            let request = Request::post(URL).body(content).expect("a request");
            let response = client.request(request).await.expect("an answer");
            assert_eq!(response.status(), 200);
        }
        assert!(Instant::now() - start < SECOND);
    });
}

#[test]
fn what_is_asked_names_its_host() {
    run(async |world: World| {
        let answer = "HTTP/1.1 204 No Content\r\n\r\n";
        let asked = world.answer(&[answer, answer]);
        let client = world.client(ClientOptions::default());
        client.get("http://10.0.0.2?q").await.expect("an answer");
        let request = Request::put("http://10.0.0.2/x").header("host", "other");
        let request = request.body("abc".to_owned()).expect("a request");
        client.request(request).await.expect("an answer");
        let asked = asked.await.expect("no panic");
        assert!(
            asked[0].starts_with("GET /?q HTTP/1.1\r\nhost: 10.0.0.2\r\n"),
            "{asked:?}"
        );
        assert!(asked[1].contains("host: other\r\n"), "{asked:?}");
        assert!(asked[1].contains("content-length: 3\r\n"), "{asked:?}");
    });
}

#[test]
fn section_3_2_3_the_target_of_connect_is_a_host_and_a_port() {
    run(async |world: World| {
        let asked = world.answer(&["HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n"]);
        let client = world.client(ClientOptions::default());
        let request = Request::connect(URL).body(String::new());
        let response = client.request(request.expect("a request")).await;
        assert_eq!(response.expect("an answer").status(), 405);
        let asked = asked.await.expect("no panic");
        assert!(
            asked[0].starts_with("CONNECT 10.0.0.2:80 HTTP/1.1\r\nhost: 10.0.0.2\r\n"),
            "{asked:?}"
        );
    });
}

/// The step that did not come in time.
#[track_caller]
pub(super) fn late<T: std::fmt::Debug>(result: Result<T, ClientError>) -> Step {
    match result {
        Err(ClientError::TimedOut(_, step)) => step,
        result => panic!("{result:?}"),
    }
}

#[test]
fn each_step_that_takes_too_long_is_named() {
    run(async |world: World| {
        // It asks one name server for seven seconds, and a host that is not there for three.
        let nobody = [10, 0, 0, 9].into();
        let resolver = Resolver::new(world.stack(), [nobody]);
        let hasty = ClientOptions::default().connect_time(2 * SECOND);
        let client = Client::new(world.stack(), resolver, hasty);
        let start = Instant::now();
        let error = client.get("http://example.org/").await;
        assert_eq!(late(error), Step::Address);
        let error = client.get("http://10.0.0.9/").await;
        assert_eq!(late(error), Step::Connection);
        assert!(Instant::now() - start < 5 * SECOND);

        let client = world.client(ClientOptions::default());
        let asked = world.answer(&[""]);
        assert_eq!(late(client.get(URL).await), Step::Head);
        drop(asked);

        let asked = world.answer(&["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha"]);
        let mut response = client.get(URL).await.expect("the head");
        let body = response.body_mut();
        assert_eq!(body.next().await.expect("a piece").expect("read"), "ha");
        let error = body.next().await.expect("an error");
        assert_eq!(late(error), Step::Content);
        drop(asked);
    });
}

#[test]
fn rfc9110_section_9_2_2_a_kept_connection_that_breaks_costs_only_what_may_not_be_repeated() {
    run(async |world: World| {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
        for (method, again) in [("GET", true), ("PUT", true), ("POST", false)] {
            let asked = world.answer(&[good, CUT, good]);
            let client = world.client(ClientOptions::default());
            let response = client.get(URL).await.expect("an answer");
            assert_eq!(text(response.into_body()).await, "good");
            let request = Request::builder().method(method).uri(URL);
            let request = request.body("content".to_owned()).expect("a request");
            match client.request(request).await {
                Ok(response) => assert!(again && response.status() == 200, "{method}"),
                Err(error) => {
                    assert!(!again && matches!(error, ClientError::Http(_)), "{error:?}");
                    client.get(URL).await.expect("an answer");
                }
            }
            let asked = asked.await.expect("no panic");
            assert!(asked[1].starts_with(method), "{asked:?}");
            let last = if again { method } else { "GET" };
            assert!(asked[2].starts_with(last), "{asked:?}");
        }
        // The first request of a connection is not repeated.
        let asked = world.answer(&[CUT]);
        let client = world.client(ClientOptions::default());
        let error = client.get(URL).await.expect_err("no answer");
        assert!(matches!(error, ClientError::Http(_)), "{error:?}");
        drop(asked);
    });
}

#[test]
fn what_cannot_be_asked_is_said() {
    run(async |world: World| {
        let client = world.client(ClientOptions::default());
        for url in [
            "",
            "example.org",
            "ftp://example.org/",
            "http://",
            "/path",
            "http://10.0.0.2:65536/",
        ] {
            let error = client.get(url).await.expect_err("no URL");
            assert!(matches!(error, ClientError::Url(_)), "{url}: {error:?}");
        }
        let error = client.get("https://10.0.0.2/").await.expect_err("no TLS");
        assert!(matches!(error, ClientError::NoTls(_)), "{error:?}");
        let error = client
            .get("http://example.org/")
            .await
            .expect_err("no name servers");
        assert!(matches!(error, ClientError::Resolve(..)), "{error:?}");
        let error = client.get(URL).await.expect_err("nobody listens");
        let refused = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionRefused;
        assert!(
            matches!(&error, ClientError::Connect(_, it) if refused(it)),
            "{error:?}"
        );
    });
}

#[test]
fn answers_that_are_none_are_errors() {
    run(async |world: World| {
        for answer in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
        ] {
            let asked = world.answer(&[answer]);
            let client = world.client(ClientOptions::default());
            let read = async { text_or_error(client.get(URL).await?.into_body()).await };
            let error = read.await.expect_err(answer);
            assert!(matches!(error, ClientError::Http(_)), "{answer}: {error:?}");
            drop(asked);
        }
    });
}

async fn text_or_error(body: ResponseBody) -> Result<Option<Vec<u8>>, ClientError> {
    body.read_all(1 << 20).await
}

#[test]
fn section_9_2_what_comes_unasked_is_no_answer() {
    run(async |world: World| {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
        let both = format!("{good}{}", good.replace("good", "evil"));
        let asked = world.answer(&[&both, good]);
        let client = world.client(ClientOptions::default());
        for _ in 0..2 {
            match client.get(URL).await {
                Ok(response) => assert_eq!(text(response.into_body()).await, "good"),
                Err(error) => panic!("{error:?}"),
            }
        }
        drop(asked);
    });
}
