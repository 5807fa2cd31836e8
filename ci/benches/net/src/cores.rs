//! The protocol cores alone: instructions for each segment, and goodput under loss in virtual time.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::report::Report;
use crate::subjects::{Subject, beside_us};

/// Segments of the two runs whose difference is counted: what happens once drops out.
const RUNS: [u32; 2] = [1600, 9600];
/// Virtual time of a transfer.
const SECONDS: &str = "20";

/// Subjects by their names in the reports and in `proto`.
const SUBJECTS: [(Subject, &str); 2] = [
    (Subject::Mkernel, "netstack"),
    (Subject::Smoltcp, "smoltcp"),
];

pub fn run(report: &mut Report, is_wanted: fn(&str) -> bool) -> Result<()> {
    for (direction, case) in [("in", "segment-in"), ("out", "segment-out")] {
        if !is_wanted(case) {
            continue;
        }
        let peer = instructions("none", direction)?;
        for (subject, name) in SUBJECTS {
            let count = instructions(name, direction)? - peer;
            report.add(case, subject.name(), "instructions", count);
        }
        eprintln!("{case}: done");
    }
    for percent in ["1", "5"] {
        let case = format!("loss-{percent}");
        if !is_wanted(&case) {
            continue;
        }
        for (subject, name) in SUBJECTS {
            let output = Command::new(beside_us("proto")?)
                .args(["loss", name, percent, SECONDS])
                .output()?;
            ensure!(
                output.status.success(),
                "{case}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let rate = String::from_utf8_lossy(&output.stdout).trim().parse()?;
            report.add(&case, subject.name(), "gbit_per_s", rate);
        }
        eprintln!("{case}: done");
    }
    Ok(())
}

/// Instructions for one segment, the peer's and the device's part included.
fn instructions(subject: &str, direction: &str) -> Result<f64> {
    let mut totals = Vec::new();
    for count in RUNS {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(beside_us("proto")?)
            .args(["segments", subject, direction, &count.to_string()])
            .output()
            .context("valgrind")?;
        let text = String::from_utf8_lossy(&output.stderr);
        let total = text.lines().find_map(|line| line.split_once("Collected :"));
        let (_, total) = total.with_context(|| format!("callgrind counted nothing: {text}"))?;
        totals.push(total.trim().parse::<f64>()?);
    }
    Ok((totals[1] - totals[0]) / f64::from(RUNS[1] - RUNS[0]))
}
