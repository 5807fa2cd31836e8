//! `ci/bench path`: what netstack's congestion controllers make of a bottleneck, in virtual time and
//! from seeds: the same figures at each run.
//!
//! The cases `linux-…` have the kernel as peer, in real time: they run when they are asked for.
//!
//! `path-bench [--json FILE] [--rounds SEEDS] [--seconds N] [--case PART]... [--subject NAME]...`

mod cases;
mod linux;

#[path = "../../../../crates/netstack/tests/path/mod.rs"]
mod path;
#[path = "../../../../crates/netstack/tests/sim/mod.rs"]
mod sim;

use anyhow::Result;
use bench_common::{Options, Report};

fn main() -> Result<()> {
    let options = Options::parse(3, 30, &[])?;
    let subjects = ["cubic", "new-reno", "bbr", "linux"];
    options.check_subjects(&subjects)?;
    let mut report = Report::default();
    for (case, make) in cases::all() {
        if !options.wants(&case) {
            continue;
        }
        for (subject, congestion) in cases::SUBJECTS {
            if options.wants_subject(subject) {
                for seed in 0..options.rounds as u64 {
                    let outcome = make(congestion, options.seconds).run(seed);
                    for (metric, value) in cases::metrics(&case, &outcome) {
                        report.add(&case, subject, metric, value);
                    }
                }
            }
        }
        eprintln!("{case}: done");
    }
    linux::run(&options, &mut report)?;
    report.print_table(&subjects, &[]);
    match &options.json {
        Some(file) => report.save(file),
        None => Ok(()),
    }
}
