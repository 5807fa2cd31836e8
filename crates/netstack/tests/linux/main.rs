//! The stack against the Linux kernel, over a TAP interface in a network namespace of its own,
//! through a link that loses, doubles and reorders frames.
//!
//! The file runs itself again inside `unshare` for each scenario, so nothing outside is touched and no
//! scenario sees what another left. It needs root or user namespaces, `/dev/net/tun`, `ip` and, for the
//! check of the captures, `tshark`.
//!
//! - `namespace`: the namespaces and their TAP interfaces
//! - `link`: the lossy link, captures, a look at passing segments
//! - `host`: a thread that runs a stack and a server on it
//! - `stream`: the octets that are transferred, from a seed
//! - `transfer`: the matrix of loss and MTU; many connections
//! - `attack`: floods and forged segments
//! - `stall`: windows that close, peers that vanish
//! - `datagrams`: UDP, ICMP, fragments
//! - `path`: a path that is narrower than the link, whose routers say so, or do not
//! - `crossing`: simultaneous close and open; many connections from the stack
//! - `capture`: what tshark says of the captures

mod attack;
mod capture;
mod crossing;
mod datagrams;
mod host;
mod link;
mod namespace;
mod path;
mod stall;
mod stream;
mod transfer;

#[path = "../../examples/tap/mod.rs"]
mod tap;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

/// A named scenario. It panics when something is wrong, and returns what the table shows.
type Scenario = (&'static str, fn() -> String);

fn scenarios() -> Vec<Scenario> {
    [
        transfer::SCENARIOS,
        stall::SCENARIOS,
        attack::SCENARIOS,
        datagrams::SCENARIOS,
        path::SCENARIOS,
        crossing::SCENARIOS,
        // Last, since it looks at what the others captured.
        capture::SCENARIOS,
    ]
    .concat()
}

fn main() -> ExitCode {
    if let Some(name) = namespace::inside() {
        return run(&name);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let listed = arguments.iter().any(|argument| argument == "--list");
    let filter = arguments
        .into_iter()
        .find(|argument| !argument.starts_with('-'))
        .unwrap_or_default();
    let names = scenarios().into_iter().map(|(name, _)| name);
    let names = names.filter(|name| name.contains(&filter));
    if listed {
        names.for_each(|name| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    match all(names) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("the Linux kernel as peer cannot be had here: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Runs scenarios one after the other, each in a namespace of its own; returns how many failed.
fn all(names: impl Iterator<Item = &'static str>) -> Result<usize, String> {
    let namespaces = namespace::Namespaces::new()?;
    println!("{:<34} {:>8}  result", "scenario", "seconds");
    let (mut passed, mut failed) = (0, 0);
    for name in names {
        match namespaces.run(name)? {
            true => passed += 1,
            false => failed += 1,
        }
    }
    println!("\n{passed} passed, {failed} failed");
    Ok(failed)
}

/// Runs one scenario in this process.
fn run(name: &str) -> ExitCode {
    let scenarios = scenarios();
    let (name, run) = scenarios
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a name of the list");
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(run));
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name:<34} {seconds:>8.2}  {}",
        result.as_deref().unwrap_or("FAILED")
    );
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
