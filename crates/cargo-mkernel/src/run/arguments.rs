//! Whose an argument is, and how the guest's get to it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What every line begins with.
const QUIET: &[u8] = b"--solo5:quiet";

/// What the words behind the unikernel's path mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The tender's options.
    pub(crate) options: Vec<OsString>,
    /// The guest's command line.
    pub(crate) line: OsString,
}

impl Arguments {
    pub(crate) fn split(mut words: Vec<OsString>) -> Self {
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

    /// What to type when a word that looks like an option of the tender's goes to the guest, for want of a `--`. `devices` are
    /// the unikernel's networks and disks.
    pub(super) fn hint(words: &[OsString], devices: [&[String]; 2]) -> Option<String> {
        if words.iter().any(|word| word == "--") {
            return None;
        }
        let mut guests = words
            .iter()
            .skip_while(|word| is_option(word.as_bytes()))
            .filter_map(|word| word.to_str());
        let (word, meant) = guests.find_map(|word| Some((word, meant(word, devices)?)))?;
        Some(format!(
            "{word} goes to the unikernel; for the tender it is `{meant}`, in front of another `--`: cargo run … -- {meant} -- \
             ARGUMENTS"
        ))
    }

    /// Has the guest find a variable, `NAME=VALUE`, in its environment: an option behind those that its bindings read.
    pub(super) fn set_variable(&mut self, variable: &str) {
        self.insert(&format!("--solo5:env={variable}"));
    }

    /// Has the guest find these words in front of its own.
    pub(crate) fn tell(&mut self, told: &[String]) {
        if !told.is_empty() {
            self.insert(&told.join(" "));
        }
    }

    /// Whether the guest has this option among its words.
    pub(crate) fn mention(&self, name: &str) -> bool {
        let line = self.line.to_string_lossy();
        line.split(' ').any(|word| {
            let rest = word.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// Puts `words` behind those that are for the bindings.
    fn insert(&mut self, words: &str) {
        let line = self.line.as_bytes();
        let mut end = QUIET.len();
        while line[end..].starts_with(b" --solo5:") {
            let word = &line[end + 1..];
            let next = word.iter().position(|&octet| octet == b' ');
            end += 1 + next.unwrap_or(word.len());
        }
        let line = [&line[..end], b" ", words.as_bytes(), &line[end..]].concat();
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

/// The option of a tender that a word seems to be meant for.
fn meant(word: &str, devices: [&[String]; 2]) -> Option<String> {
    if word == "--verbose" || is_option(word.as_bytes()) {
        return Some(word.to_owned());
    }
    let (kind, value) = word.split_once('=')?;
    let names = match kind {
        "--net" => devices[0],
        "--block" => devices[1],
        _ => return None,
    };
    Some(format!("{kind}:{}={value}", names.first()?))
}

/// A word, in single quotes unless nothing in it needs them.
pub(crate) fn quoted(word: &str) -> String {
    let mut line = Vec::new();
    quote(word.as_bytes(), &mut line);
    String::from_utf8_lossy(&line).into_owned()
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
