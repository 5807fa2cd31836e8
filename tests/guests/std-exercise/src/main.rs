//! Exercises std in a unikernel. The first argument names the case; `all` runs every case that
//! returns, and the others end the program in a way of their own.

mod cases;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((case, rest)) = arguments.split_first() else {
        eprintln!(
            "expected a case: all, {}",
            cases::ENDS.map(|(name, _)| name).join(", ")
        );
        return ExitCode::from(2);
    };
    if case == "all" {
        for (name, run) in cases::RETURNS {
            run();
            println!("ok: {name}");
        }
        println!("SUCCESS");
        return ExitCode::SUCCESS;
    }
    let Some((_, run)) = cases::ENDS.iter().find(|(name, _)| name == case) else {
        eprintln!("no case {case:?}");
        return ExitCode::from(2);
    };
    run(rest)
}
