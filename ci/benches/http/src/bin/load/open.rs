//! Requests at a rate of their own.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream as Blocking},
    str,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde_json::json;

use crate::{Metrics, PATIENCE};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n";

struct Connection {
    stream: TcpStream,
    /// When the request under way was to be sent.
    due: Instant,
    received: Vec<u8>,
}

/// When requests are due.
struct Schedule {
    next: Instant,
    end: Instant,
    /// Seconds between two, on average.
    gap: f64,
    random: Option<Rng>,
}

impl Schedule {
    /// The next one, if it is due.
    fn take(&mut self, now: Instant) -> Option<Instant> {
        if self.next > now || self.next >= self.end {
            return None;
        }
        let due = self.next;
        let gaps = match &mut self.random {
            // The time between events of a Poisson process; the argument is never zero.
            Some(random) => -(1.0 - random.f64()).ln(),
            None => 1.0,
        };
        self.next += Duration::from_secs_f64(self.gap * gaps);
        Some(due)
    }
}

pub fn run(
    server: SocketAddr,
    connections: usize,
    rate: f64,
    duration: Duration,
) -> Result<Metrics> {
    ensure!(rate > 0.0, "RATE {rate}: expected more than 0");
    let mut poll = Poll::new()?;
    let mut open = (0..connections)
        .map(|token| connect(server, token, &poll))
        .collect::<Result<Vec<_>>>()?;
    let mut idle: VecDeque<usize> = (0..connections).collect();
    let mut waiting: VecDeque<Instant> = VecDeque::new();
    let mut latencies = Vec::with_capacity((rate * duration.as_secs_f64() * 1.1) as usize);
    let start = Instant::now();
    let mut schedule = Schedule {
        next: start,
        end: start + duration,
        gap: 1.0 / rate,
        random: (connections > 1).then(|| Rng::with_seed(1)),
    };
    let mut events = Events::with_capacity(1024);
    let mut latest = start;
    loop {
        let now = Instant::now();
        while let Some(due) = schedule.take(now) {
            waiting.push_back(due);
        }
        while !waiting.is_empty()
            && let Some(token) = idle.pop_front()
        {
            let connection = &mut open[token];
            // Not empty, as the line above says.
            connection.due = waiting.pop_front().unwrap_or(now);
            // The socket's buffer is empty and takes it at once.
            connection.stream.write_all(REQUEST)?;
        }
        if schedule.next >= schedule.end && waiting.is_empty() && idle.len() == connections {
            break;
        }
        poll.poll(&mut events, Some(Duration::ZERO))?;
        if !events.is_empty() || idle.len() == connections {
            latest = now;
        }
        ensure!(
            now < latest + PATIENCE,
            "{server}: no answer for {PATIENCE:?}"
        );
        for event in &events {
            let token = event.token().0;
            if is_answered(&mut open[token]).with_context(|| server.to_string())? {
                latencies.push(open[token].due.elapsed());
                idle.push_back(token);
            }
        }
    }
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    let requests = latencies.len();
    let mut metrics = percentiles(latencies);
    metrics.insert("req_per_s".into(), json!(rate));
    metrics.insert("requests".into(), json!(requests));
    Ok(metrics)
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
        due: Instant::now(),
        received: Vec::new(),
    })
}

/// Reads what there is; whether the answer is whole.
fn is_answered(connection: &mut Connection) -> Result<bool> {
    let mut buffer = [0; 4096];
    loop {
        match connection.stream.read(&mut buffer) {
            Ok(0) => bail!("closed a connection"),
            Ok(length) => connection.received.extend(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
    }
    let Some(length) = answer_length(&connection.received)? else {
        return Ok(false);
    };
    ensure!(
        connection.received.len() <= length,
        "answered more than was asked for"
    );
    let whole = connection.received.len() == length;
    if whole {
        connection.received.clear();
    }
    Ok(whole)
}

/// Octets of an answer, once its header is whole. It must be a success, and say its length.
fn answer_length(received: &[u8]) -> Result<Option<usize>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let header = str::from_utf8(&received[..end]).context("a header that is not UTF-8")?;
    let mut lines = header.split("\r\n");
    let status = lines.next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200"), "answered {status:?}");
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    });
    let length: usize = length.context("answered without content-length")?.parse()?;
    Ok(Some(end + 4 + length))
}

fn percentiles(mut times: Vec<Duration>) -> Metrics {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map(|time| time.as_nanos() as f64 / 1e3)
    };
    Metrics::from_iter([
        ("p50_us".into(), json!(at(0.5))),
        ("p99_us".into(), json!(at(0.99))),
        ("p999_us".into(), json!(at(0.999))),
        ("max_us".into(), json!(at(1.0))),
    ])
}
