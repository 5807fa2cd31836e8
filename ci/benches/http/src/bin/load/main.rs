//! The client of what `wrk` does not do; prints one JSON object of metrics.
//!
//! - `load open SERVER CONNECTIONS RATE SECONDS`: requests for `/healthz` at a rate that does not depend on the
//!   answers. A request's latency counts from when it was to be sent, so also the time for which it found no
//!   connection free. On one connection they come evenly, on more at random (a Poisson process, the same for
//!   every server). The client never sleeps.
//! - `load handshakes SERVER IN_FLIGHT SECONDS`: a TLS connection for each request, without resumption. The client
//!   verifies nothing, as it would otherwise have more to do than the server.
//! - `load download SERVER PATH OCTETS SECONDS [tls]`: so many octets from there, again and again, each time on a
//!   connection of its own.

mod bulk;
mod open;

use std::{env, net::SocketAddr, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use serde_json::{Map, Value, json};

/// How long a server may stay silent before the case is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Metrics by name.
type Metrics = Map<String, Value>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut metrics = match arguments[..] {
        ["open", server, connections, rate, seconds] => open::run(
            server.parse::<SocketAddr>().context("SERVER")?,
            number(connections)?,
            number(rate)?,
            Duration::from_secs_f64(number(seconds)?),
        )?,
        ["handshakes", server, in_flight, seconds] => bulk::handshakes(
            server.parse().context("SERVER")?,
            number(in_flight)?,
            Duration::from_secs_f64(number(seconds)?),
        )?,
        ["download", server, path, octets, seconds, ref tls @ ..] => bulk::download(
            server.parse().context("SERVER")?,
            path,
            number(octets)?,
            Duration::from_secs_f64(number(seconds)?),
            *tls == ["tls"],
        )?,
        _ => bail!(
            "load {}: expected open, handshakes or download",
            arguments.join(" ")
        ),
    };
    metrics.insert("client_cpu_s".into(), json!(cpu_seconds()?));
    println!("{}", Value::Object(metrics));
    Ok(())
}

fn number<T: FromStr>(text: &str) -> Result<T> {
    let number = text.parse().ok();
    number.with_context(|| format!("{text}: expected a number"))
}

fn cpu_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}
