//! Runs the rows of a table, one after the other.

// Every program of this workspace is a unikernel.
use nolibc as _;

use std::panic;
use std::process::ExitCode;

/// The name of a crate, and what shows that it runs: a function that panics if it does not.
pub type Row = (&'static str, fn());

/// Runs the rows named by the arguments, or all, and prints `NAME: ok` or `NAME: failed` for each; `--list` prints the
/// names instead.
pub fn run(rows: &[Row]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--list"] {
        rows.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|given| given == name);
    let mut status = ExitCode::SUCCESS;
    for (name, row) in rows.iter().filter(|(name, _)| wanted(name)) {
        if panic::catch_unwind(row).is_ok() {
            println!("{name}: ok");
        } else {
            println!("{name}: failed");
            status = ExitCode::FAILURE;
        }
    }
    status
}
