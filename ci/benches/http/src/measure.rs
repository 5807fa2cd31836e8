//! One measurement of one server.

use std::{collections::HashMap, process::Command, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use bench_common::{
    Report,
    build::beside_us,
    http::{CLIENT, Metrics, numbers, wrk},
};

use crate::{
    cases::{Case, Load},
    subjects::{DOWNLOAD, Programs, Server, Subject},
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
        Load::Closed { connections } => {
            let scheme = if case.tls { "https" } else { "http" };
            wrk(
                &format!("{scheme}://{address}/healthz"),
                connections,
                seconds,
            )
        }
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
