//! `solo5-rustc`: see [`toolchain::rustc`].

use std::process::ExitCode;

use cargo_mkernel::toolchain;

fn main() -> ExitCode {
    toolchain::rustc::run(std::env::args_os().skip(1).collect())
}
