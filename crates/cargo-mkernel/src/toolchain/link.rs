//! What `solo5-rustc` does when rustc calls it as its linker: it takes from the program's object what nobody needs who does not
//! debug it, and hands on to the C compiler.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs};

use super::{fail, frames, joined, object::Object, succeeded};

/// By this `solo5-rustc` tells itself, through rustc, that it is called as a linker.
const ASKED: &str = "SOLO5_RUSTC_LINKS";

/// A mangled name (RFC 2603) in parts, between which there are the numbers of crates.
type Name = &'static [&'static str];

/// Of `std`, what reads debugging information out of the program's file, of which there is none. It returns nothing, and
/// becomes a return; the linker leaves out what only it calls.
const READS_DEBUGGING: Name = &[
    "_RINvMs0_NtNtNtCs",
    "_3std12backtrace_rs9symbolize5gimliNtB6_5Cache11with_globalNCNvB6_7resolves_0EB",
    "_",
];

/// What shows the name and the file that it would have found: to reach one of them then is a fault.
const SHOW_FINDS: [Name; 2] = [
    &[
        "_RNvXs2_NtNtCs",
        "_3std12backtrace_rs9symbolizeNtB5_10SymbolNameNtNtCs",
        "_4core3fmt7Display3fmt",
    ],
    &["_RNvNtNtCs", "_3std3sys9backtrace15output_filename"],
];

/// What notes threads' stacks for the handler of a signal that never comes: likewise a return.
const NOTES_STACKS: Name = &[
    "_RNvNtNtNtNtNtCs",
    "_3std3sys3pal4unix14stack_overflow11thread_info16set_current_info",
];

/// That handler: a signal that the program sends itself is passed over.
const LOOKS_FOR_STACKS: Name = &[
    "_RNvNtNtNtNtNtCs",
    "_3std3sys3pal4unix14stack_overflow3imp14signal_handler",
];

/// What takes out a stack that was noted: to reach it then is a fault.
const TAKES_OUT_STACKS: Name = &[
    "_RINvMs_NtNtNtCs",
    "_5alloc11collections5btree6removeINtNtB7_4node6HandleINtBY_7NodeRefNtNtBY_6marker3MutjNtNtNtNtNtNtCs",
    "_3std3sys3pal4unix14stack_overflow11thread_info10ThreadInfoNtB1v_4LeafENtB1v_2KVE14remove_leaf_kv\
         NCNvMs7_NtNtB7_3map5entryINtB3S_13OccupiedEntryjB1M_E9remove_kv0NtNtBb_5alloc6GlobalEB1Y_",
];

/// Return, and an instruction that is none: Intel SDM volume 2, RET and UD.
const RETURN: &[u8] = &[0xc3];
const FAULT: &[u8] = &[0x0f, 0x0b];

/// Has rustc call this program as its linker.
pub(super) fn ask(rustc: &mut Command) {
    if let Ok(program) = env::current_exe() {
        rustc
            .env(ASKED, "1")
            .arg(joined("-Clinker=", program.as_os_str()));
    }
}

/// Whether rustc calls this program as its linker, with these arguments: what rustc runs otherwise, as a procedural macro that
/// runs Cargo, sees the same environment.
#[must_use]
pub fn is_asked(arguments: &[OsString]) -> bool {
    let is_ours = |argument: &OsString| {
        let argument = argument.as_encoded_bytes();
        argument.starts_with(b"-Tsolo5_") || argument.starts_with(b"@")
    };
    env::var_os(ASKED).is_some() && arguments.iter().any(is_ours)
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
    let mut replace = |names: &[Name], code| {
        object.replace_functions(|name| names.iter().any(|parts| is(name, parts)), code)
    };
    if replace(&[READS_DEBUGGING], RETURN) {
        replace(&SHOW_FINDS, FAULT);
    }
    if replace(&[NOTES_STACKS], RETURN) {
        replace(&[LOOKS_FOR_STACKS], RETURN);
        replace(&[TAKES_OUT_STACKS], FAULT);
    }
    // Else tables would tell of functions as long as they were.
    frames::shorten(&mut object)?;
    let mut path = argument.to_owned();
    path.push(format!(".{}.o", std::process::id()));
    let path = PathBuf::from(path);
    if let Err(error) = fs::write(&path, object.into_octets()) {
        eprintln!("solo5-rustc: cannot write {path:?}, so the image is larger: {error}");
        let _ = fs::remove_file(path);
        return None;
    }
    Some(path)
}

/// Whether a name is of these parts, with numbers of base 62 between them, and what the compiler tells a copy by behind them.
fn is(name: &[u8], parts: &[&str]) -> bool {
    let Some((first, others)) = parts.split_first() else {
        return name.is_empty() || name.starts_with(b".llvm.");
    };
    let Some(rest) = name.strip_prefix(first.as_bytes()) else {
        return false;
    };
    if others.is_empty() {
        return is(rest, others);
    }
    let number = rest
        .iter()
        .take_while(|octet| octet.is_ascii_alphanumeric());
    is(&rest[number.count()..], others)
}

#[cfg(test)]
mod tests;
