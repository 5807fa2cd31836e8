//! What a client sends to `http::serve`, in whatever pieces: no panic, bounded memory, an end in time, and a service that
//! sees the requests that RFC 9112 has in these octets, each with that content, and no other.
//!
//! The first octet of the input says how: see [`Way`]. The others are sent, or are frames of HTTP/2 without lengths.
#![no_main]

mod http_world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use miou_rs::{Builder, Instant, VirtualClock, sleep, spawn};
use mkernel::http::hyper::{Request, Response, service::service_fn};
use mkernel::http::{Body, Options, serve};
use netstack::{TcpListener, TcpStream};

use http_world::model::{self, Expected};
use http_world::stack;
use mkernel_fuzz::memory::{self, Counting};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PORT: u16 = 80;
const BODY: u64 = 600;
/// What the server may take beyond what there was before it: two stacks' worth of tables, what `hyper` reads ahead and
/// keeps of a header, a decoded header of HTTP/2 and its table.
const MEMORY: usize = 2 << 20;
/// All time-outs together, after the last octet.
const END: Duration = Duration::from_secs(200);

/// How the octets are sent.
#[derive(Clone, Copy)]
struct Way(u8);

impl Way {
    /// As frames of HTTP/2, behind its preface: each is type, flags, stream, octets, and so many octets.
    fn is_frames(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Whether our end of the stream comes behind the last octet.
    fn ends(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Whether a second passes between two pieces.
    fn is_slow(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Octets of the pieces.
    fn piece(self) -> usize {
        match self.0 & 0x1f {
            0 => usize::MAX,
            some => usize::from(some),
        }
    }
}

/// A request that the service was given.
#[derive(Debug)]
struct Seen {
    target: String,
    content: Vec<u8>,
    /// Whether all of the content was there, as it seemed to `hyper`.
    whole: bool,
}

fuzz_target!(|data: &[u8]| {
    let Some((way, rest)) = data.split_first() else {
        return;
    };
    let way = Way(*way);
    let octets = match way.is_frames() {
        true => frames(rest),
        false => rest.to_vec(),
    };
    let before = memory::reset();
    let (seen, answers) = Builder::new().run_with(VirtualClock::new(), exchange(way, &octets));
    let taken = memory::peak() - before;
    assert!(taken <= MEMORY, "{taken} octets of memory");
    if !octets.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
        check(&octets, &seen, &answers);
    }
});

/// The frames that `steps` say, behind the preface and settings of none.
fn frames(mut steps: &[u8]) -> Vec<u8> {
    let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    while let [kind, flags, stream, len, more @ ..] = steps {
        let (payload, rest) = more.split_at(usize::from(*len).min(more.len()));
        steps = rest;
        octets.extend([
            0,
            0,
            payload.len() as u8,
            kind % 10,
            *flags,
            0,
            0,
            0,
            *stream,
        ]);
        octets.extend(payload);
    }
    octets
}

/// Has the octets sent; what the service saw, and what was answered.
async fn exchange(way: Way, octets: &[u8]) -> (Vec<Seen>, Vec<u8>) {
    let stack = stack::loopback();
    let listener = TcpListener::bind(&stack, ([127, 0, 0, 1], PORT)).expect("a free port");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sees = seen.clone();
    let service = service_fn(move |request| look(request, sees.clone()));
    let options = Options::default().body_octets(BODY).connections(4usize);
    let server = spawn(serve(listener, service, options).into_future());
    let stream = TcpStream::connect(&stack, ([127, 0, 0, 1], PORT)).await;
    let (mut reader, mut writer) = stream.expect("connected").into_split();
    let answers = spawn(async move {
        let mut answers = Vec::new();
        while let Ok(Some(chunk)) = reader.read_chunk(usize::MAX).await {
            answers.extend_from_slice(&chunk);
        }
        answers
    });
    for piece in octets.chunks(way.piece()) {
        // The server may have ended it.
        if writer.write_all(piece).await.is_err() {
            break;
        }
        match way.is_slow() {
            true => sleep(Duration::from_secs(1)).await,
            false => miou_rs::yield_now().await,
        }
    }
    if way.ends() {
        let _ = writer.shutdown();
    }
    let sent = Instant::now();
    let answers = answers.await.expect("no panic");
    let time = Instant::now() - sent;
    assert!(time <= END, "the connection has lasted for {time:?}");
    assert!(!server.is_finished(), "the server has ended");
    drop((writer, server));
    let seen = seen.take();
    (seen, answers)
}

/// Reads a request to its end, and notes it.
async fn look(
    request: Request<Body>,
    seen: Rc<RefCell<Vec<Seen>>>,
) -> Result<Response<String>, &'static str> {
    let (parts, mut body) = request.into_parts();
    let at = seen.borrow().len();
    seen.borrow_mut().push(Seen {
        target: parts.uri.to_string(),
        content: Vec::new(),
        whole: false,
    });
    let whole = loop {
        let frame = std::future::poll_fn(|context| {
            http_body::Body::poll_frame(std::pin::Pin::new(&mut body), context)
        });
        match frame.await {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                seen.borrow_mut()[at].content.extend_from_slice(&data);
            }
            Some(Err(_)) => break false,
            None => break true,
        }
    };
    let seen = &mut seen.borrow_mut()[at];
    seen.whole = whole;
    assert!(
        seen.content.len() as u64 <= BODY,
        "more content than is allowed"
    );
    let response = Response::builder().status(204).body(String::new());
    response.map_err(|_| "a response")
}

/// Whether what the service saw and what was answered is as RFC 9112 has it.
fn check(octets: &[u8], seen: &[Seen], answers: &[u8]) {
    let expected = model::requests(octets);
    for (number, seen) in seen.iter().enumerate() {
        let expected = expected.get(number);
        let (target, content, whole) = match expected {
            Some(Expected::Request {
                target,
                content,
                whole,
            }) => (target, content, *whole),
            _ => panic!("the service was given request {number}, {seen:?}; expected {expected:?}"),
        };
        // A fragment, which is none of a server's business, is not shown.
        let target = target.split('#').next().unwrap_or_default();
        assert_eq!(target, seen.target, "the target of request {number}");
        match seen.whole {
            true => assert!(
                whole && *content == seen.content,
                "request {number}: {seen:?}; {expected:?}"
            ),
            false => assert!(
                content.starts_with(&seen.content),
                "request {number}: {seen:?}; {expected:?}"
            ),
        }
    }
    let count = model::answers(answers);
    let whole = seen.iter().filter(|seen| seen.whole).count();
    // Each that the service has answered, and one more for what was refused.
    assert!(
        (whole..=seen.len() + 1).contains(&count),
        "{count} answers for {whole} whole requests of {}: {}",
        seen.len(),
        String::from_utf8_lossy(answers)
    );
}
