//! The program `solo5-run`, the runner that `cargo run`, `cargo test` and `cargo bench` boot a unikernel with:
//! `solo5-run UNIKERNEL [[TENDER OPTIONS] --] [GUEST ARGUMENTS]`.
//!
//! Without a `--`, leading arguments that are options of a tender go to the tender and the rest to the guest. Guest arguments are
//! quoted as nolibc unquotes them. The guest's bindings are told to be quiet; `--solo5:debug` as the first guest argument makes
//! them talk.

mod arguments;
mod unikernel;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use arguments::Arguments;
pub use unikernel::{Abi, Unikernel};

const USAGE: &str = "\
usage: solo5-run UNIKERNEL [[TENDER OPTIONS] --] [ARGUMENTS...]
Cargo runs it to boot what it has built, by `runner = \"solo5-run\"` in .cargo/config.toml.
Environment:
  SOLO5_TENDER           the tender to run in place of solo5-spt or solo5-hvt
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
        None => return fail("expected the path of a unikernel (try solo5-run --help)"),
        Some(_) => {}
    }
    let path = PathBuf::from(words.remove(0));
    match boot(&path, words) {
        Err(message) => fail(&message),
    }
}

fn boot(path: &Path, words: Vec<OsString>) -> Result<std::convert::Infallible, String> {
    let unikernel = Unikernel::read(path)?;
    let arguments = Arguments::split(words);
    let tender = tender(unikernel.abi)?;
    let mut command = Command::new(&tender);
    command
        .args(arguments.options)
        .args(more_options())
        .arg("--")
        .arg(path)
        .arg(arguments.line);
    let error = command.exec();
    Err(format!("cannot run {tender:?}: {error}"))
}

/// The options in `SOLO5_TENDER_OPTIONS`.
fn more_options() -> Vec<OsString> {
    let value = env::var("SOLO5_TENDER_OPTIONS").unwrap_or_default();
    value.split_whitespace().map(OsString::from).collect()
}

/// The tender that `SOLO5_TENDER` names, otherwise the one beside this program, otherwise the one on `PATH`.
fn tender(abi: Abi) -> Result<PathBuf, String> {
    if let Some(tender) = env::var_os("SOLO5_TENDER").filter(|value| !value.is_empty()) {
        return Ok(tender.into());
    }
    let name = abi.tender();
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

fn fail(message: impl AsRef<OsStr>) -> ExitCode {
    // A closed stderr is nobody's loss.
    let _ = writeln!(
        std::io::stderr(),
        "solo5-run: {}",
        message.as_ref().display()
    );
    ExitCode::FAILURE
}
