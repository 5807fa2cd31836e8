//! `cargo mkernel`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_mkernel::command::run(std::env::args_os())
}
