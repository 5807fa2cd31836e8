//! `solo5-cc`: see [`toolchain::cc`].

use std::process::ExitCode;

use cargo_mkernel::toolchain;

fn main() -> ExitCode {
    toolchain::cc::run(std::env::args_os().skip(1).collect())
}
