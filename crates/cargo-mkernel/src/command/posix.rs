//! `cargo mkernel init --posix`: a program of std's threads and sockets, as it is.

use std::fs;
use std::path::Path;

/// What has rustc link what no other line refers to.
pub(super) const LINE: &str = "use mkernel as _;";

/// Adds the line to the program, if it is where Cargo looks for one; whether it is there now.
///
/// # Errors
///
/// When the file cannot be read or written.
pub(super) fn refer(folder: &Path) -> Result<bool, String> {
    let program = folder.join("src/main.rs");
    if !program.exists() {
        return Ok(false);
    }
    let wrong = |error| format!("{}: {error}", program.display());
    let text = fs::read_to_string(&program).map_err(wrong)?;
    let refers = |line: &str| {
        let words = line.trim_start();
        words.starts_with("use mkernel") || !words.starts_with("//") && words.contains("mkernel::")
    };
    if !text.lines().any(refers) {
        fs::write(&program, with_line(&text)).map_err(wrong)?;
    }
    Ok(true)
}

/// The source with the line before its first item, behind what only a file's beginning may have.
fn with_line(text: &str) -> String {
    let mut before = 0;
    let mut at = 0;
    // Whether what goes on is an inner attribute, or a comment that is (`/*!`) or is not one.
    let mut inside = None;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let words = line.trim();
        let code = words.split(" //").next().unwrap_or_default().trim_end();
        let kind = inside.take().or(match words {
            _ if words.starts_with("#![") => Some(("]", true)),
            _ if words.starts_with("/*") => Some(("*/", words.starts_with("/*!"))),
            _ => None,
        });
        if let Some((end, is_inner)) = kind {
            inside = (!code.ends_with(end)).then_some((end, is_inner));
            before = if is_inner { at } else { before };
        } else if words.starts_with("//!") || (at == line.len() && words.starts_with("#!")) {
            before = at;
        } else if !words.is_empty() && (!words.starts_with("//") || words.starts_with("///")) {
            break;
        }
    }
    let (head, rest) = text.split_at(before);
    let apart = if head.is_empty() { "" } else { "\n" };
    let rest = rest.trim_start_matches('\n');
    // With other imports it is one of their group.
    let gap = if rest.starts_with("use ") { "" } else { "\n" };
    format!("{head}{apart}{LINE}\n{gap}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_comes_before_the_first_item() {
        for (text, expected) in [
            ("fn main() {}\n", "use mkernel as _;\n\nfn main() {}\n"),
            (
                "use std::io;\n\nfn main() {}\n",
                "use mkernel as _;\nuse std::io;\n\nfn main() {}\n",
            ),
            (
                "//! What it is.\n#![warn(\n    missing_docs\n)]\n\n// Why.\n/// It.\nfn main() {}\n",
                "//! What it is.\n#![warn(\n    missing_docs\n)]\n\nuse mkernel as _;\n\n// Why.\n/// It.\nfn main() {}\n",
            ),
            (
                "#!/usr/bin/env run\n/* Who has\n   the rights. */\n#![allow(dead_code)] // for now\n#[derive(Debug)]\nstruct S;\n",
                "#!/usr/bin/env run\n/* Who has\n   the rights. */\n#![allow(dead_code)] // for now\n\nuse mkernel as _;\n\n#[derive(Debug)]\nstruct S;\n",
            ),
            ("", "use mkernel as _;\n\n"),
        ] {
            assert_eq!(with_line(text), expected);
        }
    }
}
