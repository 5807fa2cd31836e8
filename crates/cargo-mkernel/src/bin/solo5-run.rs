//! `solo5-run`: boots a unikernel, for `cargo run`, `cargo test` and `cargo bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_mkernel::run::run(std::env::args_os().skip(1).collect())
}
