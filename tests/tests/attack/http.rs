//! Clients of HTTP and TLS that are slow, or say what no honest one says, in great number: the example `http` with
//! 32 MiB. All of them together hold no more than their part, and an honest client is served beside them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use system_tests::{Guest, Network, Running, Target};

/// Connections at a time.
const CROWD: usize = if cfg!(feature = "long") { 2_000 } else { 500 };
/// How long an attack goes on.
const TIME: Duration = Duration::from_secs(if cfg!(feature = "long") { 20 } else { 3 });

const ADDRESS: ([u8; 4], u16) = ([10, 0, 0, 2], 80);

/// Boots the example, has `attack` go on beside honest visits, and looks whether it is there afterwards.
fn with_server(attack: impl FnOnce(&mut Running) + Send) {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let guest = Guest::build("http-server", Target::Spt)
        .option("--mem=32")
        .option("--net:service=tap0")
        .argument("--ipv4=10.0.0.2/24");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        let mut running = guest.start();
        drop(connect(&mut running));
        visit(&mut running);
        attack(&mut running);
        visit(&mut running);
    });
}

fn connect(running: &mut Running) -> TcpStream {
    let stream = running.connect(SocketAddr::from(ADDRESS), Duration::from_secs(60));
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// An honest client: it is answered.
#[track_caller]
fn visit(running: &mut Running) {
    let start = Instant::now();
    let mut stream = connect(running);
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    println!("an honest client was served in {:?}", start.elapsed());
}

/// A crowd whose members each say `first`, and then an octet of `next` now and then; a member that is refused comes
/// again.
fn crowd(first: &[u8], next: &[u8]) {
    with_server(|running| {
        let join = |running: &mut Running| {
            let mut stream = connect(running);
            // Who is refused at once is no less of a crowd.
            let _ = stream.write_all(first);
            stream
        };
        let mut members: Vec<_> = (0..CROWD).map(|_| join(running)).collect();
        let end = Instant::now() + TIME;
        let mut again = 0;
        for octet in next.iter().cycle() {
            for member in &mut members {
                if member.write_all(&[*octet]).is_err() {
                    *member = join(running);
                    again += 1;
                }
            }
            visit(running);
            if Instant::now() >= end {
                break;
            }
        }
        println!("{CROWD} connections, opened again {again} times");
    });
}

#[test]
fn headers_that_come_octet_by_octet() {
    crowd(b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"y");
}

#[test]
fn content_that_comes_octet_by_octet() {
    crowd(
        b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
        b"z",
    );
}

#[test]
fn answers_that_nobody_reads() {
    crowd(
        b"GET /download/1000000000 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"\r\n",
    );
}

/// The beginning of HTTP/2, with empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// GET /, of `a`, by the static table of RFC 7541 appendix A.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, content].concat()
}

/// Says all of `frames` on a connection, again and again on new ones until the time is over.
fn storm(frames: &[u8]) {
    with_server(|running| {
        let end = Instant::now() + TIME;
        let mut ended = 0;
        while Instant::now() < end {
            let mut stream = connect(running);
            let said = stream
                .write_all(PREFACE)
                .and_then(|()| stream.write_all(frames));
            ended += usize::from(said.is_err() || is_ended(&mut stream).unwrap_or(true));
            visit(running);
        }
        assert!(ended > 0, "nobody was sent away");
        println!("{ended} connections were ended by the server");
    });
}

/// Reads for a while; whether the stream has ended by then.
fn is_ended(stream: &mut TcpStream) -> io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// CVE-2023-44487.
#[test]
fn rapid_resets() {
    let one = |number: u32| {
        let stream = number * 2 + 1;
        let headers = frame(HEADERS, END_HEADERS | END_STREAM, stream, GET);
        [headers, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    };
    storm(&(0..20_000).flat_map(one).collect::<Vec<_>>());
}

/// CVE-2024-27316 and others: a header block without end.
#[test]
fn continuations_without_end() {
    let part = frame(
        CONTINUATION,
        0,
        1,
        &[&b"\x00\x01x\x7f\xc1\x3d"[..], &[b'y'; 8_000]].concat(),
    );
    let begin = frame(HEADERS, END_STREAM, 1, GET);
    storm(&[begin, part.repeat(2_000)].concat());
}

/// Data for streams that nobody opened, and beyond every window.
#[test]
fn data_that_nobody_asked_for() {
    storm(
        &(0..1_000)
            .flat_map(|_| frame(DATA, 0, 1, &[0; 16_384]))
            .collect::<Vec<_>>(),
    );
}

/// Requests whose answers have no window.
#[test]
fn windows_that_stay_closed() {
    let closed = frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0");
    let get = [&b"\x82\x86\x04\x0b"[..], b"/download/1", b"\x41\x01a"].concat();
    let ask = |number: u32| frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &get);
    let requests: Vec<_> = (0..100).flat_map(ask).collect();
    with_server(|running| {
        let mut held = Vec::new();
        for _ in 0..CROWD / 10 {
            let mut stream = connect(running);
            let said = [PREFACE, &closed, &requests].concat();
            // Who is refused at once is no less of a crowd.
            let _ = stream.write_all(&said);
            held.push(stream);
            visit(running);
        }
    });
}
