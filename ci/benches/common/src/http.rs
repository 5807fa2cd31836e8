//! Clients of HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::{CLIENT_CPU, Start};

/// Metrics by name.
pub type Metrics = Vec<(String, f64)>;

/// That of the table's lines.
const ORDER: [&str; 4] = ["p50_us", "p99_us", "p999_us", "max_us"];
/// How long a server may take to answer its first connection.
const START_UP: Duration = Duration::from_secs(10);
/// Where clients run.
pub const CLIENT: Start<'static> = Start {
    cpu: CLIENT_CPU,
    namespace: None,
};

/// Checks that `wrk` is installed.
///
/// # Errors
///
/// When it is not.
pub fn wrk_is_there() -> Result<()> {
    let wrk = Command::new("wrk").arg("-v").stdout(Stdio::null()).status();
    ensure!(wrk.is_ok(), "no wrk: apt-get install wrk");
    Ok(())
}

/// The closed loop, on one thread: each connection sends its next request when it has its answer. Note that wrk adds, to
/// what it has measured, the requests that it would have sent had an answer that was late not held it up.
///
/// # Errors
///
/// When a request failed, and without `wrk`.
pub fn wrk(url: &str, connections: usize, seconds: u64) -> Result<Metrics> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wrk.lua");
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &seconds.to_string()])
        .arg("--script")
        .arg(script)
        .arg(url);
    let output = CLIENT.output(&mut command)?;
    let output = String::from_utf8_lossy(&output);
    let line = output.lines().find_map(|line| line.strip_prefix("json "));
    let mut metrics = numbers(line.context("wrk has said nothing")?.as_bytes())?;
    let errors = metrics.iter().position(|(name, _)| name == "errors");
    let errors = errors.map_or(0.0, |index| metrics.remove(index).1);
    ensure!(errors == 0.0, "{errors} requests failed:\n{output}");
    Ok(metrics)
}

/// The numbers of a JSON object, in the order of the table's lines.
///
/// # Errors
///
/// When it is none.
pub fn numbers(json: &[u8]) -> Result<Metrics> {
    let metrics: Map<String, Value> = serde_json::from_slice(json)?;
    let number = |(name, value): (String, Value)| Some((name, value.as_f64()?));
    let mut metrics: Metrics = metrics.into_iter().filter_map(number).collect();
    metrics.sort_by_key(|(name, _)| ORDER.iter().position(|metric| metric == name));
    Ok(metrics)
}

/// A connection on which `path` was asked for once, and there.
///
/// # Errors
///
/// When there is no answer, or another status than 200.
pub fn connect(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, START_UP)?;
    stream.set_read_timeout(Some(START_UP))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes())?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer)?;
    ensure!(
        answer[..length].starts_with(b"HTTP/1.1 200"),
        "{path}: answered {:?}",
        String::from_utf8_lossy(&answer[..length])
    );
    Ok(stream)
}

/// Waits for a server that is starting.
///
/// # Errors
///
/// When it still refuses after ten seconds.
pub fn wait_until_it_listens(address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_UP;
    let soon = Duration::from_millis(200);
    while let Err(error) = TcpStream::connect_timeout(&address, soon) {
        let late = Instant::now() >= deadline;
        ensure!(!late, "{address}: does not answer: {error}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
