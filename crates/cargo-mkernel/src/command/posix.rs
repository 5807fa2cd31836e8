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
    if !text.contains("mkernel") {
        fs::write(&program, with_line(&text)).map_err(wrong)?;
    }
    Ok(true)
}

/// The source with the line before its first item, behind what only a file's beginning may have.
fn with_line(text: &str) -> String {
    let mut before = 0;
    let mut at = 0;
    let mut in_attribute = false;
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        at += line.len();
        if in_attribute || words.starts_with("#![") {
            in_attribute = !words.ends_with(']');
            before = at;
        } else if words.starts_with("//!") {
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
            ("", "use mkernel as _;\n\n"),
        ] {
            assert_eq!(with_line(text), expected);
        }
    }
}
