//! The client of every case: one thread, Linux sockets, `epoll`.
//!
//! `load CASE ADDRESS CONNECTIONS SECONDS` prints one JSON object: the case's
//! metrics and `cpu_s`, the processor time this client used.

use std::{
    env,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpStream as Blocking},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Map, Value, json};

const ECHO: u16 = 3000;
const DISCARD: u16 = 3009;
const CHARGEN: u16 = 3019;

/// How long a peer may stay silent before the case is given up.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [case, address, connections, seconds] = arguments.as_slice() else {
        bail!("usage: load CASE ADDRESS CONNECTIONS SECONDS");
    };
    let address: IpAddr = address.parse().context(address.clone())?;
    let connections: usize = connections.parse().context(connections.clone())?;
    let duration = Duration::from_secs_f64(seconds.parse().context(seconds.clone())?);
    let at = |port| SocketAddr::from((address, port));
    let mut metrics = match case.as_str() {
        "recv" => bulk(at(DISCARD), connections, duration, Way::ToServer)?,
        "send" => bulk(at(CHARGEN), connections, duration, Way::FromServer)?,
        "bulk-echo" => bulk(at(ECHO), connections, duration, Way::Both)?,
        "echo" if connections == 1 => ping_pong(at(ECHO), duration)?,
        "echo" => closed_loop(at(ECHO), connections, duration)?,
        "connect" => set_up_and_tear_down(at(ECHO), connections, duration)?,
        "idle" => idle(at(ECHO), connections)?,
        _ => bail!("{case}: expected recv, send, bulk-echo, echo, connect or idle"),
    };
    metrics.insert("cpu_s".into(), json!(cpu_seconds()?));
    println!("{}", Value::Object(metrics));
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    ToServer,
    FromServer,
    Both,
}

/// One connection of a bulk case.
struct Transfer {
    stream: TcpStream,
    sent: u64,
    received: u64,
    half_closed: bool,
    done: bool,
}

/// Transfers as much as it can for `duration`, then lets what is under way
/// arrive, so that only delivered bytes count.
fn bulk(
    server: SocketAddr,
    connections: usize,
    duration: Duration,
    way: Way,
) -> Result<Map<String, Value>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut transfers = Vec::new();
    for token in 0..connections {
        let stream = Blocking::connect_timeout(&server, PATIENCE)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(token), interest)?;
        transfers.push(Transfer {
            stream,
            sent: 0,
            received: 0,
            half_closed: false,
            done: false,
        });
    }
    let mut buffer = vec![b'm'; 256 << 10];
    let start = Instant::now();
    let end = start + duration;
    let mut at_end = 0;
    let mut last_progress = start;
    let mut progress = true;
    while transfers.iter().any(|transfer| !transfer.done) {
        // Readiness is told once: wait only when every socket has blocked.
        let pause = if progress {
            Duration::ZERO
        } else {
            Duration::from_millis(50)
        };
        poll.poll(&mut events, Some(pause))?;
        let sending = Instant::now() < end;
        progress = false;
        for transfer in transfers.iter_mut().filter(|transfer| !transfer.done) {
            progress |= advance(transfer, &mut buffer, way, sending)?;
        }
        let now = Instant::now();
        if progress {
            last_progress = now;
        }
        ensure!(
            now < last_progress + PATIENCE,
            "{server}: no progress for {PATIENCE:?}"
        );
        if way == Way::FromServer && now >= end {
            at_end = transfers.iter().map(|transfer| transfer.received).sum();
            break;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let bytes: u64 = match way {
        Way::ToServer => transfers.iter().map(|transfer| transfer.sent).sum(),
        Way::FromServer => at_end,
        Way::Both => {
            let sent: u64 = transfers.iter().map(|transfer| transfer.sent).sum();
            let received: u64 = transfers.iter().map(|transfer| transfer.received).sum();
            ensure!(
                sent == received,
                "{server}: sent {sent} bytes, {received} came back"
            );
            received
        }
    };
    Ok(Map::from_iter([(
        "gbit_per_s".into(),
        json!(bytes as f64 * 8e-9 / elapsed),
    )]))
}

/// Reads and writes what the socket takes now; true if anything moved.
fn advance(transfer: &mut Transfer, buffer: &mut [u8], way: Way, sending: bool) -> Result<bool> {
    let mut progress = false;
    // Four chunks each way, so that neither direction starves the other.
    for _ in 0..4 {
        if way == Way::FromServer || !sending {
            break;
        }
        match transfer.stream.write(buffer) {
            Ok(written) => transfer.sent += written as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
        progress = true;
    }
    if way != Way::FromServer && !sending && !transfer.half_closed {
        transfer.stream.shutdown(Shutdown::Write)?;
        transfer.half_closed = true;
    }
    for _ in 0..4 {
        match transfer.stream.read(buffer) {
            Ok(0) => {
                transfer.done = true;
                return Ok(true);
            }
            Ok(read) => transfer.received += read as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error.into()),
        }
        progress = true;
    }
    Ok(progress)
}

/// One connection, blocking: what a client that waits for its answer sees.
fn ping_pong(server: SocketAddr, duration: Duration) -> Result<Map<String, Value>> {
    let mut stream = Blocking::connect_timeout(&server, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut message = [b'm'; 64];
    let mut times = Vec::with_capacity(1 << 20);
    let end = Instant::now() + duration;
    loop {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        times.push(sent.elapsed());
    }
    Ok(percentiles(times))
}

/// Many connections, each with one message under way at any time.
fn closed_loop(
    server: SocketAddr,
    connections: usize,
    duration: Duration,
) -> Result<Map<String, Value>> {
    struct Connection {
        stream: TcpStream,
        sent: Instant,
        received: usize,
    }
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut message = [b'm'; 64];
    let mut open = Vec::new();
    for token in 0..connections {
        let stream = Blocking::connect_timeout(&server, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(&mut stream, Token(token), Interest::READABLE)?;
        open.push(Connection {
            stream,
            sent: Instant::now(),
            received: 0,
        });
    }
    for connection in &mut open {
        connection.sent = Instant::now();
        // An empty socket buffer takes 64 bytes at once.
        connection.stream.write_all(&message)?;
    }
    let mut times = Vec::with_capacity(1 << 20);
    let mut under_way = connections;
    let start = Instant::now();
    let end = start + duration;
    while under_way > 0 {
        poll.poll(&mut events, Some(PATIENCE))?;
        ensure!(
            !events.is_empty(),
            "{server}: no reply for {PATIENCE:?}, {under_way} awaited"
        );
        for event in &events {
            let connection = &mut open[event.token().0];
            loop {
                match connection.stream.read(&mut message[connection.received..]) {
                    Ok(0) => bail!("{server}: closed a connection"),
                    Ok(read) => connection.received += read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
                if connection.received < message.len() {
                    continue;
                }
                connection.received = 0;
                let now = Instant::now();
                times.push(now - connection.sent);
                if now >= end {
                    under_way -= 1;
                    break;
                }
                connection.sent = now;
                connection.stream.write_all(&message)?;
            }
        }
    }
    let rate = times.len() as f64 / start.elapsed().as_secs_f64();
    let mut metrics = percentiles(times);
    metrics.insert("req_per_s".into(), json!(rate));
    Ok(metrics)
}

/// Connections opened, half-closed and drained, `in_flight` at a time.
fn set_up_and_tear_down(
    server: SocketAddr,
    in_flight: usize,
    duration: Duration,
) -> Result<Map<String, Value>> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let open = |token: usize, poll: &Poll| -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(server)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(token), interest)?;
        Ok(stream)
    };
    let mut streams = (0..in_flight)
        .map(|token| Ok(Some((open(token, &poll)?, false))))
        .collect::<io::Result<Vec<_>>>()?;
    let mut closed = 0_u64;
    let mut under_way = in_flight;
    let start = Instant::now();
    let end = start + duration;
    while under_way > 0 {
        poll.poll(&mut events, Some(PATIENCE))?;
        ensure!(!events.is_empty(), "{server}: no progress for {PATIENCE:?}");
        for event in &events {
            let token = event.token().0;
            let Some((stream, half_closed)) = &mut streams[token] else {
                continue;
            };
            if let Some(error) = stream.take_error()? {
                return Err(error).context("connect");
            }
            if event.is_writable() && !*half_closed {
                stream.shutdown(Shutdown::Write)?;
                *half_closed = true;
            }
            match stream.read(&mut [0; 16]) {
                Ok(0) => {}
                Ok(_) => bail!("{server}: sent bytes unasked"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            }
            closed += 1;
            streams[token] = None;
            if Instant::now() < end {
                streams[token] = Some((open(token, &poll)?, false));
            } else {
                under_way -= 1;
            }
        }
    }
    let rate = closed as f64 / start.elapsed().as_secs_f64();
    Ok(Map::from_iter([("per_s".into(), json!(rate))]))
}

/// Opens connections, uses each once, says `ready` and holds them until a line
/// comes on standard input.
fn idle(server: SocketAddr, connections: usize) -> Result<Map<String, Value>> {
    let mut open = Vec::new();
    let mut message = [b'm'; 64];
    for _ in 0..connections {
        let mut stream = Blocking::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        open.push(stream);
    }
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    Ok(Map::new())
}

fn percentiles(mut times: Vec<Duration>) -> Map<String, Value> {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len() - 1);
        json!(times[index].as_nanos() as f64 / 1e3)
    };
    Map::from_iter([
        ("p50_us".into(), at(0.5)),
        ("p99_us".into(), at(0.99)),
        ("p999_us".into(), at(0.999)),
    ])
}

fn cpu_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
