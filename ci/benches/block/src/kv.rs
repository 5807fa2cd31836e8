//! `examples/kv` and Redis, with the same client.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use bench_common::{Process, Report, Start, build, network};
use serde_json::Value;

use crate::{Bench, CLIENT, SERVER, connect};

const CONNECTIONS: [&str; 2] = ["8", "64"];
const KEYS: &str = "100000";
const OCTETS: &str = "100";
/// Memory of the unikernel, in MiB; Redis may have what it wants.
const MEMORY: &str = "--mem=256";
const CACHE: &str = "--cache=100000000";

pub(crate) fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let wanted = |clients: &&str| bench.options.wants(&format!("kv-{clients}"));
    let wanted: Vec<&str> = CONNECTIONS.into_iter().filter(wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let redis = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    ensure!(redis.is_ok(), "no redis-server: ci/setup redis-server");
    for clients in wanted {
        let case = format!("kv-{clients}");
        for _ in 0..bench.options.rounds {
            for subject in ["mkernel", "redis-always", "redis-everysec"] {
                if bench.options.wants_subject(subject) {
                    one(bench, report, &case, subject, clients)?;
                }
            }
        }
        eprintln!("{case}: done");
    }
    Ok(())
}

fn one(bench: &Bench, report: &mut Report, case: &str, subject: &str, clients: &str) -> Result<()> {
    let namespace = network::Namespace::new()?;
    let (_server, protocol, address) = match subject {
        "mkernel" => {
            network::add_tap("kv0", 1, 1500)?;
            (
                unikernel(bench)?,
                "http",
                SocketAddr::from((network::served(1), 80)),
            )
        }
        _ => {
            network::add_veth("kv1", 2, 1500, &namespace)?;
            let policy = subject.trim_start_matches("redis-");
            let address = SocketAddr::from((network::served(2), 6379));
            (redis(bench, policy, &namespace)?, "redis", address)
        }
    };
    drop(connect(address)?);
    let seconds = bench.options.seconds.to_string();
    let mut command = Command::new(build::beside_us("put")?);
    command.args([
        protocol,
        &address.to_string(),
        clients,
        KEYS,
        OCTETS,
        &seconds,
    ]);
    let metrics: Value = serde_json::from_slice(&CLIENT.output(&mut command)?)?;
    for metric in ["put_per_s", "p50_us", "p99_us"] {
        let Some(value) = metrics[metric].as_f64() else {
            bail!("{case}: no {metric} of {subject}");
        };
        report.add(case, subject, metric, value);
    }
    Ok(())
}

fn unikernel(bench: &Bench) -> Result<Process> {
    let image = bench.blank_image("kv")?;
    let mut command = Command::new(&bench.tender);
    command
        .args([MEMORY, "--net:service=kv0"])
        .arg(format!("--block:data={}", image.display()))
        .arg(&bench.kv)
        .args(["--solo5:quiet", CACHE])
        .arg(format!("--ipv4={}/24", network::served(1)))
        .stdout(Stdio::null());
    SERVER.process(&mut command)
}

fn redis(bench: &Bench, policy: &str, namespace: &network::Namespace) -> Result<Process> {
    let folder = bench.folder.join("redis");
    // Of the run before, where there was one.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut command = Command::new("redis-server");
    command
        .args([
            "--appendonly",
            "yes",
            "--save",
            "",
            "--protected-mode",
            "no",
        ])
        .args(["--appendfsync", policy])
        .args(["--bind", &network::served(2).to_string()])
        .arg("--dir")
        .arg(folder)
        .stdout(Stdio::null());
    let namespace = Some(namespace);
    Start {
        namespace,
        ..SERVER
    }
    .process(&mut command)
}
