//! The program `solo5-rustdoc`: documentation, and its tests, for the targets as [`rustc`](super::rustc) compiles for them.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use super::{Abi, become_command, command_of, flags, for_base};

/// Runs rustdoc (`SOLO5_RUSTDOC` if set) with the arguments changed.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut rustdoc = command_of("SOLO5_RUSTDOC").unwrap_or_else(|| Command::new("rustdoc"));
    let Some(abi) = Abi::of_arguments(&arguments) else {
        rustdoc.args(arguments);
        return become_command(rustdoc);
    };
    let mut flags = flags::compile(abi);
    if arguments.iter().any(|argument| argument == "--test") {
        flags.extend(flags::link(abi, Some(flags::TEST_STACK), b"doctest", false));
    }
    rustdoc.args(for_base(arguments)).args(flags);
    become_command(rustdoc)
}
