//! The client by HTTP/2: RFC 9113.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ::http::Request;
use futures_lite::future::zip;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hyper::service::service_fn;
use miou_rs::{Instant, Promise, sleep, spawn};
use netstack::{Resolver, TcpListener};

use super::client::late;
use super::world::{SECOND, Serving, World, answer, run};
use crate::http::{Client, ClientError, ClientEvent, ClientOptions, Http2, Options, Step, serve};
use crate::tls::tests::world::Authority;
use crate::tls::{Server, ServerOptions, Stream};

const URL: &str = "https://10.0.0.2:80/";

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
/// `:status: 200` (RFC 7541 appendix A).
const OK: &[u8] = &[0x88];

/// What a client does, and a server that it trusts.
struct Pair {
    world: World,
    tls: Server,
    client: Client,
    /// Connections that were secured, and requests that were sent, each on a connection that was there or not.
    connections: Rc<Cell<usize>>,
    sent: Rc<RefCell<Vec<bool>>>,
}

/// Runs `test` with a server whose ALPN has these protocols.
fn with(protocols: &'static [&str], options: ClientOptions, test: impl AsyncFnOnce(Pair)) {
    run(async |world: World| {
        let authority = Authority::new();
        let names = ServerOptions::default().protocols(protocols.iter().copied());
        let tls = Server::new([authority.sign(&["10.0.0.2"])], names).expect("a server");
        let (connections, sent): (Rc<Cell<usize>>, Rc<RefCell<Vec<bool>>>) = Default::default();
        let (secured, requests) = (connections.clone(), sent.clone());
        let options = options
            .tls(authority.client())
            .observer(move |event| match event {
                ClientEvent::Secured { .. } => secured.set(secured.get() + 1),
                ClientEvent::Sent { reused, .. } => requests.borrow_mut().push(*reused),
                _ => {}
            });
        let client = Client::new(world.stack(), Resolver::new(world.stack(), []), options);
        test(Pair {
            world,
            tls,
            client,
            connections,
            sent,
        })
        .await;
    });
}

fn patient() -> ClientOptions {
    ClientOptions::default()
        .answer_time(1000 * SECOND)
        .idle_time(1000 * SECOND)
}

impl Pair {
    /// Starts a server as a program would.
    fn serve(&self, options: Options) -> Serving {
        let server = serve(self.world.listener(), service_fn(answer), options);
        spawn(server.tls(self.tls.clone()).into_future())
    }

    async fn text(&self, path: &str) -> Result<String, ClientError> {
        let response = self.client.get(&format!("{URL}{path}")).await?;
        let text = response.into_body().read_all(1 << 20).await?;
        Ok(String::from_utf8(text.expect("not long")).expect("UTF-8"))
    }

    /// What `count` requests at a time for `path` are answered.
    async fn together(&self, path: &str, count: usize) -> Vec<String> {
        match count {
            0 => Vec::new(),
            _ => {
                let others = Box::pin(self.together(path, count - 1));
                let (text, mut texts) = zip(self.text(path), others).await;
                texts.push(text.expect("an answer"));
                texts
            }
        }
    }

    fn sent(&self) -> Vec<bool> {
        self.sent.borrow().clone()
    }
}

/// The other end of a connection, frame by frame.
struct Scripted(Stream);

impl Scripted {
    async fn accept(listener: &TcpListener, tls: &Server) -> Self {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = tls.accept(stream).await.expect("secured");
        assert_eq!(stream.protocol(), Some(&b"h2"[..]));
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("the preface");
        let mut scripted = Self(stream);
        scripted.send(SETTINGS, 0, 0, &[]).await;
        scripted
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.expect("sent");
    }

    /// The stream of the next request, when it is there whole; `None` at the end.
    async fn request(&mut self) -> Option<u32> {
        let mut opened = 0;
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            let [_, _, _, kind, flags, a, b, c, d] = head;
            let stream = u32::from_be_bytes([a, b, c, d]);
            if kind == HEADERS {
                opened = stream;
            }
            if matches!(kind, HEADERS | DATA) && stream == opened && flags & END_STREAM != 0 {
                return Some(stream);
            }
        }
    }

    async fn go_away(&mut self, last: u32, reason: u32) {
        let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload).await;
    }

    async fn refuse(&mut self, stream: u32) {
        let reason = REFUSED_STREAM.to_be_bytes();
        self.send(RST_STREAM, 0, stream, &reason).await;
    }

    async fn answer(&mut self, stream: u32, content: &str) {
        self.send(HEADERS, END_HEADERS, stream, OK).await;
        self.send(DATA, END_STREAM, stream, content.as_bytes())
            .await;
    }

    /// Answers whatever comes.
    async fn serve(mut self) {
        while let Some(stream) = self.request().await {
            self.answer(stream, "served").await;
        }
    }
}

#[test]
fn one_connection_is_for_all_requests() {
    with(&["h2", "http/1.1"], patient(), async |pair| {
        let _serving = pair.serve(Options::default());
        assert_eq!(pair.together("", 10).await, ["hello"; 10]);
        assert_eq!(pair.text("").await.expect("an answer"), "hello");
        assert_eq!(pair.connections.get(), 1);
        // An answer that is given up ends nothing else.
        let unread = pair.client.get(&format!("{URL}large")).await;
        drop(unread.expect("an answer"));
        let content = "x".repeat(300_000);
        let post = Request::post(format!("{URL}echo")).body(content.clone());
        let response = pair.client.request(post.expect("a request")).await;
        let echo = response.expect("an answer").into_body().read_all(1 << 20);
        assert!(echo.await.expect("read") == Some(content.into_bytes()));
        let large = pair.client.get(&format!("{URL}large")).await;
        let large = large.expect("an answer").into_body().read_all(usize::MAX);
        let large = large.await.expect("read").expect("all");
        assert_eq!(large.len(), 10 << 20);
        assert_eq!(pair.connections.get(), 1);
    });
}

#[test]
fn where_a_server_speaks_http_1_each_request_has_a_connection() {
    with(&["http/1.1"], patient(), async |pair| {
        let _serving = pair.serve(Options::default());
        let start = Instant::now();
        assert_eq!(pair.together("slow", 3).await, ["slow"; 3]);
        assert!(Instant::now() - start < 150 * SECOND);
        assert_eq!(pair.connections.get(), 3);
    });
}

#[test]
fn section_5_1_2_more_requests_than_the_server_takes_wait() {
    with(&["h2"], patient(), async |pair| {
        let _serving = pair.serve(Options::default().http2(Http2::default().streams(2)));
        assert_eq!(pair.text("").await.expect("an answer"), "hello");
        let start = Instant::now();
        assert_eq!(pair.together("slow", 5).await, ["slow"; 5]);
        assert!(Instant::now() - start >= 300 * SECOND);
        assert_eq!(pair.connections.get(), 1);
        assert_eq!(pair.sent(), [false, true, true, true, true, true]);
    });
}

#[test]
fn section_6_8_what_a_goaway_leaves_out_is_asked_again_elsewhere() {
    with(&["h2"], patient(), async |pair| {
        let (listener, tls) = (pair.world.listener(), pair.tls.clone());
        let _server = spawn(async move {
            let mut first = Scripted::accept(&listener, &tls).await;
            let streams = (first.request().await, first.request().await);
            assert_eq!(streams, (Some(1), Some(3)));
            first.go_away(1, NO_ERROR).await;
            let second =
                spawn(async move { Scripted::accept(&listener, &tls).await.serve().await });
            sleep(SECOND).await;
            first.answer(1, "the last one").await;
            second.await.expect("no panic");
        });
        let texts = pair.together("", 2).await;
        assert_eq!(texts, ["served", "the last one"]);
        assert_eq!(pair.text("").await.expect("an answer"), "served");
        assert_eq!(pair.connections.get(), 2);
        assert_eq!(pair.sent(), [false, true, false, true]);
    });
}

#[test]
fn section_8_7_what_is_refused_is_asked_again_once() {
    for (refusals, good) in [(1, true), (2, false)] {
        with(&["h2"], patient(), async |pair| {
            let (listener, tls) = (pair.world.listener(), pair.tls.clone());
            let _server = spawn(async move {
                let mut connection = Scripted::accept(&listener, &tls).await;
                for _ in 0..refusals {
                    let stream = connection.request().await.expect("a request");
                    connection.refuse(stream).await;
                }
                connection.serve().await;
            });
            let post = Request::post(URL).body("content".to_owned());
            let response = pair.client.request(post.expect("a request")).await;
            match response {
                Ok(response) => assert!(good && response.status() == 200),
                Err(error) => assert!(!good && matches!(error, ClientError::Http(_)), "{error:?}"),
            }
            assert_eq!(pair.sent(), [false, true]);
        });
    }
}

/// Accepts connections that end with the second request, if that is not answered.
fn break_after_one(pair: &Pair) -> Promise<()> {
    let (listener, tls) = (pair.world.listener(), pair.tls.clone());
    spawn(async move {
        loop {
            let mut connection = Scripted::accept(&listener, &tls).await;
            let stream = connection.request().await.expect("a request");
            connection.answer(stream, "served").await;
            connection.request().await.expect("a request");
        }
    })
}

#[test]
fn a_connection_that_breaks_costs_only_what_may_not_be_repeated() {
    with(&["h2"], patient(), async |pair| {
        let _server = break_after_one(&pair);
        assert_eq!(pair.text("").await.expect("an answer"), "served");
        assert_eq!(pair.text("").await.expect("an answer"), "served");
        let post = Request::post(URL).body("content".to_owned());
        let error = pair.client.request(post.expect("a request")).await;
        let error = error.expect_err("no answer");
        assert!(matches!(error, ClientError::Http(_)), "{error:?}");
        assert_eq!(pair.text("").await.expect("an answer"), "served");
        assert_eq!(pair.sent(), [false, true, false, true, false]);
    });
}

#[test]
fn a_connection_whose_server_is_silent_is_not_used_again() {
    with(&["h2"], ClientOptions::default(), async |pair| {
        let (listener, tls) = (pair.world.listener(), pair.tls.clone());
        let _server = spawn(async move {
            let mut silent = Scripted::accept(&listener, &tls).await;
            assert_eq!(silent.request().await, Some(1));
            let mut halting = Scripted::accept(&listener, &tls).await;
            assert_eq!(halting.request().await, Some(1));
            halting.send(HEADERS, END_HEADERS, 1, OK).await;
            halting.send(DATA, 0, 1, b"ha").await;
            Scripted::accept(&listener, &tls).await.serve().await;
            drop((silent, halting));
        });
        assert_eq!(late(pair.text("").await), Step::Head);
        let mut response = pair.client.get(URL).await.expect("the head");
        let body = response.body_mut();
        assert_eq!(body.next().await.expect("a piece").expect("read"), "ha");
        let error = body.next().await.expect("an error");
        assert_eq!(late(error), Step::Content);
        assert_eq!(pair.text("").await.expect("an answer"), "served");
        assert_eq!(pair.sent(), [false, false, false]);
    });
}

#[test]
fn a_connection_that_is_not_in_use_is_kept_for_its_time() {
    with(&["h2"], patient(), async |pair| {
        let _serving = pair.serve(Options::default());
        let hold = pair.client.get(&format!("{URL}large")).await;
        sleep(40 * SECOND).await;
        assert_eq!(pair.text("").await.expect("an answer"), "hello");
        drop(hold.expect("an answer"));
        sleep(29 * SECOND).await;
        assert_eq!(pair.text("").await.expect("an answer"), "hello");
        assert_eq!(pair.connections.get(), 1);
        sleep(31 * SECOND).await;
        assert_eq!(pair.text("").await.expect("an answer"), "hello");
        assert_eq!(pair.connections.get(), 2);
    });
}
