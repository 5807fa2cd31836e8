//! `ci/bench std`: what threads of std cost in a unikernel under `solo5-spt`, and in the same program on Linux, each on one
//! processor: nanoseconds, and the memory of a thread that waits; what files cost, in memory and on a disk, beside tmpfs and the
//! file system that the folder for temporary files is in; how a service of axum answers, in either.

mod todo;

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use bench_common::server::SERVER;
use bench_common::{Options, Ratio, Report, build};

const SUBJECTS: [&str; 2] = ["mkernel", "linux"];
const CASES: [&str; 13] = [
    "spawn-join",
    "mutex-free",
    "mutex-contended",
    "yield",
    "park-unpark",
    "channel",
    "condition",
    "file-memory",
    "write-memory",
    "read-memory",
    "file-disk",
    "write-disk",
    "read-disk",
];
/// Octets of the disk.
const DISK: u64 = 256 << 20;
const IDLE: &str = "idle-thread";
/// How many threads wait, in the greater of two runs whose difference counts.
const THREADS: u64 = 100;

fn main() -> Result<()> {
    let options = Options::parse(5, 1, &[])?;
    options.check_subjects(&SUBJECTS)?;
    let mut subjects = SUBJECTS.to_vec();
    subjects.retain(|it| options.wants_subject(it));
    let tender = build::tender(&build::repository(), "solo5-spt")?;
    let mut report = Report::default();
    if CASES
        .into_iter()
        .chain([IDLE])
        .any(|case| options.wants(case))
    {
        threads(&mut report, &options, &subjects, &tender)?;
    }
    todo::measure(&mut report, &options, &subjects, &tender)?;
    let title = "/ linux";
    let to = &SUBJECTS[1..];
    report.print_table(&subjects, &[Ratio { title, to }]);
    report.print_rows();
    options.json.map_or(Ok(()), |file| report.save(&file))
}

fn threads(
    report: &mut Report,
    options: &Options,
    subjects: &[&'static str],
    tender: &Path,
) -> Result<()> {
    let image = env::temp_dir().join("std-bench.disk");
    let mut programs = Vec::new();
    for subject in subjects {
        let target = match *subject {
            "linux" => "x86_64-unknown-linux-gnu",
            _ => "x86_64-solo5-spt",
        };
        let program = build::guest(&build::repository(), "std", target)?;
        programs.push((*subject, program));
    }
    for _ in 0..options.rounds {
        for case in CASES.into_iter().filter(|case| options.wants(case)) {
            for (subject, program) in &programs {
                let mut command = command(tender, subject, program, &image)?;
                let output = SERVER.output(command.args([case, &options.seconds.to_string()]))?;
                let text = String::from_utf8(output)?;
                let figure = text.trim().parse();
                let figure =
                    figure.with_context(|| format!("{case}: {text:?}: expected a number"))?;
                report.add(case, subject, "ns", figure);
            }
        }
        for (subject, program) in programs.iter().filter(|_| options.wants(IDLE)) {
            let [few, many] = [1, 1 + THREADS].map(|threads| {
                let mut command = command(tender, subject, program, &image)?;
                resident(command.args(["idle", &threads.to_string()]))
            });
            let bytes = many?.saturating_sub(few?) / THREADS;
            report.add(IDLE, subject, "bytes", bytes as f64);
        }
    }
    // There is none if Linux alone takes part.
    let _ = fs::remove_file(&image);
    Ok(())
}

/// With a new disk.
fn command(tender: &Path, subject: &str, program: &Path, image: &Path) -> Result<Command> {
    let mut command = match subject {
        "linux" => Command::new(program),
        _ => {
            File::create(image)?.set_len(DISK)?;
            let mut command = Command::new(tender);
            command
                .args([
                    "--mem=512",
                    &format!("--block:storage={}", image.display()),
                    "--",
                ])
                .arg(program)
                .arg("--solo5:quiet");
            command
        }
    };
    command.current_dir(env::temp_dir());
    Ok(command)
}

/// The memory of the process once it says that it is ready.
fn resident(command: &mut Command) -> Result<u64> {
    let mut process = SERVER.process(command.stdout(Stdio::piped()))?;
    let output = process.child().stdout.take().context("no pipe")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let resident = process.resident();
    process.child().kill()?;
    process.child().wait()?;
    ensure!(line.trim() == "ready", "{line:?}: expected `ready`");
    resident
}
