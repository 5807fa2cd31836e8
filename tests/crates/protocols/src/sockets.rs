//! WebSockets, and a client of HTTP that waits instead of being polled.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tungstenite::handshake::HandshakeError;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// One end of a connection in memory: it never waits.
#[derive(Debug)]
struct End {
    input: Arc<Mutex<VecDeque<u8>>>,
    output: Arc<Mutex<VecDeque<u8>>>,
}

fn pair() -> (End, End) {
    let [one, other] = [(); 2].map(|()| Arc::new(Mutex::new(VecDeque::new())));
    let end = |input: &Arc<_>, output: &Arc<_>| End {
        input: Arc::clone(input),
        output: Arc::clone(output),
    };
    (end(&one, &other), end(&other, &one))
}

impl Read for End {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.input.lock().unwrap().read(bytes)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(length),
        }
    }
}

impl Write for End {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The handshake in turns, then messages.
pub(crate) fn tungstenite() {
    let (client, server) = pair();
    let Err(HandshakeError::Interrupted(client)) =
        tungstenite::client("ws://unikernel.example/chat", client)
    else {
        panic!("an answer before the server has read the question");
    };
    let mut server = tungstenite::accept(server).unwrap();
    let (mut client, response) = client.handshake().unwrap();
    assert_eq!(response.status(), 101);

    client.send(tungstenite::Message::text("ünïcode")).unwrap();
    let text = server.read().unwrap();
    assert_eq!(text.to_text().unwrap(), "ünïcode");
    server.send(vec![7_u8; 100_000].into()).unwrap();
    assert_eq!(client.read().unwrap().into_data(), vec![7; 100_000]);
    client.close(None).unwrap();
    assert!(server.read().unwrap().is_close());
}

/// A server that has read the request by the time the answer is awaited.
#[derive(Debug)]
struct Answered {
    buffers: LazyBuffers,
    request: Vec<u8>,
}

impl Transport for Answered {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.request.extend(&self.buffers.output()[..amount]);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let request = String::from_utf8_lossy(&self.request);
        let line = request.lines().next().unwrap_or_default();
        let body = format!("you asked: {line}");
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.buffers.input_append_buf()[..answer.len()].copy_from_slice(answer.as_bytes());
        self.buffers.input_appended(answer.len());
        Ok(true)
    }

    fn is_open(&mut self) -> bool {
        true
    }
}

#[derive(Debug)]
struct InMemory;

impl Connector for InMemory {
    type Out = Answered;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Answered>, ureq::Error> {
        Ok(Some(Answered {
            buffers: LazyBuffers::new(4_096, 4_096),
            request: Vec::new(),
        }))
    }
}

impl Resolver for InMemory {
    fn resolve(
        &self,
        _: &http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push((Ipv4Addr::LOCALHOST, 80).into());
        Ok(addresses)
    }
}

/// With a transport and a resolver of the program's, as over netstack; with its own, which are the operating system's, it
/// says that there are none.
pub(crate) fn ureq() {
    let agent = ureq::Agent::with_parts(ureq::config::Config::default(), InMemory, InMemory);
    let mut answer = agent
        .get("http://unikernel.example/path?x=1")
        .call()
        .unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.body_mut().read_to_string().unwrap();
    assert_eq!(text, "you asked: GET /path?x=1 HTTP/1.1");
    assert!(ureq::get("http://127.0.0.1/").call().is_err());
}
