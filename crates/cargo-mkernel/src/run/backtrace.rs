//! Names for the addresses in a unikernel's backtraces.
//!
//! A unikernel has no debugging information at hand, so its panics print the address of each frame. The names are looked up here,
//! in the executable, by a process that stands between the tender's standard output and ours; the tender itself keeps the process
//! that was started, with its signals and its exit status.

mod executable;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use self::executable::Executable;

/// The first argument of the process in between; the style and the executable follow.
pub(super) const FILTER: &str = "--name-backtraces";
/// What this process holds back of a line at the most.
const LONGEST_FRAME: usize = 256;
/// And frames of a backtrace.
const MOST_FRAMES: usize = 1024;

/// How much a backtrace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// The program's own frames.
    Short,
    /// All.
    Full,
}

impl Style {
    /// What `RUST_BACKTRACE` asks for, as elsewhere.
    pub(super) fn wanted() -> Option<Self> {
        match env::var_os("RUST_BACKTRACE")?.to_str() {
            Some("" | "0") => None,
            Some("full") => Some(Self::Full),
            _ => Some(Self::Short),
        }
    }
}

/// Starts the process in between, and gives what it reads from.
pub(super) fn start_filter(unikernel: &Path, style: Style) -> Result<PipeWriter, String> {
    let about = |error: io::Error| format!("cannot start what names a backtrace's frames: {error}");
    let (reader, writer) = io::pipe().map_err(about)?;
    let style = match style {
        Style::Short => "short",
        Style::Full => "full",
    };
    Command::new(env::current_exe().map_err(about)?)
        .args([OsStr::new(FILTER), OsStr::new(style), unikernel.as_os_str()])
        .stdin(reader)
        // A signal from the terminal is the tender's; this process ends when there is nothing more to read.
        .process_group(0)
        .spawn()
        .map_err(about)?;
    Ok(writer)
}

/// Copies standard input to standard output, with names in backtraces.
pub(super) fn filter(arguments: &[OsString]) -> ExitCode {
    let [style, unikernel] = arguments else {
        return ExitCode::FAILURE;
    };
    let style = match style == "full" {
        true => Style::Full,
        false => Style::Short,
    };
    let mut names = Filter::new(style, Executable::read(Path::new(unikernel)));
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut buffer = [0; 16 << 10];
    loop {
        let (text, ended) = match input.read(&mut buffer) {
            Ok(0) => (names.finish(), true),
            Ok(count) => (names.take(&buffer[..count]), false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return ExitCode::FAILURE,
        };
        if output
            .write_all(&text)
            .and_then(|()| output.flush())
            .is_err()
        {
            return ExitCode::FAILURE;
        }
        if ended {
            return ExitCode::SUCCESS;
        }
    }
}

/// What was read, on its way.
struct Filter {
    style: Style,
    executable: Option<Executable>,
    /// The beginning of a line that may become a frame.
    line: Vec<u8>,
    /// The line has been passed on as far as it goes.
    passing: bool,
    /// The frames of a backtrace that has not ended.
    frames: Vec<Frame>,
}

/// A line of a backtrace: the text, and its names.
struct Frame {
    line: Vec<u8>,
    names: Vec<String>,
}

impl Filter {
    fn new(style: Style, executable: Option<Executable>) -> Self {
        Self {
            style,
            executable,
            line: Vec::new(),
            passing: false,
            frames: Vec::new(),
        }
    }

    /// What may be printed once this has been read.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            if self.passing {
                out.push(byte);
                self.passing = byte != b'\n';
                continue;
            }
            self.line.push(byte);
            let address = match byte {
                b'\n' => address(&self.line),
                _ if begins_frame(&self.line) => continue,
                _ => None,
            };
            let line = std::mem::take(&mut self.line);
            match address {
                Some(address) => {
                    let names = self.names(address);
                    self.frames.push(Frame { line, names });
                    if self.frames.len() == MOST_FRAMES {
                        self.end_backtrace(&mut out);
                    }
                }
                None => {
                    self.end_backtrace(&mut out);
                    out.extend(line);
                    self.passing = byte != b'\n';
                }
            }
        }
        out
    }

    /// What is left when there is nothing more to read.
    fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.end_backtrace(&mut out);
        out.append(&mut self.line);
        out
    }

    /// The functions at an address, the innermost first, each with its place in the source if that is known.
    fn names(&self, address: u64) -> Vec<String> {
        let Some(executable) = &self.executable else {
            return Vec::new();
        };
        // It is where the call returns to.
        let address = address.saturating_sub(1);
        let symbol = executable
            .symbol(address)
            .map(|name| addr2line::demangle_auto(name.into(), None).into_owned());
        let mut names = Vec::new();
        if let Some(mut frames) = executable.frames(address) {
            while let Ok(Some(frame)) = frames.next() {
                // Line tables alone have no names.
                let function = frame.function.as_ref().and_then(|it| it.demangle().ok());
                let Some(function) = function.as_deref().or(symbol.as_deref()) else {
                    continue;
                };
                let mut name = format!("{function}\n");
                let place = frame.location.as_ref();
                if let Some((file, line)) = place.and_then(|it| Some((it.file?, it.line?))) {
                    name += &format!("             at {file}:{line}\n");
                }
                names.push(name);
            }
        }
        if names.is_empty()
            && let Some(symbol) = symbol
        {
            names.push(format!("{symbol}\n"));
        }
        names
    }

    /// Prints the frames: all, or those between the two functions that `std` puts around a program.
    fn end_backtrace(&mut self, out: &mut Vec<u8>) {
        let frames = std::mem::take(&mut self.frames);
        let has =
            |frame: &Frame, function: &str| frame.names.iter().any(|name| name.contains(function));
        let first = frames
            .iter()
            .position(|frame| has(frame, "__rust_end_short_backtrace"));
        let last = frames
            .iter()
            .position(|frame| has(frame, "__rust_begin_short_backtrace"));
        let shown = match (self.style, first, last) {
            (Style::Short, Some(first), Some(last)) if first < last => &frames[first + 1..last],
            _ => &frames[..],
        };
        for (index, frame) in shown.iter().enumerate() {
            if frame.names.is_empty() {
                out.extend_from_slice(&frame.line);
            }
            for (inlined, name) in frame.names.iter().enumerate() {
                let number = match inlined {
                    0 => format!("{index:4}: "),
                    _ => " ".repeat(6),
                };
                out.extend_from_slice(number.as_bytes());
                out.extend_from_slice(name.as_bytes());
            }
        }
    }
}

/// Whether the beginning of a line may become a frame.
fn begins_frame(line: &[u8]) -> bool {
    let rest = line.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    line.len() < LONGEST_FRAME && (rest.len() == digits || (digits > 0 && rest[digits] == b':'))
}

/// The address of a frame that has no name: `   7:     0x10f2a0 - <unknown>`.
fn address(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    let (number, rest) = line.split_once(':')?;
    number.trim().parse::<u32>().ok()?;
    let (address, name) = rest.trim().strip_prefix("0x")?.split_once(" - ")?;
    (name == "<unknown>").then(|| u64::from_str_radix(address, 16).ok())?
}

#[cfg(test)]
mod tests;
