//! `ci/bench memory`: what a connection costs in memory, in each state, beside Linux's and smoltcp's;
//! and the least memory of a unikernel that holds so many.
//!
//! `memory-bench [--json FILE] [connections] [COUNT...]`: the states alone, or the least memory for
//! these counts of connections; without either, both.

mod boots;
mod counting;
mod frames;
mod linux;
mod ours;
mod peer_smoltcp;

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};
use bench_common::{Report, network};

const COUNTS: [usize; 4] = [64, 1000, 10_000, 100_000];
/// Rounds of what other programs on the machine may disturb.
const ROUNDS: usize = 3;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1).peekable();
    let mut file = None;
    if arguments.next_if(|it| it == "--json").is_some() {
        file = arguments.next().map(PathBuf::from);
    }
    let wanted: Vec<String> = arguments.collect();
    let mut counts = Vec::new();
    for count in wanted.iter().filter(|it| *it != "connections") {
        counts.push(count.parse().context(count.clone())?);
    }
    if wanted.is_empty() {
        counts = COUNTS.into();
    }
    let mut report = Report::default();
    network::enter_namespace()?;
    if wanted.is_empty() || wanted.iter().any(|it| it == "connections") {
        ours::measure(&mut report)?;
        peer_smoltcp::measure(&mut report);
        for _ in 0..ROUNDS {
            linux::measure(&mut report)?;
        }
    }
    boots::measure(&mut report, &counts)?;
    report.print_rows();
    file.map_or(Ok(()), |file| report.save(&file))
}
