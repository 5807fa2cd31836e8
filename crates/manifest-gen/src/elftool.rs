//! The program `solo5-elftool`: makes application manifests, and reads them and the ABI out of unikernels.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, Write};
use std::process::ExitCode;

use crate::{Manifest, SOURCE_MAX, elf, query_abi, query_manifest};

const USAGE: &str = concat!(
    "usage: solo5-elftool COMMAND ...\n",
    "solo5-elftool version ",
    env!("CARGO_PKG_VERSION"),
    "\n\n",
    "    gen-manifest SOURCE OUTPUT   turn a manifest's JSON into C source\n",
    "    query-abi BINARY             print a unikernel's target and ABI version\n",
    "    query-manifest BINARY        print the devices that a unikernel needs\n",
    "\n",
    "A file named - is standard input or output.\n",
);

/// Bytes of the longest unikernel that is read from standard input.
const STDIN_MAX: u64 = 1 << 30;

/// The whole program, with the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    let command = arguments.first().and_then(|command| command.to_str());
    let result = match (command, arguments.get(1..).unwrap_or_default()) {
        (Some("gen-manifest"), [source, output]) => gen_manifest(source, output),
        (Some("query-abi"), [binary]) => query(binary, &mut |binary| query_abi(binary)),
        (Some("query-manifest"), [binary]) => query(binary, &mut |binary| query_manifest(binary)),
        (Some("--help"), _) => write_stdout(USAGE),
        _ => Err("expected a command and its files (try solo5-elftool --help)".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "solo5-elftool: {message}");
            ExitCode::FAILURE
        }
    }
}

/// `gen-manifest SOURCE OUTPUT`. OUTPUT stays as it is unless the source is a manifest.
fn gen_manifest(source: &OsStr, output: &OsStr) -> Result<(), String> {
    let about = |reason: &dyn Display| format!("{}:{reason}", source.display());
    let bytes = read_source(source).map_err(|error| about(&format_args!(" {error}")))?;
    let manifest = Manifest::from_json(&bytes).map_err(|error| about(&error))?;
    let text = manifest.to_c();
    if output == "-" {
        return write_stdout(&text);
    }
    fs::write(output, text).map_err(|error| {
        let output = output.display();
        format!("{output}: could not write: {error}")
    })
}

/// The source, or one byte more than a source may have.
fn read_source(source: &OsStr) -> Result<Vec<u8>, String> {
    let limit = SOURCE_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let read = if source == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(source).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("could not read: {error}"))?;
    Ok(bytes)
}

/// A file that can be sought in, whatever it is.
trait Binary: Read + Seek {}
impl<T: Read + Seek> Binary for T {}

type Answer<'a> = &'a mut dyn FnMut(&mut dyn Binary) -> Result<String, elf::Error>;

fn query(binary: &OsStr, answer: Answer<'_>) -> Result<(), String> {
    let about = |reason: &dyn Display| format!("{}: {reason}", binary.display());
    let could_not_read = |error| about(&format_args!("could not open: {error}"));
    let text = if binary == "-" {
        let mut bytes = Vec::new();
        let stdin = io::stdin().lock();
        stdin
            .take(STDIN_MAX)
            .read_to_end(&mut bytes)
            .map_err(could_not_read)?;
        answer(&mut Cursor::new(bytes))
    } else {
        answer(&mut File::open(binary).map_err(could_not_read)?)
    };
    write_stdout(&text.map_err(|error| about(&error))?)
}

fn write_stdout(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("standard output: could not write: {error}"))
}
