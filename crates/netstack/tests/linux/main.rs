//! The stack against the Linux kernel, over a TAP interface in a network namespace of its own,
//! through a link that loses, doubles and reorders frames.
//!
//! The file runs itself again inside `unshare`, so nothing outside is touched. It needs root or
//! user namespaces, `/dev/net/tun`, `ip` and, for the check of the captures, `tshark`.
//!
//! - `namespace`: the namespace and its TAP interfaces
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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in scenarios() {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    if let Err(reason) = namespace::enter() {
        eprintln!("the Linux kernel as peer cannot be had here: {reason}");
        return ExitCode::FAILURE;
    }
    let filter = arguments
        .into_iter()
        .find(|argument| !argument.starts_with('-'));
    let (mut passed, mut failed) = (0, 0);
    println!("{:<34} {:>8}  result", "scenario", "seconds");
    for (name, run) in scenarios() {
        if filter
            .as_ref()
            .is_some_and(|filter| !name.contains(filter.as_str()))
        {
            continue;
        }
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(run));
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(text) => {
                passed += 1;
                println!("{name:<34} {seconds:>8.2}  {text}");
            }
            Err(_) => {
                failed += 1;
                println!("{name:<34} {seconds:>8.2}  FAILED");
            }
        }
    }
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
