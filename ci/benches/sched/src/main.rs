//! miou-rs beside other single-threaded executors, in one run.
//!
//! The parent process measures nothing: it starts a child for each case,
//! subject and round, one subject after another within a round, so that what
//! disturbs the machine disturbs all alike and no subject inherits another's
//! heap. It prints the medians in one table, and writes all as JSON.
//!
//! ```text
//! sched-bench [--rounds N] [--case PREFIX] [--subject NAME] [--json FILE]
//! sched-bench child CASE SUBJECT COMPUTE_LOOPS
//! sched-bench instructions [--case PREFIX] [--subject NAME]
//! ```

use std::process::ExitCode;

mod parent;
mod table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "child" => parent::child(rest),
        _ => parent::run(&arguments),
    }
}
