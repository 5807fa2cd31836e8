//! The program `solo5-cc`: the C compiler of build scripts for the two targets, which the variables `CC_x86_64_solo5_*` name.
//!
//! It is the compiler that `CC` names, otherwise `cc`. Headers are its own and those of nolibc; the host's describe another C
//! library. What is declared there and not in nolibc is missed by the linker, which names it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, io};

use super::headers::HEADERS;
use super::{become_command, command_of, contains, fail};

/// Runs the C compiler with the arguments and the headers' folders.
#[must_use]
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let own = match own_headers() {
        Ok(folder) => folder,
        Err(message) => return fail(&message),
    };
    let headers = match headers() {
        Ok(folder) => folder,
        Err(error) => return fail(&format!("cannot write the C headers: {error}")),
    };
    let mut command = compiler();
    command
        .args(arguments)
        .arg("-nostdinc")
        .arg("-isystem")
        .arg(own)
        .arg("-isystem")
        .arg(headers);
    become_command(command)
}

fn compiler() -> Command {
    // Some build scripts hand CC on to what they run.
    let ours = env::var_os("CC").is_some_and(|value| contains(value.as_bytes(), b"solo5-cc"));
    match command_of("CC") {
        Some(command) if !ours => command,
        _ => Command::new("cc"),
    }
}

/// The compiler's own headers, such as `stddef.h`.
fn own_headers() -> Result<OsString, String> {
    let mut command = compiler();
    let output = command
        .arg("-print-file-name=include")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            format!(
                "cannot run the C compiler {:?}: {error} (on Debian: apt-get install gcc libc6-dev)",
                command.get_program()
            )
        })?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let path = output.stdout.trim_ascii_end().to_vec();
    Ok(OsString::from_vec(path))
}

/// The folder of nolibc's headers, which are in this program: in the build script's own folder, or, when it is none that runs
/// this, in the user's cache.
fn headers() -> io::Result<PathBuf> {
    let parent = match env::var_os("OUT_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => cache().ok_or_else(|| {
            io::Error::other("expected OUT_DIR, XDG_CACHE_HOME or HOME to be set")
        })?,
    };
    let folder = parent.join(format!("solo5-include-{:016x}", fingerprint()));
    if folder.exists() {
        return Ok(folder);
    }
    // Whoever renames first has written it for all.
    let written = parent.join(format!("solo5-include-{}.new", std::process::id()));
    for (name, text) in HEADERS {
        let path = written.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    if let Err(error) = fs::rename(&written, &folder) {
        fs::remove_dir_all(&written)?;
        if !folder.exists() {
            return Err(error);
        }
    }
    Ok(folder)
}

/// The user's cache. An empty variable is as one that is not set (XDG Base Directory Specification).
fn cache() -> Option<PathBuf> {
    let folder = |name| {
        let value = env::var_os(name).filter(|value| !value.is_empty())?;
        Some(PathBuf::from(value))
    };
    folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))
}

/// Of the headers' names and text, by FNV-1a: other headers have another folder.
fn fingerprint() -> u64 {
    let octets = HEADERS
        .iter()
        .flat_map(|(name, text)| [OsStr::new(name).as_bytes(), text.as_bytes()].concat());
    octets.fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
    })
}
