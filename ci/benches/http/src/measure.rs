//! One measurement of one server.

use std::{collections::HashMap, path::Path, process::Command, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use bench_common::{CLIENT_CPU, Report, Start, build::beside_us};
use serde_json::{Map, Value};

use crate::{
    cases::{Case, Load},
    subjects::{DOWNLOAD, Programs, Server, Subject},
};

/// Metrics by name.
type Metrics = Vec<(String, f64)>;

/// That of the table's lines.
const ORDER: [&str; 4] = ["p50_us", "p99_us", "p999_us", "max_us"];
/// Where clients run.
const CLIENT: Start<'static> = Start {
    cpu: CLIENT_CPU,
    namespace: None,
};

/// Adds a sample of each metric of the case.
pub fn measure(
    report: &mut Report,
    case: &Case,
    server: &Server,
    seconds: u64,
    rate: f64,
) -> Result<()> {
    let subject = server.subject().name();
    if let Load::Idle = case.load {
        let spent = idle(server, Duration::from_secs(seconds))?;
        report.add(&case.name, subject, "cpu_us_per_s", spent / seconds as f64);
        return Ok(());
    }
    let before = server.process().cpu_time()?;
    let metrics = load(case, server, seconds, rate)?;
    let cpu = (server.process().cpu_time()? - before).as_secs_f64() * 1e6;
    let requests = metrics.iter().find(|(name, _)| name == "requests");
    let requests = requests.map_or(0.0, |(_, requests)| *requests);
    ensure!(requests > 0.0, "not one request was answered");
    for (name, value) in &metrics {
        match (name.as_str(), case.load) {
            ("requests", _) => {}
            ("client_cpu_s", Load::Paced { .. }) => {
                let each = value * 1e6 / requests;
                report.add(&case.name, subject, "client_cpu_us_per_req", each);
            }
            ("client_cpu_s", _) => {}
            _ => report.add(&case.name, subject, name, *value),
        }
    }
    let (name, of) = match case.load {
        Load::Download => ("cpu_us_per_mb", requests * DOWNLOAD as f64 / 1e6),
        _ => ("cpu_us_per_req", requests),
    };
    report.add(&case.name, subject, name, cpu / of);
    Ok(())
}

/// Microseconds of processor time that a server takes while nobody asks it for anything.
fn idle(server: &Server, duration: Duration) -> Result<f64> {
    let held = server.connect()?;
    // What the last answer brings about: a delayed acknowledgement, say.
    thread::sleep(Duration::from_millis(500));
    let before = server.process().cpu_time()?;
    thread::sleep(duration);
    let spent = server.process().cpu_time()? - before;
    drop(held);
    Ok(spent.as_secs_f64() * 1e6)
}

/// The rate, in requests a second, at which the case asks: for the open loop it follows from what the slowest
/// subject does in a closed one, as reported or, where that was not asked for, as measured now.
pub fn rate(
    report: &Report,
    case: &Case,
    programs: &Programs,
    subjects: &[Subject],
    tried: &mut HashMap<usize, f64>,
) -> Result<f64> {
    let (connections, percent) = match case.load {
        Load::Open {
            connections,
            percent,
        } => (connections, percent),
        Load::Paced { rate } => return Ok(rate as f64),
        _ => return Ok(0.0),
    };
    let slowest = match tried.get(&connections) {
        Some(slowest) => *slowest,
        None => {
            let slowest = slowest(report, case, programs, subjects, connections)?;
            tried.insert(connections, slowest);
            slowest
        }
    };
    let rate = slowest * percent as f64 / 100.0;
    eprintln!("{}: {rate:.0} requests a second", case.name);
    Ok(rate)
}

fn slowest(
    report: &Report,
    case: &Case,
    programs: &Programs,
    subjects: &[Subject],
    connections: usize,
) -> Result<f64> {
    let mut slowest = f64::INFINITY;
    for subject in subjects {
        let name = format!("http-{connections}");
        let reported = report.summary(&name, subject.name(), "req_per_s");
        let rate = match reported {
            Some(summary) => Ok(summary.median),
            None => closed_rate(case, programs, *subject, connections),
        };
        match rate {
            Ok(rate) => slowest = slowest.min(rate),
            // The case will fail as well, and say so.
            Err(error) => eprintln!("{name} of {}: {error:#}", subject.name()),
        }
    }
    ensure!(slowest.is_finite(), "no subject answers");
    Ok(slowest)
}

/// Requests a second of a subject in a closed loop.
fn closed_rate(
    case: &Case,
    programs: &Programs,
    subject: Subject,
    connections: usize,
) -> Result<f64> {
    let closed = Case {
        load: Load::Closed { connections },
        ..case.clone()
    };
    let server = Server::start(subject, programs, closed.demand(0))?;
    let metrics = load(&closed, &server, 1, 0.0)?;
    let rate = metrics.iter().find(|(name, _)| name == "req_per_s");
    Ok(rate.context("wrk has said no rate")?.1)
}

fn load(case: &Case, server: &Server, seconds: u64, rate: f64) -> Result<Metrics> {
    let address = server.address().to_string();
    let duration = seconds.to_string();
    let tls = if case.tls { "tls" } else { "" };
    match case.load {
        Load::Closed { connections } => wrk(&address, case.tls, connections, seconds),
        Load::Open { connections, .. } => {
            let connections = connections.to_string();
            client(&["open", &address, &connections, &rate.to_string(), &duration])
        }
        Load::Paced { .. } => client(&["open", &address, "1", &rate.to_string(), &duration]),
        Load::Idle => Ok(Vec::new()),
        Load::Handshakes { in_flight } => {
            client(&["handshakes", &address, &in_flight.to_string(), &duration])
        }
        Load::Download => {
            let (path, octets) = (format!("/download/{DOWNLOAD}"), DOWNLOAD.to_string());
            client(&["download", &address, &path, &octets, &duration, tls])
        }
    }
}

fn client(arguments: &[&str]) -> Result<Metrics> {
    let mut command = Command::new(beside_us("load")?);
    command.args(arguments.iter().filter(|argument| !argument.is_empty()));
    numbers(&CLIENT.output(&mut command)?)
}

/// The closed loop, on one thread. Note that wrk adds, to what it has measured, the requests that it would have
/// sent had an answer that was late not held it up.
fn wrk(address: &str, tls: bool, connections: usize, seconds: u64) -> Result<Metrics> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wrk.lua");
    let scheme = if tls { "https" } else { "http" };
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--connections", &connections.to_string()])
        .args(["--duration", &seconds.to_string()])
        .arg("--script")
        .arg(script)
        .arg(format!("{scheme}://{address}/healthz"));
    let output = CLIENT.output(&mut command)?;
    let output = String::from_utf8_lossy(&output);
    let line = output.lines().find_map(|line| line.strip_prefix("json "));
    let mut metrics = numbers(line.context("wrk has said nothing")?.as_bytes())?;
    let errors = metrics.iter().position(|(name, _)| name == "errors");
    let errors = errors.map_or(0.0, |index| metrics.remove(index).1);
    ensure!(errors == 0.0, "{errors} requests failed:\n{output}");
    Ok(metrics)
}

fn numbers(json: &[u8]) -> Result<Metrics> {
    let metrics: Map<String, Value> = serde_json::from_slice(json)?;
    let number = |(name, value): (String, Value)| Some((name, value.as_f64()?));
    let mut metrics: Metrics = metrics.into_iter().filter_map(number).collect();
    metrics.sort_by_key(|(name, _)| ORDER.iter().position(|metric| metric == name));
    Ok(metrics)
}
