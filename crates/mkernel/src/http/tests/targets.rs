//! Whom a request is for: RFC 9112 section 3.2, RFC 9113 section 8.3.1.

use std::convert::Infallible;

use ::http::{Request, Response};
use hyper::service::service_fn;
use miou_rs::spawn;

use super::version2::connect;
use super::world::{World, run};
use crate::http::{Body, Options, serve};

#[test]
fn section_3_2_a_host_is_one() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let status = async |host: &str| {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            world.status(request).await
        };
        for host in [
            "a",
            "A.b",
            "a:80",
            "a:",
            "",
            "[::1]",
            "[::1]:80",
            "[v1.a]",
            "10.0.0.2:8080",
        ] {
            assert_eq!(status(host).await, 200, "{host:?}");
        }
        for host in [
            "a:b", "a:-1", "a:+80", "a:80x", "[]", "[zz]", "[::1", "[::1]x", "[::1]:x", "a/b",
            "a?b", "a#b", "u@a", "@a", "a b",
        ] {
            assert_eq!(status(host).await, 400, "{host:?}");
        }
    });
}

#[test]
fn section_3_2_a_target_is_for_its_method() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let status = async |line: &str| {
            let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            world.status(request).await
        };
        for line in [
            "GET /",
            "GET //x",
            "GET /*",
            "OPTIONS *",
            "OPTIONS /",
            "GET http://b",
            "GET http://b:80/?x",
            "GET http://[::1]/",
            "CONNECT a:80",
            "CONNECT [::1]:443",
        ] {
            assert_eq!(status(line).await, 200, "{line}");
        }
        for line in [
            "GET *",
            "GET a",
            "GET a:80",
            "GET http://u@b/",
            "GET http://b:x/",
            "GET http://:80/",
            "GET http://[z]/",
            "OPTIONS a",
            // RFC 9110 section 9.3.6.
            "CONNECT a",
            "CONNECT a:",
            "CONNECT a:0",
            "CONNECT a:x",
            "CONNECT a:65536",
            "CONNECT :80",
            "CONNECT u@a:80",
            "CONNECT /",
            "CONNECT *",
            "CONNECT http://a:80/",
        ] {
            assert_eq!(status(line).await, 400, "{line}");
        }
    });
}

#[test]
fn section_3_2_2_the_host_of_a_whole_url_is_what_counts() {
    run(async |world: World| {
        let service = service_fn(async |request: Request<Body>| {
            let host = request.headers()["host"].to_str().expect("ASCII");
            Ok::<_, Infallible>(Response::new(host.to_owned()))
        });
        let server = serve(world.listener(), service, Options::default());
        let _serving = spawn(server.into_future());
        for (target, host) in [("http://b:81/", "b:81"), ("/", "a")] {
            let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let answer = world.ask(request).await;
            assert!(answer.ends_with(&format!("\r\n\r\n{host}")), "{answer}");
        }
    });
}

#[test]
fn rfc9113_section_8_3_1_a_host_is_that_of_the_target() {
    run(async |world: World| {
        let _serving = world.serve(Options::default());
        let (mut client, _connection) = connect(&world).await;
        for (method, target, hosts, expected) in [
            ("GET", "http://a/", &[][..], 200),
            ("GET", "http://a/", &["a"], 200),
            ("GET", "http://a/", &["A:80"], 200),
            ("GET", "http://a:8080/", &["a:8080"], 200),
            ("GET", "https://a:443/", &["a"], 200),
            ("GET", "http://a/", &["b"], 400),
            ("GET", "http://a/", &["a:81"], 400),
            ("GET", "http://a/", &[""], 400),
            ("GET", "http://a/", &["a", "a"], 400),
            ("GET", "http://u@a/", &[], 400),
            ("GET", "http://a:x/", &[], 400),
            ("CONNECT", "a", &[], 400),
            ("CONNECT", "a:0", &[], 400),
            ("CONNECT", "a:80", &["b:80"], 400),
        ] {
            let mut request = Request::builder().method(method).uri(target);
            for host in hosts {
                request = request.header("host", *host);
            }
            let request = request.body(Default::default()).expect("a request");
            let response = client.send_request(request).await.expect("an answer");
            assert_eq!(response.status(), expected, "{method} {target} {hosts:?}");
        }
    });
}
