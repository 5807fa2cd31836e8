//! What an echo notices of a copy, and of flushes, in the same unikernel.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use bench_common::{Report, network};

use crate::{Bench, CLIENT, SERVER, connect};

pub(crate) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut image = None;
    for round in 0..bench.options.rounds {
        for (case, beside) in [
            ("echo-alone", None),
            ("echo-beside-copy", Some("--copy")),
            ("echo-beside-flushes", Some("--flush")),
        ] {
            if !bench.options.wants(case) {
                continue;
            }
            let image = match &image {
                Some(image) => image,
                None => image.insert(bench.image("echo")?),
            };
            network::add_tap("echo0", 3, 1500)?;
            let mut command = Command::new(&bench.tender);
            command
                .args(["--mem=64", "--net:service=echo0"])
                .arg(format!("--block:disk={}", image.display()))
                .arg("--block-sector-size:disk=4096")
                .arg(&bench.copying_echo)
                .arg("--solo5:quiet")
                .arg(format!("--ipv4={}/24", network::served(3)))
                .args(beside)
                .stdout(Stdio::null());
            let _server = SERVER.process(&mut command)?;
            let address = SocketAddr::from((network::served(3), 3000));
            let seconds = Duration::from_secs(bench.options.seconds);
            let mut latencies = CLIENT.place(|| ask(address, seconds))?;
            latencies.sort_unstable();
            for (metric, percent) in [("p50_us", 50), ("p99_us", 99)] {
                let latency = latencies.get(latencies.len() * percent / 100);
                let latency = latency.context("no answers")?.as_secs_f64() * 1e6;
                report.add(case, "mkernel", metric, latency);
            }
            eprintln!("{case}: round {}", round + 1);
        }
    }
    Ok(())
}

/// One message of 64 octets after the other.
fn ask(address: SocketAddr, time: Duration) -> Result<Vec<Duration>> {
    let mut stream = connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut message = [7; 64];
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        stream.write_all(&message)?;
        stream.read_exact(&mut message)?;
        latencies.push(sent.elapsed());
    }
    Ok(latencies)
}
