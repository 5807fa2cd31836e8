//! The programs of [`toolchain`] in one, for a checkout of this repository, where rustc alone compiles it before Cargo compiles
//! anything: `ci/toolchain/program`. The first argument names the program.

use std::process::ExitCode;

mod toolchain;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if toolchain::link::is_asked() {
        return toolchain::link::run(arguments.collect());
    }
    let program = arguments.next().unwrap_or_default();
    match program.to_str() {
        Some("solo5-rustc") => toolchain::rustc::run(arguments.collect()),
        Some("solo5-rustdoc") => toolchain::rustdoc::run(arguments.collect()),
        Some("solo5-cc") => toolchain::cc::run(arguments.collect()),
        _ => toolchain::fail(&format!("no program {program:?}")),
    }
}
