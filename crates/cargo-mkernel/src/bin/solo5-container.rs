//! `solo5-container`: what a container with a tender starts with.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_mkernel::container::run(std::env::args_os().skip(1).collect())
}
