//! Frames of HTTP/2 that no honest client sends: CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2024-27316, CVE-2025-8671
//! and their like.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{
    CROWD, LIMIT, PATIENCE, Service, Stream, TIME, Way, build, on_each_way, with_guest, with_server,
};

on_each_way! {
    rapid_resets, resets_that_the_server_has_to_send, continuations_without_end, headers_without_names,
    data_that_nobody_asked_for, empty_data_without_end, settings_without_end, pings_without_end,
    priorities_without_end, windows_that_overflow, windows_that_come_and_go, windows_of_an_octet,
    windows_that_stay_closed, content_that_is_kept, content_among_frames_that_are_none,
    answers_in_pieces_of_an_octet,
}

/// The beginning of HTTP/2, with empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// GET /, of `a`, by the static table of RFC 7541 appendix A.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";
/// The same for /download/1000000.
const DOWNLOAD: &[u8] = b"\x82\x86\x04\x11/download/1000000\x41\x01a";
/// The same for /large.
const FILE: &[u8] = b"\x82\x86\x04\x06/large\x41\x01a";
/// POST /echo.
const POST: &[u8] = b"\x83\x86\x04\x05/echo\x41\x01a";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, content].concat()
}

/// The request without content that `block` is.
fn request(number: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, block)
}

/// What `one` makes of each number.
fn many(count: u32, one: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(one).collect()
}

/// The largest window, and the largest step of one.
const MOST: u32 = (1 << 31) - 1;

fn window_update(stream: u32, octets: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &octets.to_be_bytes())
}

/// SETTINGS_INITIAL_WINDOW_SIZE.
fn initial_window(octets: u32) -> Vec<u8> {
    frame(
        SETTINGS,
        0,
        0,
        &[&b"\0\x04"[..], &octets.to_be_bytes()].concat(),
    )
}

/// What becomes of who says all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The server ends the connection.
    SentAway,
    /// The server goes on, or waits for what it has said to be read.
    Borne,
}

/// Octets that are said at once.
const PART: usize = 256 << 10;
/// Says `frames` on a connection, again and again on new ones until the time is over.
fn storm(way: Way, fate: Fate, frames: &[u8]) {
    with_server(way, |service| {
        let end = Instant::now() + TIME;
        let mut held = VecDeque::new();
        let mut all = 0;
        while Instant::now() < end {
            let mut stream = match fate {
                Fate::SentAway => service.enter_http2(LIMIT),
                Fate::Borne => service.enter_http2(PATIENCE),
            };
            let mut said = stream.write_all(PREFACE);
            for part in frames.chunks(PART) {
                said = said.and_then(|()| stream.write_all(part));
                // One reads what it is told, the next one does not.
                if fate == Fate::Borne && all % 2 == 0 {
                    let _ = stream.read(&mut vec![0; PART]);
                }
                // Somebody else comes in the midst of it.
                service.visit();
                if said.is_err() {
                    break;
                }
            }
            match fate {
                Fate::SentAway => match said.and_then(|()| read_to_end(&mut stream)) {
                    Ok(answer) => assert!(is_reproach(&answer), "{answer:?}"),
                    Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "it goes on"),
                },
                Fate::Borne => held.push_back(stream),
            }
            held.drain(..held.len().saturating_sub(HELD));
            all += 1;
        }
        println!("{all} connections");
    });
}

/// Connections that stay open when they have said what they had to say.
const HELD: usize = 100;

/// What comes until the stream ends; an error if that is by a reset.
fn read_to_end(stream: &mut Box<dyn Stream>) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map(|_| answer)
}

/// Whether one of the frames is GOAWAY with an error (RFC 9113 section 6.8).
fn is_reproach(mut frames: &[u8]) -> bool {
    while let Some((head, rest)) = frames.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some((content, rest)) = rest.split_at_checked(length) else {
            return false;
        };
        if head[3] == GOAWAY && content[4..8] != [0; 4] {
            return true;
        }
        frames = rest;
    }
    false
}

/// CVE-2023-44487.
fn rapid_resets(way: Way) {
    let cancel = 8_u32.to_be_bytes();
    let one = |number: u32| {
        let reset = frame(RST_STREAM, 0, number * 2 + 1, &cancel);
        [request(number, GET), reset].concat()
    };
    storm(way, Fate::SentAway, &many(20_000, one));
}

/// CVE-2025-8671: it is the client's fault that they are reset, and the server that does it.
fn resets_that_the_server_has_to_send(way: Way) {
    let one = |number: u32| {
        let too_far = window_update(number * 2 + 1, MOST);
        [request(number, DOWNLOAD), too_far].concat()
    };
    storm(way, Fate::SentAway, &many(20_000, one));
}

/// CVE-2024-27316 and others: a header block without end.
fn continuations_without_end(way: Way) {
    let field = [&b"\x00\x01x\x7f\xc1\x3d"[..], &[b'y'; 8_000]].concat();
    let part = frame(CONTINUATION, 0, 1, &field);
    let begin = frame(HEADERS, END_STREAM, 1, GET);
    storm(way, Fate::SentAway, &[begin, part.repeat(2_000)].concat());
}

/// CVE-2019-9516.
fn headers_without_names(way: Way) {
    let block = [GET, &b"\x00\x00\x00".repeat(4_000)].concat();
    let frames = many(100, |number| request(number, &block));
    storm(way, Fate::SentAway, &frames);
}

/// Data for streams that nobody opened, and beyond every window.
fn data_that_nobody_asked_for(way: Way) {
    let frames = frame(DATA, 0, 1, &[0; 16_384]).repeat(1_000);
    storm(way, Fate::SentAway, &frames);
}

/// CVE-2019-9518.
fn empty_data_without_end(way: Way) {
    let empty = frame(DATA, 0, 1, b"").repeat(200_000);
    let frames = [frame(HEADERS, END_HEADERS, 1, POST), empty].concat();
    storm(way, Fate::Borne, &frames);
}

/// CVE-2019-9515: each is to be answered.
fn settings_without_end(way: Way) {
    storm(way, Fate::Borne, &initial_window(1).repeat(200_000));
}

/// CVE-2019-9512: the same of pings.
fn pings_without_end(way: Way) {
    storm(
        way,
        Fate::Borne,
        &frame(PING, 0, 0, b"mkernel!").repeat(200_000),
    );
}

/// CVE-2019-9513.
fn priorities_without_end(way: Way) {
    let one = |number: u32| {
        let on = (number * 2).saturating_sub(1);
        frame(
            PRIORITY,
            0,
            number * 2 + 1,
            &[&on.to_be_bytes()[..], b"\xff"].concat(),
        )
    };
    storm(way, Fate::Borne, &many(200_000, one));
}

fn windows_that_overflow(way: Way) {
    let frames = window_update(0, MOST).repeat(2);
    storm(way, Fate::SentAway, &frames);
}

/// Each moves the windows of all streams.
fn windows_that_come_and_go(way: Way) {
    let requests = many(100, |number| request(number, DOWNLOAD));
    let toggle = [initial_window(MOST), initial_window(0)].concat();
    let frames = [initial_window(0), requests, toggle.repeat(10_000)].concat();
    storm(way, Fate::Borne, &frames);
}

/// CVE-2019-9511: answers that leave octet by octet.
fn windows_of_an_octet(way: Way) {
    let requests = many(100, |number| request(number, DOWNLOAD));
    let octets = many(100, |number| window_update(number * 2 + 1, 1));
    let frames = [initial_window(0), requests, octets.repeat(200)].concat();
    storm(way, Fate::Borne, &frames);
}

/// Says `frames` on each of many connections, which stay open.
fn hold(way: Way, frames: &[u8]) {
    let frames = [initial_window(0).as_slice(), frames].concat();
    with_server(way, |service| {
        hold_at(service, &frames, |service| service.visit())
    });
}

fn hold_at(service: &mut Service, frames: &[u8], visit: impl Fn(&mut Service)) {
    let mut held = Vec::new();
    for _ in 0..CROWD / 10 {
        let mut stream = service.enter_http2(PATIENCE);
        // Who is refused at once is no less of a crowd.
        let _ = stream.write_all(&[PREFACE, frames].concat());
        held.push(stream);
        visit(service);
    }
}

/// CVE-2019-9517: answers that may not leave.
fn windows_that_stay_closed(way: Way) {
    hold(way, &many(100, |number| request(number, DOWNLOAD)));
}

/// The same of a site, which reads 64 KiB of a file at a time: answers may not leave, or may and are not read.
#[test]
fn files_that_nobody_takes() {
    let folder = TempDir::new().unwrap();
    let image = folder.path().join("image");
    fs::write(folder.path().join("healthz"), "ok").unwrap();
    fs::write(folder.path().join("large"), vec![b'x'; 3_000_000]).unwrap();
    let mut tar = Command::new("tar");
    tar.current_dir(&folder)
        .args(["-cf", "image", "healthz", "large"]);
    assert!(tar.status().unwrap().success());
    let files = many(100, |number| request(number, FILE));
    for window in [0, MOST] {
        let guest = build("site").option("--mem=32");
        let guest = guest.option(format!("--block:site={}", image.display()));
        let all = window_update(0, MOST - u32::from(u16::MAX));
        let frames = [initial_window(window), all, files.clone()].concat();
        with_guest(guest, Way::Plain, |service| {
            hold_at(service, &frames, |service| service.visit_again());
        });
    }
}

/// Content is taken in, and may not leave; then there is always something to be answered, of which nothing is read.
fn content_that_is_kept(way: Way) {
    let post = |number: u32| {
        let stream = number * 2 + 1;
        let data = |octets| frame(DATA, 0, stream, &vec![0; octets]);
        let head = frame(HEADERS, END_HEADERS, stream, POST);
        [head, data(16_384).repeat(3), data(16_383)].concat()
    };
    let pings = frame(PING, 0, 0, b"mkernel!").repeat(50_000);
    hold(way, &[many(4, post), pings].concat());
}

/// Frames of a kind that there is not come with each piece of content that is not taken, and are kept with it: who does
/// that makes room, and not who asks now and then on a connection of its own.
fn content_among_frames_that_are_none(way: Way) {
    let heads = many(6, |number| {
        frame(HEADERS, END_HEADERS, number * 2 + 1, POST)
    });
    let one = |number: u32| {
        let content = frame(DATA, 0, number % 6 * 2 + 1, &[0; 256]);
        [content, frame(0xff, 0, 0, &[0; 7_800])].concat()
    };
    let frames = [PREFACE, &initial_window(0), &heads, &many(500, one)].concat();
    with_server(way, |service| {
        let mut honest = service.enter(LIMIT);
        let mut held = Vec::new();
        for _ in 0..16 {
            let mut stream = service.enter_http2(PATIENCE);
            let _ = stream.write_all(&frames);
            held.push(stream);
            service.visit();
            let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
            honest.write_all(request).unwrap();
            let mut answer = [0; 1_000];
            let octets = honest.read(&mut answer).unwrap();
            assert!(answer[..octets].starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    });
}

/// What comes octet by octet is echoed so, beside an answer which keeps all others from leaving.
fn answers_in_pieces_of_an_octet(way: Way) {
    with_server(way, |service| {
        let mut stream = service.enter_http2(PATIENCE);
        let windows = [initial_window(MOST), window_update(0, MOST - 65_535)].concat();
        let begin = [PREFACE, &windows, &request(0, DOWNLOAD)].concat();
        stream.write_all(&begin).unwrap();
        let mut said = 0;
        for number in 1..=6 {
            let octets = frame(DATA, 0, number * 2 + 1, b"x").repeat(150);
            let mut frames = frame(HEADERS, END_HEADERS, number * 2 + 1, POST);
            // As many as the window lets.
            for _ in 0..16_384 / 150 {
                frames.extend_from_slice(&octets);
                if stream.write_all(&frames).is_err() {
                    break;
                }
                said += 150;
                frames.clear();
                // More at once are none that `h2` takes.
                sleep(Duration::from_millis(6));
            }
            service.visit();
        }
        println!("{said} octets");
    });
}
