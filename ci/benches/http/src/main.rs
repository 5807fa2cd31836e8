//! `ci/bench http`: `examples/http` as a unikernel under `solo5-spt`, the same program with a throughput-first
//! executor, hyper on tokio and nginx over Linux behind a veth pair, and a minimal responder over smoltcp on a TAP
//! interface, asked by the same clients in interleaved rounds. Draws its figures into `target/bench/`.
//!
//! `http-bench [--rounds N] [--seconds N] [--case PART]... [--subject NAME]... [--json FILE]`

mod cases;
mod measure;
mod nginx;
mod other_executor;
mod plots;
mod subjects;

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Result, ensure};
use bench_common::{
    CLIENT_CPU, Options, Ratio, Report, SERVER_CPU, build::repository, busy, http::wrk_is_there,
    network,
};

use crate::{
    cases::{Case, Load},
    measure::{measure, rate},
    subjects::{Demand, Programs, Server, Subject},
};

const ROUNDS: usize = 5;
const SECONDS: u64 = 2;
/// What the task computes between two yields.
const BUSY: Duration = Duration::from_micros(5);

fn main() -> Result<()> {
    let options = Options::parse(ROUNDS, SECONDS, &[])?;
    let names = Subject::ALL.map(Subject::name);
    options.check_subjects(&names)?;
    let mut cases = cases::all();
    let known: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    cases.retain(|case| options.wants(&case.name));
    ensure!(
        !cases.is_empty(),
        "no case {}: expected a part of {}",
        options.cases.join(", "),
        known.join(", ")
    );
    let wanted = wanted(&options);
    wrk_is_there()?;

    let programs = Programs::prepare(&wanted)?;
    network::enter_namespace()?;
    network::open_at_any_rate()?;
    let folder = repository().join("target/bench");
    let file = options.json.clone().unwrap_or(folder.join("http.json"));
    let mut report = Report::default();
    let mut failures = Vec::new();
    let steps = busy::steps_for(BUSY);
    let mut tried = HashMap::new();
    for case in &cases {
        let mut subjects = case.subjects.to_vec();
        subjects.retain(|subject| wanted.contains(subject));
        if subjects.is_empty() {
            continue;
        }
        let rate = match rate(&report, case, &programs, &subjects, &mut tried) {
            Ok(rate) => rate,
            Err(error) => {
                failures.push(format!("{}: {error:#}", case.name));
                continue;
            }
        };
        let run = Run {
            case,
            programs: &programs,
            subjects: &subjects,
            demand: case.demand(steps),
            options: &options,
            rate,
        };
        run.measure(&mut report, &mut failures);
        // A run that is interrupted has its rows.
        report.save(&file)?;
        eprintln!("{}: done", case.name);
    }
    show(&report, &options, &folder)?;
    ensure!(
        failures.is_empty(),
        "not measured:\n{}",
        failures.join("\n")
    );
    Ok(())
}

/// The subjects that are wanted and installed.
fn wanted(options: &Options) -> Vec<Subject> {
    let mut wanted = Subject::ALL.to_vec();
    wanted.retain(|subject| options.wants_subject(subject.name()));
    if wanted.contains(&Subject::Nginx) && !nginx::is_there() {
        eprintln!("without nginx: apt-get install nginx");
        wanted.retain(|subject| *subject != Subject::Nginx);
    }
    wanted
}

/// Prints the table, and draws the figures.
fn show(report: &Report, options: &Options, folder: &Path) -> Result<()> {
    let names = Subject::ALL.map(Subject::name);
    println!(
        "client on CPU {CLIENT_CPU}, server on CPU {SERVER_CPU}; {} interleaved rounds of {} s; medians",
        options.rounds, options.seconds
    );
    let ratios = [
        Ratio {
            title: "/ best peer",
            to: &names[1..],
        },
        Ratio {
            title: "/ tokio",
            to: &names[2..3],
        },
        Ratio {
            title: "/ nginx",
            to: &names[4..5],
        },
    ];
    report.print_table(&names, &ratios);
    for file in plots::draw(report, options, folder)? {
        println!("{}", file.display());
    }
    Ok(())
}

/// A case, with all that it is measured with.
struct Run<'a> {
    case: &'a Case,
    programs: &'a Programs,
    subjects: &'a [Subject],
    demand: Demand,
    options: &'a Options,
    rate: f64,
}

impl Run<'_> {
    /// All rounds. A server whose task never rests has its processor to itself: it is started for each measurement.
    /// The others serve all rounds. A subject that fails is left out from then on, and the others go on.
    fn measure(&self, report: &mut Report, failures: &mut Vec<String>) {
        let mut servers: Vec<Option<Server>> = self.subjects.iter().map(|_| None).collect();
        let mut failed = vec![false; self.subjects.len()];
        for round in 0..self.options.rounds {
            for turn in 0..self.subjects.len() {
                // Each goes first once.
                let index = (round + turn) % self.subjects.len();
                if failed[index] {
                    continue;
                }
                if let Err(error) = self.measure_one(report, index, &mut servers[index]) {
                    let (case, subject) = (&self.case.name, self.subjects[index].name());
                    let failure = format!("{case} of {subject}: {error:#}");
                    eprintln!("{failure}");
                    failures.push(failure);
                    failed[index] = true;
                }
                if self.case.busy || failed[index] {
                    servers[index] = None;
                }
            }
        }
    }

    fn measure_one(
        &self,
        report: &mut Report,
        index: usize,
        server: &mut Option<Server>,
    ) -> Result<()> {
        let server = match server {
            Some(server) => server,
            None => {
                let started = Server::start(self.subjects[index], self.programs, self.demand)?;
                server.insert(started)
            }
        };
        measure(report, self.case, server, self.options.seconds, self.rate)
    }
}

impl Case {
    /// What it asks of a server, with so many steps for a task that computes.
    fn demand(&self, steps: u64) -> Demand {
        Demand {
            connections: match self.load {
                // A download of its own connection each; the one before may still be closing.
                Load::Download => 2,
                load => load.connections(),
            },
            busy: if self.busy { steps } else { 0 },
            tls: self.tls,
        }
    }
}
