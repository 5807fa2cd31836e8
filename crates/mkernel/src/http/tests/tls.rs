//! HTTP over TLS.

use std::cell::RefCell;
use std::rc::Rc;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use miou_rs::hyper::Executor;
use miou_rs::{Instant, sleep, spawn, timeout};
use netstack::Resolver;
use rcgen::{KeyPair, date_time_ymd};

use super::client::{late, text};
use super::world::{SECOND, Serving, World, answer, run, until};
use crate::http::{Body, Client, ClientError, ClientEvent, ClientOptions, Options, Step, serve};
use crate::tls::tests::world::{Authority, certificate, identity, params};
use crate::tls::{self, CertificateFault, Identity, Server, ServerOptions};

const URL: &str = "https://10.0.0.2:80/";

/// Starts a server that is known as `name`.
fn serve_tls(world: &World, authority: &Authority, name: &str) -> Serving {
    serve_as(world, authority.sign(&[name]))
}

fn serve_as(world: &World, identity: Identity) -> Serving {
    let server = Server::new([identity], ServerOptions::default());
    let serving = serve(world.listener(), service_fn(answer), Options::default());
    spawn(serving.tls(server.expect("a server")).into_future())
}

fn offer(protocols: &[&str]) -> tls::ClientOptions {
    tls::ClientOptions::default().protocols(protocols.iter().copied())
}

#[test]
fn the_version_is_agreed_upon_by_alpn() {
    run(async |world: World| {
        let authority = Authority::new();
        let _serving = serve_tls(&world, &authority, "a");
        let client = authority.client_with(offer(&["h2", "http/1.1"]));
        let stream = client
            .connect("a", world.connect().await)
            .await
            .expect("secured");
        assert_eq!(stream.protocol(), Some(&b"h2"[..]));
        let handshake = http2::handshake(Executor::default(), stream).await;
        let (mut sender, connection) = handshake.expect("HTTP/2");
        let _connection = spawn(connection);
        let request = Request::get("https://a/").body(Empty::<Bytes>::new());
        let response = sender
            .send_request(request.expect("a request"))
            .await
            .expect("an answer");
        let content = response
            .into_body()
            .collect()
            .await
            .expect("read")
            .to_bytes();
        assert_eq!(content, "hello");

        for protocols in [&["http/1.1"][..], &[]] {
            let client = authority.client_with(offer(protocols));
            let mut stream = client
                .connect("a", world.connect().await)
                .await
                .expect("secured");
            let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
            futures_lite::AsyncWriteExt::write_all(&mut stream, request)
                .await
                .expect("sent");
            let mut text = String::new();
            let read = futures_lite::AsyncReadExt::read_to_string(&mut stream, &mut text);
            read.await.expect("to its end");
            assert!(
                text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("hello"),
                "{text}"
            );
        }
    });
}

#[test]
fn rfc9113_section_3_3_with_tls_there_is_no_http_2_by_prior_knowledge() {
    run(async |world: World| {
        let authority = Authority::new();
        let _serving = serve_tls(&world, &authority, "a");
        let client = authority.client_with(offer(&[]));
        let mut stream = client
            .connect("a", world.connect().await)
            .await
            .expect("secured");
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        futures_lite::AsyncWriteExt::write_all(&mut stream, preface)
            .await
            .expect("sent");
        let mut text = Vec::new();
        let read = futures_lite::AsyncReadExt::read_to_end(&mut stream, &mut text);
        read.await.expect("to its end");
        // No SETTINGS, nor what would be no HTTP/2.
        assert_eq!(text, b"");
    });
}

#[test]
fn a_handshake_that_does_not_come_ends() {
    run(async |world: World| {
        let _serving = serve_tls(&world, &Authority::new(), "a");
        let stream = world.connect().await;
        let start = Instant::now();
        stream.write_all(&[0x16, 3, 1]).await.expect("sent");
        let end = stream.read_chunk(1).await;
        assert!(!matches!(end, Ok(Some(_))), "{end:?}");
        let time = Instant::now() - start;
        assert!(time > 9 * SECOND && time < 13 * SECOND, "{time:?}");
        // And who says something else is told at once.
        let stream = world.connect().await;
        stream
            .write_all(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .expect("sent");
        until(&stream, "\u{2}").await;
    });
}

#[test]
fn a_shutdown_does_not_wait_for_who_has_said_nothing() {
    run(async |world: World| {
        let authority = Authority::new();
        let server = Server::new([authority.sign(&["a"])], ServerOptions::default());
        let options = Options::default().shutdown_time(1000 * SECOND);
        let serving = serve(world.listener(), service_fn(answer), options);
        let serving = serving.tls(server.expect("a server"));
        let serving = spawn(serving.shutdown_on(sleep(2 * SECOND)).into_future());
        let _silent = world.connect().await;
        let client = authority.client_with(offer(&["http/1.1"]));
        let secured = client.connect("a", world.connect().await).await;
        let mut secured = secured.expect("secured");
        let ended = timeout(3 * SECOND, serving).await.expect("within a second");
        ended.expect("no panic").expect("no error");
        let mut rest = Vec::new();
        let read = futures_lite::AsyncReadExt::read_to_end(&mut secured, &mut rest);
        assert_eq!(read.await.expect("an end as TLS has it"), 0);
    });
}

/// A client that trusts `authority`.
fn client(world: &World, authority: &Authority) -> Client {
    let options = ClientOptions::default().tls(authority.client());
    Client::new(world.stack(), Resolver::new(world.stack(), []), options)
}

#[test]
fn the_client_knows_whom_it_asks() {
    run(async |world: World| {
        let authority = Authority::new();
        let alone = KeyPair::generate().expect("a key");
        let itself = params(&["10.0.0.2"]).self_signed(&alone);
        let itself = identity(&itself.expect("a certificate").pem(), &alone);
        let past = date_time_ymd(2001, 1, 1);
        let future = date_time_ymd(4000, 1, 1);
        for (identity, fault) in [
            (authority.sign(&["10.0.0.2"]), None),
            (
                authority.sign(&["10.0.0.3"]),
                Some(CertificateFault::WrongName),
            ),
            (
                authority.sign_with(&["10.0.0.2"], |it| it.not_after = past),
                Some(CertificateFault::Expired),
            ),
            (
                authority.sign_with(&["10.0.0.2"], |it| it.not_before = future),
                Some(CertificateFault::NotYetValid),
            ),
            (itself, Some(CertificateFault::SelfSigned)),
            (
                Authority::new().sign(&["10.0.0.2"]),
                Some(CertificateFault::UnknownIssuer),
            ),
        ] {
            let _serving = serve_as(&world, identity);
            let answered = client(&world, &authority).get(URL).await;
            let found = match answered {
                Ok(_) => None,
                Err(ClientError::Tls(host, tls::Error::Certificate(fault))) => {
                    assert_eq!(host, "10.0.0.2");
                    Some(fault)
                }
                Err(error) => panic!("{error:?}"),
            };
            assert_eq!(found, fault);
        }
    });
}

#[test]
fn a_handshake_that_a_server_does_not_finish_is_late() {
    run(async |world: World| {
        let _listener = world.listener();
        let start = Instant::now();
        let answered = client(&world, &Authority::new()).get(URL).await;
        assert_eq!(late(answered), Step::Handshake);
        let time = Instant::now() - start;
        assert!(time >= 10 * SECOND && time < 11 * SECOND, "{time:?}");
    });
}

#[test]
fn a_redirect_to_http_is_followed_only_if_that_is_allowed() {
    run(async |world: World| {
        let authority = Authority::new();
        let server = Server::new([authority.sign(&["10.0.0.2"])], ServerOptions::default());
        let away = service_fn(async |_: Request<Body>| {
            let response = Response::builder()
                .status(302)
                .header("location", "http://10.0.0.2:81/plain");
            response.body(String::new())
        });
        let serving = serve(world.listener(), away, Options::default());
        let _secure = spawn(serving.tls(server.expect("a server")).into_future());
        let plain = serve(
            world.listener_at(81),
            service_fn(answer),
            Options::default(),
        );
        let _plain = spawn(plain.into_future());
        let error = client(&world, &authority).get(URL).await;
        let error = error.expect_err("refused");
        assert!(
            matches!(&error, ClientError::InsecureRedirect(to) if to == "http://10.0.0.2:81/plain"),
            "{error:?}"
        );
        let options = ClientOptions::default().tls(authority.client());
        let options = options.insecure_redirects(true);
        let client = Client::new(world.stack(), Resolver::new(world.stack(), []), options);
        let response = client.get(URL).await.expect("an answer");
        assert_eq!(text(response.into_body()).await, "hello");
    });
}

#[test]
fn a_reload_is_seen_by_who_comes_and_not_by_who_is_there() {
    run(async |world: World| {
        let authority = Authority::new();
        let [old, new] = [(); 2].map(|()| authority.sign(&["10.0.0.2"]));
        let server = Server::new([old.clone()], ServerOptions::default()).expect("a server");
        let serving = serve(world.listener(), service_fn(answer), Options::default());
        let _serving = spawn(serving.tls(server.clone()).into_future());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let sees = seen.clone();
        let client = |sees: Rc<RefCell<Vec<_>>>| {
            let options = ClientOptions::default()
                .tls(authority.client())
                .observer(move |event| {
                    if let ClientEvent::Secured { stream, .. } = event {
                        let shown = stream.peer_certificates().expect("shown")[0].clone();
                        sees.borrow_mut().push(shown);
                    }
                });
            Client::new(world.stack(), Resolver::new(world.stack(), []), options)
        };
        let there = client(sees.clone());
        let mut large = there.get(&format!("{URL}large")).await.expect("an answer");
        server.reload([new.clone()]).expect("reloaded");
        let comes = client(sees);
        for client in [&there, &comes] {
            let response = client.get(URL).await.expect("an answer");
            assert_eq!(text(response.into_body()).await, "hello");
        }
        let first = large.body_mut().next().await.expect("some").expect("read");
        let rest = large.into_body().read_all(usize::MAX).await.expect("read");
        assert_eq!(first.len() + rest.expect("all").len(), 10 << 20);
        assert_eq!(*seen.borrow(), [certificate(&old), certificate(&new)]);
    });
}

#[test]
fn who_is_there_before_its_first_request_is_idle() {
    run(async |world: World| {
        let authority = Authority::new();
        let _serving = serve_tls(&world, &authority, "a");
        let client = authority.client_with(offer(&["http/1.1"]));
        let start = Instant::now();
        let mut streams = Vec::new();
        for _ in 0..2 {
            let stream = client.connect("a", world.connect().await).await;
            streams.push(stream.expect("secured"));
        }
        sleep(30 * SECOND).await;
        for part in ["GET / HTTP/1.1\r\n", "host: a\r\n\r\n"] {
            let write = futures_lite::AsyncWriteExt::write_all(&mut streams[0], part.as_bytes());
            write.await.expect("sent");
            sleep(9 * SECOND).await;
        }
        let mut status = [0; 15];
        let read = futures_lite::AsyncReadExt::read_exact(&mut streams[0], &mut status);
        read.await.expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        let mut rest = Vec::new();
        let read = futures_lite::AsyncReadExt::read_to_end(&mut streams[1], &mut rest);
        assert_eq!(read.await.expect("an end as TLS has it"), 0);
        let time = Instant::now() - start;
        assert!(time >= 60 * SECOND && time < 63 * SECOND, "{time:?}");
    });
}
