//! Exercises std's threads in a unikernel. The first argument names the case; `all` runs every case that returns, and the
//! others end the program in a way of their own.

mod c;
mod ends;
mod returns;

use std::process::ExitCode;

use mkernel as _;

fn main() -> ExitCode {
    let case = std::env::args().nth(1).unwrap_or_default();
    if case == "all" {
        for (name, run) in returns::CASES {
            run();
            println!("ok: {name}");
        }
        println!("SUCCESS");
        return ExitCode::SUCCESS;
    }
    let Some((_, run)) = ends::CASES.iter().find(|(name, _)| *name == case) else {
        eprintln!("no case {case:?}");
        return ExitCode::from(2);
    };
    run();
    ExitCode::SUCCESS
}
