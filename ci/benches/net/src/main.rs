//! `ci/bench net`: the services of `examples/inetd` as a unikernel under
//! `solo5-spt`, over smoltcp on a TAP interface, and over Linux with tokio
//! behind a veth pair, asked by the same client in interleaved rounds. With `BENCH_BEFORE=CHECKOUT`
//! the unikernel of another checkout takes part, as `mkernel-before`.

mod subjects;
mod virtual_time;

#[path = "../../../../crates/netstack/tests/sim/mod.rs"]
mod sim;

use std::{env, thread, time::Duration};

use anyhow::Result;
use bench_common::{CLIENT_CPU, Ratio, Report, build::repository, network};

use crate::subjects::{Placement, Server, Subject, build_unikernels};

const ROUNDS: usize = 5;
const SECONDS: f64 = 1.0;
/// smoltcp's buffers where messages are small.
const SMALL_BUFFER: usize = 16 << 10;

/// Behind passt, beside the same behind a TAP interface.
const USER_CASES: [(&str, &str); 2] = [("bulk-recv-user-1", "recv"), ("echo-1-user", "echo")];

/// Over IPv6, beside the same over IPv4, and what the change costs Linux.
const V6_CASES: [(&str, &str, usize); 6] = [
    ("bulk-recv-v6-1", "recv", 1),
    ("bulk-send-v6-1", "send", 1),
    ("bulk-echo-v6-1", "bulk-echo", 1),
    ("echo-1-v6", "echo", 1),
    ("echo-64-v6", "echo", 64),
    ("connect-v6", "connect", 16),
];

/// One row of the table: what `load` is told, and how the servers are set up.
struct Case {
    name: String,
    load: &'static str,
    connections: usize,
}

impl Case {
    /// Sockets that smoltcp's server needs: it has no backlog, and one that is closing does not
    /// listen yet.
    fn sockets(&self) -> usize {
        match self.load {
            "connect" => 4 * self.connections,
            _ => self.connections,
        }
    }
}

fn main() -> Result<()> {
    let mut report = Report::default();
    if is_wanted("loss-1") || is_wanted("loss-5") {
        virtual_time::goodput(&mut report);
    }
    if is_wanted("segment-in") || is_wanted("segment-out") {
        virtual_time::instructions(&mut report)?;
    }
    if is_wanted("worst") {
        virtual_time::worst(&mut report)?;
    }
    if only_virtual() {
        return show(&report);
    }
    build_unikernels()?;
    network::enter_namespace()?;
    network::open_at_any_rate()?;

    for mtu in [1500, 9000] {
        run_group(&mut report, mtu, Placement::TwoCpus, &bulk_cases(mtu))?;
    }
    run_group(&mut report, 1500, Placement::TwoCpus, &echo_cases(""))?;
    run_group(&mut report, 1500, Placement::OneCpu, &echo_cases("-same"))?;
    let connect = Case {
        name: "connect".into(),
        load: "connect",
        connections: 16,
    };
    run_group(&mut report, 1500, Placement::TwoCpus, &[connect])?;
    for (name, load) in USER_CASES {
        let case = Case {
            name: name.into(),
            load,
            connections: 1,
        };
        let subjects = [Subject::Mkernel, Subject::User];
        run_case(&mut report, 1500, Placement::TwoCpus, &case, &subjects)?;
    }
    for (name, load, connections) in V6_CASES {
        let case = Case {
            name: name.into(),
            load,
            connections,
        };
        let (mkernel, tokio) = (
            [Subject::Mkernel, Subject::V6],
            [Subject::Tokio, Subject::TokioV6],
        );
        let subjects = [mkernel, tokio].concat();
        run_case(&mut report, 1500, Placement::TwoCpus, &case, &subjects)?;
    }
    if is_wanted("idle-connection") {
        idle_connections(&mut report)?;
    }
    println!(
        "client on CPU {CLIENT_CPU}, server on the other one (cases `-same`: on the same one); \
         {ROUNDS} interleaved rounds of {SECONDS} s; medians"
    );
    show(&report)
}

fn show(report: &Report) -> Result<()> {
    let columns = Subject::COLUMNS.map(Subject::name);
    let ratios = [
        Ratio {
            title: "/ smoltcp",
            to: &columns[1..2],
        },
        Ratio {
            title: "/ tokio",
            to: &columns[2..],
        },
    ];
    report.print_table(&columns, &ratios);
    report.save(&repository().join("target/bench/net.json"))
}

fn bulk_cases(mtu: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for connections in [1, 8] {
        for (way, load) in [("recv", "recv"), ("send", "send"), ("echo", "bulk-echo")] {
            let name = format!("bulk-{way}-{mtu}-{connections}");
            cases.push(Case {
                name,
                load,
                connections,
            });
        }
    }
    cases
}

fn echo_cases(suffix: &str) -> Vec<Case> {
    [1, 64, 512]
        .map(|connections| Case {
            name: format!("echo-{connections}{suffix}"),
            load: "echo",
            connections,
        })
        .into()
}

/// The parts of case names that the command line gives; `--json` and its value, from `ci/bench`, are
/// none.
fn wanted_parts() -> Vec<String> {
    let mut arguments = env::args().skip(1);
    let mut parts = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--json" {
            arguments.next();
        } else {
            parts.push(argument);
        }
    }
    parts
}

/// Whether the command line asks for this case: by a part of its name, or by naming none.
fn is_wanted(case: &str) -> bool {
    let parts = wanted_parts();
    parts.is_empty() || parts.iter().any(|part| case.contains(part))
}

/// Whether the command line asks for nothing but cases that need no network.
fn only_virtual() -> bool {
    let parts = wanted_parts();
    !parts.is_empty()
        && parts.iter().all(|part| {
            ["loss", "segment", "worst"]
                .iter()
                .any(|name| part.starts_with(name))
        })
}

/// Runs the cases against all subjects.
fn run_group(report: &mut Report, mtu: usize, placement: Placement, cases: &[Case]) -> Result<()> {
    for case in cases {
        run_case(report, mtu, placement, case, &Subject::all())?;
    }
    Ok(())
}

fn run_case(
    report: &mut Report,
    mtu: usize,
    placement: Placement,
    case: &Case,
    subjects: &[Subject],
) -> Result<()> {
    if !is_wanted(&case.name) {
        return Ok(());
    }
    let buffer = match subjects.contains(&Subject::Smoltcp) {
        true => best_smoltcp_buffer(mtu, placement, case)?,
        false => SMALL_BUFFER,
    };
    let start = |&subject| Server::start(subject, mtu, placement, case.sockets(), buffer);
    for _ in 0..ROUNDS {
        // Of a process it is chance where its memory lies, which makes several percent.
        let servers = subjects.iter().map(start).collect::<Result<Vec<_>>>()?;
        for server in &servers {
            let before = server.process().cpu_time()?;
            let metrics = server.load(case.load, case.connections, SECONDS)?;
            let used = (server.process().cpu_time()? - before).as_secs_f64();
            report.add(&case.name, server.subject().name(), "server_cpu_s", used);
            for (metric, value) in metrics {
                let metric = if metric == "cpu_s" {
                    "client_cpu_s".into()
                } else {
                    metric
                };
                report.add(&case.name, server.subject().name(), &metric, value);
            }
        }
    }
    eprintln!("{}: done", case.name);
    Ok(())
}

/// smoltcp's throughput hangs on its buffers: the size that serves it best
/// here, tried out before the rounds.
fn best_smoltcp_buffer(mtu: usize, placement: Placement, case: &Case) -> Result<usize> {
    let mut best = (SMALL_BUFFER, 0.0);
    if !case.name.starts_with("bulk") {
        return Ok(best.0);
    }
    for buffer in [64 << 10, 256 << 10, 1 << 20] {
        let server = Server::start(Subject::Smoltcp, mtu, placement, case.connections, buffer)?;
        for (metric, value) in server.load(case.load, case.connections, SECONDS / 2.0)? {
            if metric == "gbit_per_s" && value > best.1 {
                best = (buffer, value);
            }
        }
    }
    eprintln!("{}: smoltcp with buffers of {} bytes", case.name, best.0);
    Ok(best.0)
}

/// Resident memory of a server whose connections were each used once and now
/// wait, less that of a server with one, per connection. Linux keeps its
/// connections in the kernel, outside this figure.
fn idle_connections(report: &mut Report) -> Result<()> {
    const CONNECTIONS: usize = 1000;
    let resident_with = |subject, connections| -> Result<f64> {
        let server = Server::start(subject, 1500, Placement::TwoCpus, connections, SMALL_BUFFER)?;
        let _held = server.hold_connections(connections)?;
        thread::sleep(Duration::from_secs(1));
        Ok(server.process().resident()? as f64)
    };
    for _ in 0..3 {
        for subject in Subject::all() {
            let growth = resident_with(subject, CONNECTIONS)? - resident_with(subject, 1)?;
            let bytes = growth / (CONNECTIONS - 1) as f64;
            report.add("idle-connection", subject.name(), "bytes", bytes);
        }
    }
    Ok(())
}
