//! The programs of [`toolchain`] in one, for a checkout of this repository, where rustc alone compiles it before Cargo compiles
//! anything: `ci/toolchain/program`. The first argument names the program.

use std::process::ExitCode;

mod toolchain;

fn main() -> ExitCode {
    let all: Vec<_> = std::env::args_os().skip(1).collect();
    if toolchain::link::is_asked(&all) {
        return toolchain::link::run(all);
    }
    let mut arguments = all.into_iter();
    let program = arguments.next().unwrap_or_default();
    let arguments = arguments.collect();
    match program.to_str() {
        Some("solo5-rustc") => toolchain::rustc::run(arguments),
        Some("solo5-rustdoc") => toolchain::rustdoc::run(arguments),
        Some("solo5-cc") => toolchain::cc::run(arguments),
        _ => toolchain::fail(&format!("no program {program:?}")),
    }
}
