//! std in a unikernel at its limits. The first argument names the case.

mod everything;
mod exhausted;

use std::process::ExitCode;

use mkernel as _;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match &arguments[..] {
        [case, seed, threads] if case == "everything" => {
            let seed = seed.parse().expect("a number");
            everything::run(seed, threads.parse().expect("a number"));
            Ok(())
        }
        [case] if case == "descriptors" => exhausted::descriptors(),
        [case] if case == "memory" => exhausted::memory(),
        [case] if case == "poisoned" => {
            exhausted::poisoned();
            Ok(())
        }
        other => {
            eprintln!("no case {other:?}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = done {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    println!("SUCCESS");
    ExitCode::SUCCESS
}
