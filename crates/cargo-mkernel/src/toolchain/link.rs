//! What `solo5-rustc` does when rustc calls it as its linker: it takes from the program's object what nobody needs who does not
//! debug it, and hands on to the C compiler.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use super::{fail, frames, joined, object::Object, succeeded};

/// By this `solo5-rustc` tells itself, through rustc, that it is called as a linker.
const ASKED: &str = "SOLO5_RUSTC_LINKS";

/// Functions of `std`, by parts of their mangled names (RFC 2603), that a unikernel never calls or for nothing: what reads
/// debugging information out of the program's file, of which there is none, and shows it; what notes threads' stacks for the handler of a
/// signal that never comes, and takes such a note back. They become a return, and the linker leaves out what only they call.
const IDLE: [[&str; 2]; 5] = [
    ["3std12backtrace_rs9symbolize5gimli", "11with_global"],
    ["3std12backtrace_rs9symbolize", "10SymbolNameNtNtC"],
    ["3std3sys9backtrace", "15output_filename"],
    ["14stack_overflow11thread_info", "16set_current_info"],
    [
        "14stack_overflow11thread_info10ThreadInfo",
        "14remove_leaf_kv",
    ],
];

/// Has rustc call this program as its linker.
pub(super) fn ask(rustc: &mut Command) {
    if let Ok(program) = env::current_exe() {
        rustc
            .env(ASKED, "1")
            .arg(joined("-Clinker=", program.as_os_str()));
    }
}

/// Whether rustc calls this program as its linker.
#[must_use]
pub fn is_asked() -> bool {
    env::var_os(ASKED).is_some()
}

/// Links with these arguments.
#[must_use]
pub fn run(mut arguments: Vec<OsString>) -> ExitCode {
    let mut made = Vec::new();
    for argument in &mut arguments {
        if let Some(path) = smaller(argument) {
            *argument = path.clone().into();
            made.push(path);
        }
    }
    let mut command = Command::new("cc");
    let status = command.args(arguments).env_remove(ASKED).status();
    for path in made {
        // It is a temporary one, whether it goes or stays.
        let _ = fs::remove_file(path);
    }
    match status {
        Ok(status) => succeeded(status),
        Err(error) => fail(&format!("cannot run the linker `cc`: {error}")),
    }
}

/// A smaller object in place of one that rustc has made.
fn smaller(argument: &OsStr) -> Option<PathBuf> {
    argument.to_str().filter(|path| path.ends_with(".rcgu.o"))?;
    let mut object = Object::parse(fs::read(argument).ok()?)?;
    object.empty(|name| IDLE.iter().any(|parts| is_of(name, parts)));
    frames::shorten(&mut object);
    let mut path = argument.to_owned();
    path.push(format!(".{}.o", std::process::id()));
    fs::write(&path, object.into_octets()).ok()?;
    Some(path.into())
}

/// Whether that is a function's name, and not that of a closure or a variable in it.
fn is_of(name: &[u8], parts: &[&str]) -> bool {
    (name.starts_with(b"_RNv") || name.starts_with(b"_RINv"))
        && parts
            .iter()
            .all(|part| super::contains(name, part.as_bytes()))
}
