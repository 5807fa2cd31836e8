//! The program `solo5-run`, the runner that `cargo run`, `cargo test` and `cargo bench` boot a unikernel with:
//! `solo5-run UNIKERNEL [[TENDER OPTIONS] --] [GUEST ARGUMENTS]`.
//!
//! Without a `--`, leading arguments that are options of a tender go to the tender and the rest to the guest. Guest arguments are
//! quoted as nolibc unquotes them. The guest's bindings are told to be quiet; `--solo5:debug` as the first guest argument makes
//! them talk.

mod arguments;
mod backtrace;
mod devices;
mod unikernel;

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

pub(crate) use arguments::{Arguments, quoted};
pub use unikernel::{Abi, Unikernel};

const USAGE: &str = "\
usage: solo5-run UNIKERNEL [[TENDER OPTIONS] --] [ARGUMENTS...]
Cargo runs it to boot what it has built, by `runner = \"solo5-run\"` in .cargo/config.toml.
Environment:
  RUST_BACKTRACE         1 or full: a panic of the unikernel shows where it was
  SOLO5_TENDER           the tender to run in place of solo5-spt or solo5-hvt, with no network of this program's choice
  SOLO5_TENDER_OPTIONS   more options for it, separated by spaces
";

/// Becomes the tender; comes back only when there is nothing to run or it cannot be run, which has then been printed.
#[must_use]
pub fn run(mut words: Vec<OsString>) -> ExitCode {
    match words.first() {
        Some(first) if first == "--help" => {
            let _ = std::io::stdout().write_all(USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        None => {
            say("expected the path of a unikernel (try solo5-run --help)");
            return ExitCode::FAILURE;
        }
        Some(_) => {}
    }
    let path = PathBuf::from(words.remove(0));
    boot(&path, words).unwrap_or_else(|message| {
        say(message);
        ExitCode::FAILURE
    })
}

fn boot(path: &Path, words: Vec<OsString>) -> Result<ExitCode, String> {
    let unikernel = Unikernel::read(path)?;
    if let Some(hint) = Arguments::hint(&words, [&unikernel.networks, &unikernel.blocks]) {
        say(hint);
    }
    let mut arguments = Arguments::split(words);
    arguments.options.extend(more_options());
    let tender = match env::var_os("SOLO5_TENDER").filter(|value| !value.is_empty()) {
        Some(tender) => PathBuf::from(tender),
        None => {
            devices::complete(&unikernel, &mut arguments)?;
            installed(unikernel.abi.tender())?
        }
    };
    let mut command = Command::new(&tender);
    let style = backtrace::Style::wanted();
    if style.is_some() {
        arguments.set_variable("RUST_BACKTRACE=full");
    }
    command
        .args(arguments.options)
        .arg("--")
        .arg(path)
        .arg(arguments.line);
    let ended = match style {
        Some(style) => backtrace::run(&mut command, path, style),
        None => Err(command.exec()),
    };
    ended.map_err(|error| format!("cannot run {tender:?}: {error}"))
}

/// The options in `SOLO5_TENDER_OPTIONS`.
fn more_options() -> Vec<OsString> {
    let value = env::var("SOLO5_TENDER_OPTIONS").unwrap_or_default();
    value.split_whitespace().map(OsString::from).collect()
}

/// The program beside this one, otherwise the one on `PATH`.
fn installed(name: &str) -> Result<PathBuf, String> {
    beside_us(name).or_else(|| on_path(name)).ok_or_else(|| {
        format!("no {name} beside solo5-run or on PATH: `cargo install cargo-mkernel` installs it")
    })
}

/// A program in the folder of this one.
#[must_use]
pub fn beside_us(name: &str) -> Option<PathBuf> {
    let path = env::current_exe().ok()?.with_file_name(name);
    path.is_file().then_some(path)
}

/// A program on `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Prints a line to standard error; a closed one is nobody's loss.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "solo5-run: {line}");
}
