//! `ci/bench crypto`: what providers of cryptography for rustls do in a unikernel under `solo5-spt`: handshakes of TLS 1.3 at
//! the server (ECDSA over P-256, X25519, full and resumed), and what it sends on one connection, in memory, without a network.
//!
//! With `--hvt` nothing is measured, as `ci/hvt` may emulate the processor: each provider does everything once there.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use bench_common::{Options, Ratio, Report, SERVER_CPU, Start, build};

const SUBJECTS: [&str; 4] = ["ring", "aws-lc-rs", "graviola", "rustcrypto"];
/// Each with its metric.
const CASES: [(&str, &str); 4] = [
    ("handshake-full", "per_s"),
    ("handshake-resumed", "per_s"),
    ("send-aes-128-gcm", "mb_per_s"),
    ("send-chacha20-poly1305", "mb_per_s"),
];
const HVT: &str = "--hvt";

fn main() -> Result<()> {
    let options = Options::parse(5, 2, &[HVT])?;
    options.check_subjects(&SUBJECTS)?;
    let wanted = SUBJECTS.into_iter().filter(|it| options.wants_subject(it));
    let wanted: Vec<&str> = wanted.collect();
    let root = build::repository();
    if !options.switches.is_empty() {
        let guest = build::guest(&root, "crypto", "x86_64-solo5-hvt")?;
        for subject in wanted {
            println!("{subject}: {}", on_hvt(&root, &guest, subject)?);
        }
        return Ok(());
    }
    let guest = build::guest(&root, "crypto", "x86_64-solo5-spt")?;
    let tender = build::tender(&root, "solo5-spt")?;
    let mut report = Report::default();
    for _ in 0..options.rounds {
        for (case, metric) in CASES.into_iter().filter(|(case, _)| options.wants(case)) {
            for subject in &wanted {
                let seconds = options.seconds.to_string();
                let arguments = [subject, case, &seconds];
                let figure = run(&tender, &guest, &arguments)?;
                report.add(case, subject, metric, figure);
            }
        }
    }
    let ratios = [
        ("/ aws-lc-rs", &SUBJECTS[1..2]),
        ("/ graviola", &SUBJECTS[2..3]),
        ("/ rustcrypto", &SUBJECTS[3..]),
    ];
    report.print_table(&wanted, &ratios.map(|(title, to)| Ratio { title, to }));
    report.print_rows();
    options.json.map_or(Ok(()), |file| report.save(&file))
}

/// The figure that the unikernel prints.
fn run(tender: &Path, guest: &Path, arguments: &[&str]) -> Result<f64> {
    let place = Start {
        cpu: SERVER_CPU,
        namespace: None,
    };
    let mut command = Command::new(tender);
    command.args(["--mem=64", "--"]).arg(guest);
    command.arg("--solo5:quiet").args(arguments);
    let output = String::from_utf8(place.output(&mut command)?)?;
    let figure = output.trim().parse();
    figure.with_context(|| format!("{arguments:?}: {output:?}: expected a number"))
}

/// What comes of doing everything once under hvt.
fn on_hvt(root: &Path, guest: &Path, subject: &str) -> Result<String> {
    let output = Command::new(root.join("ci/hvt"))
        .arg(guest)
        .args(["--mem=64", "--", "--solo5:quiet", subject, "once"])
        .env_remove("RUST_BACKTRACE")
        .current_dir(env::temp_dir())
        .output()
        .context("ci/hvt")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let last = text.trim().lines().last().unwrap_or_default().to_owned();
    Ok(match output.status.success() && last == "ok" {
        true => "works".to_owned(),
        false => format!("does not work: {}: {text}", output.status),
    })
}
