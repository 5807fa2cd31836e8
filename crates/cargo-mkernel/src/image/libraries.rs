//! What a program is linked with at run time.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shared libraries of `program` and their loader, where the loader of this machine finds them; none of one that is linked
/// statically.
///
/// # Errors
///
/// When `ldd` cannot be run or names a library that is not there.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>, String> {
    let output = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("cannot run ldd: {error}"))?;
    let listing = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("not a dynamic executable") || listing.contains("statically linked") {
        return Ok(Vec::new());
    }
    if !output.status.success() {
        return Err(format!("ldd {}: {}", program.display(), errors.trim_end()));
    }
    parse(&listing)
}

/// Reads lines such as `libc.so.6 => /lib/libc.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`; what has no path is the
/// kernel's.
pub(super) fn parse(listing: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in listing.lines() {
        let line = line.trim();
        let (name, file) = line.split_once(" => ").unwrap_or((line, line));
        if file == "not found" {
            return Err(format!("this machine has no {name}"));
        }
        let file = file.rsplit_once(" (").map_or(file, |(file, _)| file);
        if file.starts_with('/') {
            found.push(PathBuf::from(file));
        }
    }
    Ok(found)
}
