//! Reads and writes of one size, one by one and 32 at a time.

use std::path::Path;
use std::process::Command;
use std::str;

use anyhow::{Context, Result};
use bench_common::{Report, build};
use serde_json::Value;

use crate::{Bench, IMAGE, SERVER};

const CASES: [&str; 7] = [
    "seq-read-4k",
    "rand-read-4k",
    "seq-write-4k",
    "rand-write-4k",
    "seq-read-1m",
    "seq-write-1m",
    "sync-write-4k",
];
/// Requests at a time, in the cases whose names say so.
const DEPTH: &str = "32";

pub(crate) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut image = None;
    for case in CASES {
        for (suffix, depth, peer) in [("", "1", "linux"), ("-qd32", DEPTH, "io_uring")] {
            let name = format!("{case}{suffix}");
            if !bench.options.wants(&name) {
                continue;
            }
            let image = match &image {
                Some(image) => image,
                None => image.insert(bench.image("raw")?),
            };
            for _ in 0..bench.options.rounds {
                for subject in ["mkernel", peer] {
                    if !bench.options.wants_subject(subject) {
                        continue;
                    }
                    let per_second = match subject {
                        "mkernel" => unikernel(bench, image, case, depth)?,
                        "linux" => linux(bench, image, case)?,
                        _ => fio(bench, image, case)?,
                    };
                    add(report, case, &name, subject, per_second);
                }
            }
            eprintln!("{name}: done");
        }
    }
    Ok(())
}

fn add(report: &mut Report, case: &str, name: &str, subject: &str, per_second: f64) {
    if case.starts_with("sync") {
        report.add(name, subject, "per_s", per_second);
    } else {
        let rate = per_second * octets(case) as f64 / 1e6;
        report.add(name, subject, "mb_per_s", rate);
    }
}

fn octets(case: &str) -> u64 {
    if case.ends_with("1m") {
        1 << 20
    } else {
        4 << 10
    }
}

/// The block size is that of the case, as far as Solo5 has it: one request is one hypercall.
fn unikernel(bench: &Bench, image: &Path, case: &str, depth: &str) -> Result<f64> {
    let block = octets(case).min(32 << 10);
    let mut command = Command::new(&bench.tender);
    command
        .arg(format!("--block:disk={}", image.display()))
        .arg(format!("--block-sector-size:disk={block}"))
        .arg("--mem=128")
        .arg(&bench.block_load)
        .arg("--solo5:quiet")
        .args([case, depth, &bench.options.seconds.to_string()]);
    rate(&SERVER.output(&mut command)?)
}

fn linux(bench: &Bench, image: &Path, case: &str) -> Result<f64> {
    let mut command = Command::new(build::beside_us("peer")?);
    command
        .arg(image)
        .args([case, &bench.options.seconds.to_string()]);
    rate(&SERVER.output(&mut command)?)
}

/// Operations in a second, of a line of operations and nanoseconds.
fn rate(printed: &[u8]) -> Result<f64> {
    let printed = str::from_utf8(printed)?;
    let parse = || {
        let (operations, nanoseconds) = printed.trim().split_once(' ')?;
        Some((
            operations.parse::<f64>().ok()?,
            nanoseconds.parse::<f64>().ok()?,
        ))
    };
    let (operations, nanoseconds) = parse().with_context(|| format!("printed {printed:?}"))?;
    Ok(operations / (nanoseconds / 1e9))
}

fn fio(bench: &Bench, image: &Path, case: &str) -> Result<f64> {
    let direction = if case.contains("write") {
        "write"
    } else {
        "read"
    };
    let order = if case.starts_with("seq") { "" } else { "rand" };
    let mut command = Command::new("fio");
    command
        .args([
            "--name=peer",
            "--ioengine=io_uring",
            "--time_based",
            "--output-format=json",
            // The file stays in the page cache, as for the others.
            "--invalidate=0",
        ])
        .arg(format!("--iodepth={DEPTH}"))
        .arg(format!("--filename={}", image.display()))
        .arg(format!("--rw={order}{direction}"))
        .arg(format!("--bs={}", octets(case)))
        .arg(format!("--size={IMAGE}"))
        .arg(format!("--runtime={}", bench.options.seconds));
    if case.starts_with("sync") {
        command.arg("--fdatasync=1");
    }
    let printed = SERVER.output(&mut command)?;
    let report: Value = serde_json::from_slice(&printed)?;
    let rate = report["jobs"][0][direction]["iops"].as_f64();
    rate.context("fio says nothing of operations in a second")
}
