//! What Cargo runs in place of rustc, rustdoc and the C compiler, so that `--target x86_64-solo5-hvt` and `-spt` work with stable
//! Rust and no target of rustup's.
//!
//! This module uses `std` alone and nothing else of the package: in a checkout rustc compiles it by itself (`bootstrap.rs`).

mod argfile;
pub mod cc;
mod flags;
mod frames;
mod headers;
mod left_out;
pub mod link;
mod missing;
mod object;
pub mod rustc;
pub mod rustdoc;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, ExitStatus};

/// The target of `std`, and of all code, on which ours are built.
const BASE: &str = "x86_64-unknown-linux-gnu";

/// The oldest Rust that compiles unikernels; nothing where Cargo did not compile this.
pub const MINIMUM_RUST: Option<&str> = option_env!("CARGO_PKG_RUST_VERSION");

/// What a unikernel is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abi {
    Hvt,
    Spt,
}

impl Abi {
    const fn name(self) -> &'static str {
        match self {
            Self::Hvt => "hvt",
            Self::Spt => "spt",
        }
    }

    fn of_target(name: &[u8]) -> Option<Self> {
        match name {
            b"x86_64-solo5-hvt" => Some(Self::Hvt),
            b"x86_64-solo5-spt" => Some(Self::Spt),
            _ => None,
        }
    }

    /// That of the `--target` among the arguments, if it is one of ours.
    fn of_arguments(arguments: &[OsString]) -> Option<Self> {
        Self::of_target(target(arguments))
    }
}

/// What `--target` names among the arguments; empty without one.
fn target(arguments: &[OsString]) -> &[u8] {
    let mut previous: &[u8] = b"";
    for argument in arguments.iter().map(|argument| argument.as_bytes()) {
        if previous == b"--target" {
            return argument;
        }
        if let Some(name) = argument.strip_prefix(b"--target=") {
            return name;
        }
        previous = argument;
    }
    b""
}

/// The arguments with the target that rustc knows in place of ours.
fn for_base(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut previous_is_target = false;
    let mut changed = Vec::new();
    for argument in arguments {
        let bytes = argument.as_bytes();
        let name = bytes.strip_prefix(b"--target=").unwrap_or(bytes);
        let named = previous_is_target || name.len() != bytes.len();
        previous_is_target = bytes == b"--target";
        changed.push(match Abi::of_target(name) {
            Some(_) if named && name.len() == bytes.len() => BASE.into(),
            Some(_) if named => format!("--target={BASE}").into(),
            _ => argument,
        });
    }
    changed
}

/// A command of the words in an environment variable, such as `ccache gcc`, if there are any; a file's path is one word.
fn command_of(variable: &str) -> Option<Command> {
    let value = std::env::var_os(variable)?;
    if std::path::Path::new(&value).is_file() {
        return Some(Command::new(value));
    }
    let mut words = value
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(OsStr::from_bytes);
    let mut command = Command::new(words.next()?);
    command.args(words);
    Some(command)
}

/// Becomes the command; comes back only if that cannot be run.
fn become_command(mut command: Command) -> ExitCode {
    let error = command.exec();
    fail(&format!("cannot run {:?}: {error}", command.get_program()))
}

fn succeeded(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    }
}

/// Prints an error as rustc does, which Cargo shows.
pub fn fail(message: &str) -> ExitCode {
    // A closed stderr is nobody's loss.
    let _ = writeln!(std::io::stderr(), "error: {message}");
    ExitCode::FAILURE
}

/// The two first numbers of `rustc 1.95.0 (...)`, or of a version alone.
#[must_use]
pub fn version(line: &str) -> Option<(u32, u32)> {
    let number = line.strip_prefix("rustc ").unwrap_or(line);
    let mut parts = number.split(['.', '-', ' ']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether `text` is somewhere in `octets`.
fn contains(octets: &[u8], text: &[u8]) -> bool {
    octets.windows(text.len()).any(|part| part == text)
}

/// `prefix` and then `text`, which need not be UTF-8.
fn joined(prefix: &str, text: &OsStr) -> OsString {
    OsString::from_vec([prefix.as_bytes(), text.as_bytes()].concat())
}
