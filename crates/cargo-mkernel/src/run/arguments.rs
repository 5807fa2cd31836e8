//! Whose an argument is, and how the guest's get to it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What every line begins with.
const QUIET: &[u8] = b"--solo5:quiet";

/// What the words behind the unikernel's path mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// The tender's options.
    pub(super) options: Vec<OsString>,
    /// The guest's command line.
    pub(super) line: OsString,
}

impl Arguments {
    pub(super) fn split(mut words: Vec<OsString>) -> Self {
        let guest = match words.iter().position(|word| word == "--") {
            Some(separator) => {
                let guest = words.split_off(separator + 1);
                words.pop();
                guest
            }
            None => {
                let options = words.iter().take_while(|word| is_option(word.as_bytes()));
                words.split_off(options.count())
            }
        };
        let mut line = QUIET.to_vec();
        for word in guest {
            line.push(b' ');
            quote(word.as_bytes(), &mut line);
        }
        Self {
            options: words,
            line: OsString::from_vec(line),
        }
    }

    /// Has the guest find a variable, `NAME=VALUE`, in its environment: an option behind those that its bindings read.
    pub(super) fn set_variable(&mut self, variable: &str) {
        let line = self.line.as_bytes();
        let mut end = QUIET.len();
        while line[end..].starts_with(b" --solo5:") {
            let word = &line[end + 1..];
            let next = word.iter().position(|&octet| octet == b' ');
            end += 1 + next.unwrap_or(word.len());
        }
        let option = format!(" --solo5:env={variable}");
        let line = [&line[..end], option.as_bytes(), &line[end..]].concat();
        self.line = OsString::from_vec(line);
    }
}

/// Whether it is an option of a tender.
fn is_option(word: &[u8]) -> bool {
    const STARTS: [&[u8]; 8] = [
        b"--mem=",
        b"--net:",
        b"--net-mac:",
        b"--block:",
        b"--block-sector-size:",
        b"--shutdown-timeout=",
        b"--user=",
        b"--chroot=",
    ];
    [&b"--x-dumpable"[..], b"--x-exec-heap"].contains(&word)
        || STARTS.iter().any(|start| word.starts_with(start))
}

/// Adds a word, in single quotes unless nothing in it needs them.
fn quote(word: &[u8], line: &mut Vec<u8>) {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"_./:=,@%+-".contains(octet);
    if !word.is_empty() && word.iter().all(plain) {
        line.extend_from_slice(word);
        return;
    }
    line.push(b'\'');
    for &octet in word {
        match octet {
            b'\'' => line.extend_from_slice(b"'\\''"),
            _ => line.push(octet),
        }
    }
    line.push(b'\'');
}

#[cfg(test)]
mod tests;
