//! The stack against the Linux kernel, over a TAP interface in a network namespace of its own,
//! through a link that loses, doubles and reorders frames.
//!
//! The file runs itself again inside `unshare` for each scenario, so nothing outside is touched and no
//! scenario sees what another left. It needs root or user namespaces, `/dev/net/tun`, `ip` and, for the
//! check of the captures, `tshark`.
//!
//! Transfers are a tenth as long as with the argument `--long`, which `ci/long linux` gives.
//!
//! Scenarios of `transfer`, `attack`, `stall`, `path` and `crossing` run over IPv4 and, under names that end so, over
//! IPv6.
//!
//! - `family`: over which a scenario runs
//! - `namespace`: the namespaces and their TAP interfaces
//! - `link`: the lossy link, captures, a look at passing segments
//! - `host`: a thread that runs a stack and a server on it
//! - `stream`: the octets that are transferred, from a seed
//! - `transfer`: the matrix of loss and MTU; many connections
//! - `attack`: floods and forged segments
//! - `stall`: windows that close, peers that vanish
//! - `datagrams`: UDP, ICMP, fragments
//! - `ipv6`: the same over IPv6
//! - `multicast`: groups, as the kernel's bridge sees them
//! - `path`: a path that is narrower than the link, whose routers say so, or do not
//! - `routers`: radvd and dnsmasq as router and DHCPv6 server
//! - `crossing`: simultaneous close and open; many connections from the stack
//! - `capture`: what tshark says of the captures

mod attack;
mod capture;
mod crossing;
mod datagrams;
mod family;
mod host;
mod ipv6;
mod link;
mod multicast;
mod namespace;
mod path;
mod routers;
mod stall;
mod stream;
mod transfer;

#[path = "../../examples/tap/mod.rs"]
mod tap;

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use namespace::Namespaces;

/// A named scenario. It panics when something is wrong, and returns what the table shows.
type Scenario = (&'static str, fn() -> String);

/// Those that run over either family, but not those that are about congestion control alone.
fn of_both_families() -> Vec<Scenario> {
    [
        transfer::SCENARIOS,
        stall::SCENARIOS,
        attack::SCENARIOS,
        path::SCENARIOS,
        crossing::SCENARIOS,
    ]
    .concat()
}

fn runs_over_v6(name: &str) -> bool {
    !name.contains("-bbr-")
}

fn scenarios() -> Vec<Scenario> {
    let both = of_both_families();
    let over_v6 = both.iter().filter(|(name, _)| runs_over_v6(name));
    let over_v6 = over_v6.map(|(name, run)| (&*family::v6_name(name).leak(), *run));
    [
        &both[..],
        &over_v6.collect::<Vec<_>>(),
        datagrams::SCENARIOS,
        ipv6::SCENARIOS,
        multicast::SCENARIOS,
        routers::SCENARIOS,
        // When all others have ended, since it looks at what they captured.
        capture::SCENARIOS,
    ]
    .concat()
}

fn main() -> ExitCode {
    if let Some(name) = namespace::inside() {
        return run(&name);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option| arguments.iter().any(|argument| argument == option);
    let (listed, long) = (has("--list"), has("--long"));
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
    match all(names, long) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("the Linux kernel as peer cannot be had here: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Scenarios that run at once: most of them wait most of the time.
const AT_ONCE: usize = 4;

/// Runs scenarios, each in a namespace of its own; returns how many failed.
fn all(names: impl Iterator<Item = &'static str>, long: bool) -> Result<usize, String> {
    let namespaces = Namespaces::new(long)?;
    println!("{:<34} {:>8}  result", "scenario", "seconds");
    let is_last = |name: &&str| capture::SCENARIOS.iter().any(|(last, _)| last == name);
    let (last, first): (Vec<_>, Vec<_>) = names.partition(is_last);
    let mut results = at_once(&namespaces, first)?;
    results.extend(at_once(&namespaces, last)?);
    let passed = results.iter().filter(|result| **result).count();
    let failed = results.len() - passed;
    println!("\n{passed} passed, {failed} failed");
    Ok(failed)
}

/// Runs scenarios side by side; whether each succeeded.
fn at_once(namespaces: &Namespaces, names: Vec<&str>) -> Result<Vec<bool>, String> {
    let names = Mutex::new(names.into_iter());
    let next = || names.lock().expect("no panic").next();
    let work = || iter::from_fn(next).map(|name| namespaces.run(name));
    std::thread::scope(|scope| {
        let worker = |_| scope.spawn(|| work().collect::<Result<Vec<_>, _>>());
        let workers: Vec<_> = (0..AT_ONCE).map(worker).collect();
        let results = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"));
        results
            .collect::<Result<Vec<_>, _>>()
            .map(|results| results.concat())
    })
}

/// Runs one scenario in this process.
fn run(name: &str) -> ExitCode {
    let scenarios = scenarios();
    let (name, run) = scenarios
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a name of the list");
    if of_both_families()
        .iter()
        .any(|(it, _)| family::v6_name(it) == *name)
    {
        family::choose_v6();
    }
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
