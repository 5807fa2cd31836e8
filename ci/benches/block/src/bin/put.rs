//! A client that gives values to keys, of a `kv` or of Redis: `put http|redis SERVER CONNECTIONS KEYS OCTETS SECONDS`.
//!
//! Each connection has one request under way, for a random key of so many, with a value of so many octets. Prints
//! how many were answered in a second, and the 50th and the 99th of a hundred latencies in microseconds, as JSON.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde_json::json;

/// How long a server may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Redis,
}

impl Protocol {
    fn request(self, key: u32, value: &str) -> Vec<u8> {
        let key = format!("key:{key:08}");
        match self {
            Self::Http => format!(
                "PUT /k/{key} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{value}",
                value.len()
            ),
            Self::Redis => format!(
                "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n{value}\r\n",
                key.len(),
                value.len()
            ),
        }
        .into_bytes()
    }

    /// Whether the answer is there; an error if it is another one than that the value is kept.
    fn is_answered(self, received: &[u8]) -> Result<bool> {
        let (good, end): (&[u8], &[u8]) = match self {
            Self::Http => (b"HTTP/1.1 204 ", b"\r\n\r\n"),
            Self::Redis => (b"+OK", b"\r\n"),
        };
        let compared = received.len().min(good.len());
        ensure!(
            received[..compared] == good[..compared],
            "{}",
            String::from_utf8_lossy(received)
        );
        Ok(received.ends_with(end))
    }
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    received: Vec<u8>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [protocol, server, connections, keys, octets, seconds] = &arguments[..] else {
        bail!("put http|redis SERVER CONNECTIONS KEYS OCTETS SECONDS");
    };
    let protocol = match protocol.as_str() {
        "http" => Protocol::Http,
        "redis" => Protocol::Redis,
        other => bail!("{other:?}, expected http or redis"),
    };
    let (keys, octets): (u32, usize) = (keys.parse()?, octets.parse()?);
    let server: SocketAddr = server.parse().context("SERVER")?;
    let end = Duration::from_secs_f64(seconds.parse()?);
    let mut poll = Poll::new()?;
    let mut open = (0..connections.parse()?)
        .map(|token| connect(server, token, &poll))
        .collect::<Result<Vec<_>>>()?;
    let value = "v".repeat(octets);
    let mut random = fastrand::Rng::with_seed(1);
    let mut latencies = Vec::new();
    let start = Instant::now();
    for connection in &mut open {
        connection.send(&protocol.request(random.u32(..keys), &value))?;
    }
    let mut events = Events::with_capacity(1024);
    while start.elapsed() < end {
        poll.poll(&mut events, Some(PATIENCE))?;
        ensure!(!events.is_empty(), "no answer for {PATIENCE:?}");
        for event in &events {
            let connection = &mut open[event.token().0];
            if connection.is_answered(protocol)? {
                latencies.push(connection.sent.elapsed());
                connection.send(&protocol.request(random.u32(..keys), &value))?;
            }
        }
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let percentile = |percent: usize| {
        let latency = latencies
            .get(latencies.len() * percent / 100)
            .context("no answers")?;
        anyhow::Ok(latency.as_secs_f64() * 1e6)
    };
    println!(
        "{}",
        json!({"put_per_s": rate, "p50_us": percentile(50)?, "p99_us": percentile(99)?})
    );
    Ok(())
}

fn connect(server: SocketAddr, token: usize, poll: &Poll) -> Result<Connection> {
    let stream =
        Blocking::connect_timeout(&server, PATIENCE).with_context(|| server.to_string())?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry()
        .register(&mut stream, Token(token), Interest::READABLE)?;
    Ok(Connection {
        stream,
        sent: Instant::now(),
        received: Vec::new(),
    })
}

impl Connection {
    fn send(&mut self, request: &[u8]) -> Result<()> {
        self.received.clear();
        self.sent = Instant::now();
        // The socket's buffer is empty and takes it at once.
        Ok(self.stream.write_all(request)?)
    }

    fn is_answered(&mut self, protocol: Protocol) -> Result<bool> {
        let mut octets = [0; 4096];
        loop {
            match self.stream.read(&mut octets) {
                Ok(0) => bail!("the server has closed a connection"),
                Ok(count) => self.received.extend(&octets[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(!self.received.is_empty() && protocol.is_answered(&self.received)?)
    }
}
