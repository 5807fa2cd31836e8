//! Records and handshakes of TLS that no honest client sends, and many that none leaves unfinished.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use system_tests::HttpServer;

use crate::http::{LIMIT, PATIENCE, Service, TIME, Way, with_server};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// RFC 8446 section 5.1.
fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3], &length[..], content].concat()
}

/// A good ClientHello, in its record.
fn hello(service: &Service) -> Vec<u8> {
    let mut hello = Vec::new();
    let mut client = service.client();
    while client.wants_write() {
        client.write_tls(&mut hello).unwrap();
    }
    hello
}

/// A crowd that says what `first` makes of a good ClientHello, and then goes on octet by octet.
fn unfinished(first: impl Fn(Vec<u8>) -> Vec<u8> + Send) {
    with_server(Way::Secured, move |service| {
        let join = |service: &mut Service| {
            let said = first(hello(service));
            let mut stream = service.connect(LIMIT);
            stream.write_all(&said).map(|()| stream)
        };
        // Of a record that no client ends.
        service.crowd(join, &record(HANDSHAKE, &[0; 16_000]));
    });
}

/// The server has done its part.
#[test]
fn handshakes_that_are_half_done() {
    unfinished(|hello| hello);
}

#[test]
fn hellos_that_come_octet_by_octet() {
    unfinished(|mut hello| {
        hello.truncate(20);
        hello
    });
}

/// Says all of `records`, again and again on new connections, and is sent away each time.
fn storm(records: impl Fn(Vec<u8>) -> Vec<u8> + Send) {
    with_server(Way::Secured, move |service| {
        let end = Instant::now() + TIME;
        let mut all = 0;
        while Instant::now() < end {
            let said = records(hello(service));
            let mut stream = service.connect(LIMIT);
            // An alert, which is enciphered after a ServerHello, and the end; or a reset, when the server has left
            // before it has read all of it.
            let answer = stream.write_all(&said).and_then(|()| read(&mut stream));
            match answer {
                Ok(answer) => assert!(matches!(answer.first(), Some(&(ALERT | HANDSHAKE)))),
                Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "it goes on"),
            }
            service.visit();
            all += 1;
        }
        println!("{all} connections were sent away");
    });
}

fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map(|_| answer)
}

#[test]
fn early_garbage() {
    let mut rng = fastrand::Rng::with_seed(12);
    let garbage: Vec<u8> = std::iter::repeat_with(|| rng.u8(..))
        .take(1 << 20)
        .collect();
    storm(move |_| garbage.clone());
}

#[test]
fn http_without_tls() {
    storm(|_| b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec());
}

#[test]
fn records_without_content() {
    storm(|_| record(HANDSHAKE, b"").repeat(100_000));
}

/// The content of each is one octet, and of the last ones nothing that was agreed upon.
#[test]
fn records_of_an_octet() {
    storm(|hello| {
        let tiny = hello[5..]
            .chunks(1)
            .flat_map(|octet| record(HANDSHAKE, octet));
        tiny.chain(record(APPLICATION_DATA, b"x").repeat(10_000))
            .collect()
    });
}

/// A message of 16 MiB, which is never whole.
#[test]
fn fragments_without_end() {
    storm(|_| {
        let begin = record(HANDSHAKE, b"\x01\xff\xff\xff");
        [begin, record(HANDSHAKE, &[0; 16_000]).repeat(1_000)].concat()
    });
}

#[test]
fn changes_of_cipher_without_end() {
    storm(|hello| [hello, record(CHANGE_CIPHER_SPEC, b"\x01").repeat(100_000)].concat());
}

/// Warnings: no_renegotiation, which a peer may pass over.
#[test]
fn alerts_without_end() {
    storm(|hello| [hello, record(ALERT, b"\x01\x64").repeat(100_000)].concat());
}

/// New keys, again and again, each with a request for the server's (RFC 8446 section 4.6.3), and nothing of it read.
#[test]
fn keys_without_end() {
    with_server(Way::Secured, |service| {
        let end = Instant::now() + TIME;
        let mut held = Vec::new();
        while Instant::now() < end {
            let mut stream = service.connect(PATIENCE);
            let mut client = service.client();
            if client.complete_io(&mut stream).is_err() {
                continue;
            }
            for _ in 0..1_000 {
                client.refresh_traffic_keys().unwrap();
                if client.write_tls(&mut stream).is_err() {
                    break;
                }
            }
            held.push(stream);
            service.visit();
        }
    });
}

/// Of TLS 1.2, by `openssl s_client`, whose line `R` asks for one.
#[test]
fn renegotiations() {
    with_server(Way::Secured, |service| {
        let end = Instant::now() + TIME;
        while Instant::now() < end {
            let address = format!("{}:443", HttpServer::ADDRESS);
            let mut client = Command::new("openssl")
                .args(["s_client", "-tls1_2", "-connect", &address])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // It reads no further when it was refused.
            let _ = client.stdin.take().unwrap().write_all(b"R\n");
            let output = client.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("no renegotiation"), "{said}");
            service.visit();
        }
    });
}
