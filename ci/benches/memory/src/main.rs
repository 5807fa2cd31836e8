//! `ci/bench memory`: what a connection costs in memory, in each state, beside Linux's and smoltcp's;
//! and the least memory of a unikernel that holds so many.
//!
//! `memory-bench [--json FILE] [connections|boots]`

mod counting;
mod frames;
mod ours;
mod peer_smoltcp;
mod report;

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::report::Report;

fn main() -> Result<()> {
    let mut report = Report::default();
    ours::measure(&mut report)?;
    peer_smoltcp::measure(&mut report);
    report.print();
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [option, file, ..] = &arguments[..]
        && option == "--json"
    {
        report.save(&PathBuf::from(file))?;
    }
    Ok(())
}
