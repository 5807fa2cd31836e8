//! The example `todo`, which is axum on tokio, behind a network: a unikernel on a TAP interface, and the same source on Linux
//! behind a veth pair. What is asked for is the one answer that wants no database, whose part would be the greater one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use bench_common::server::{self, SERVER};
use bench_common::{Options, Process, Report, build, http, network};

const CONNECTIONS: [usize; 3] = [8, 64, 256];
const MTU: usize = 1500;
const PORT: u16 = 8080;
/// Nobody is there.
const DATABASE: &str = "postgres://nobody@127.0.0.1/nothing";

/// Measures those of the cases that are wanted, in interleaved rounds.
pub fn measure(
    report: &mut Report,
    options: &Options,
    subjects: &[&'static str],
    tender: &Path,
) -> Result<()> {
    let cases = CONNECTIONS.map(|connections| (format!("todo-{connections}"), connections));
    let cases: Vec<_> = cases
        .iter()
        .filter(|(case, _)| options.wants(case))
        .collect();
    if cases.is_empty() {
        return Ok(());
    }
    http::wrk_is_there()?;
    let programs = subjects.iter().map(|subject| program(subject));
    let programs: Vec<PathBuf> = programs.collect::<Result<_>>()?;
    network::enter_namespace()?;
    network::open_at_any_rate()?;
    let mut servers = Vec::new();
    for (number, (subject, program)) in (1..).zip(subjects.iter().zip(&programs)) {
        servers.push((*subject, start(number, subject, program, tender)?));
    }
    for round in 0..options.rounds {
        for (case, connections) in &cases {
            for turn in 0..servers.len() {
                // Each goes first in its turn.
                let (subject, (process, address)) = &servers[(round + turn) % servers.len()];
                let url = format!("http://{address}/");
                let before = process.cpu_time()?;
                let metrics = http::wrk(&url, *connections, options.seconds)?;
                let spent = (process.cpu_time()? - before).as_secs_f64() * 1e6;
                for (name, value) in metrics {
                    if name == "requests" {
                        ensure!(
                            value > 0.0,
                            "{case} of {subject}: not one request was answered"
                        );
                        report.add(case, subject, "cpu_us_per_req", spent / value);
                    } else {
                        report.add(case, subject, &name, value);
                    }
                }
            }
        }
    }
    Ok(())
}

fn program(subject: &str) -> Result<PathBuf> {
    let root = build::repository();
    if subject != "linux" {
        return build::unikernel(&root, "todo", "release");
    }
    build::cargo_build(&root, &["--release", "-p", "todo"], &[])?;
    Ok(root.join("target/release/todo"))
}

fn start(
    number: u8,
    subject: &str,
    program: &Path,
    tender: &Path,
) -> Result<(Process, SocketAddr)> {
    let (link, address) = (format!("todo{number}"), network::served(number));
    let process = if subject == "linux" {
        let mut command = Command::new(program);
        command.env("DATABASE_URL", DATABASE);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        server::behind_veth(&link, number, MTU, &mut command)?
    } else {
        network::add_tap(&link, number, MTU)?;
        let mut command = server::unikernel(tender, program, &link, address);
        command.arg(format!("--env=DATABASE_URL={DATABASE}"));
        SERVER.process(&mut command)?
    };
    let address = SocketAddr::from((address, PORT));
    http::wait_until_it_listens(address)?;
    drop(http::connect(address, "/")?);
    Ok((process, address))
}
