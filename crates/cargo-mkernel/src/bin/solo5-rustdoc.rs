//! `solo5-rustdoc`: see [`toolchain::rustdoc`].

use std::process::ExitCode;

use cargo_mkernel::toolchain;

fn main() -> ExitCode {
    toolchain::rustdoc::run(std::env::args_os().skip(1).collect())
}
