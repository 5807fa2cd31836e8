//! HTTP over TLS.

use ::http::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use miou_rs::hyper::Executor;
use miou_rs::{Instant, spawn};
use netstack::Resolver;

use super::world::{SECOND, Serving, World, answer, run, until};
use crate::http::{Client, ClientError, ClientOptions, Options, serve};
use crate::tls::tests::world::Authority;
use crate::tls::{self, CertificateFault, Server, ServerOptions};

/// Starts a server that is known as `name`.
fn serve_tls(world: &World, authority: &Authority, name: &str) -> Serving {
    let server = Server::new([authority.sign(&[name])], ServerOptions::default());
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
fn the_client_knows_whom_it_asks() {
    run(async |world: World| {
        let authority = Authority::new();
        let serving = serve_tls(&world, &authority, "10.0.0.2");
        let client = |authority: &Authority| {
            let options = ClientOptions::default().tls(authority.client_with(offer(&["http/1.1"])));
            Client::new(world.stack(), Resolver::new(world.stack(), []), options)
        };
        let trusting = client(&authority);
        for _ in 0..2 {
            let response = trusting
                .get("https://10.0.0.2:80/")
                .await
                .expect("an answer");
            let text = response.into_body().read_all(100).await.expect("read");
            assert_eq!(text.as_deref(), Some(&b"hello"[..]));
        }
        let fault = |error| match error {
            ClientError::Tls(_, tls::Error::Certificate(fault)) => fault,
            error => panic!("{error:?}"),
        };
        let error = client(&Authority::new()).get("https://10.0.0.2:80/").await;
        let unknown = fault(error.expect_err("unknown"));
        assert_eq!(unknown, CertificateFault::UnknownIssuer);
        drop(serving);
        let _serving = serve_tls(&world, &authority, "10.0.0.3");
        let error = client(&authority).get("https://10.0.0.2:80/").await;
        assert_eq!(
            fault(error.expect_err("another")),
            CertificateFault::WrongName
        );
    });
}
