//! Names for the addresses in a unikernel's backtraces.
//!
//! A unikernel has no debugging information at hand, so its panics print the address of each frame. The names are looked up here,
//! in the executable, by this process: it stands between the tender's standard output and ours, hands on signals, and ends as the
//! tender does, when all is printed.

mod executable;

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::{env, thread};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::unistd::Pid;

use self::executable::Executable;

/// What is handed on to the tender.
const SIGNALS: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];
/// What is held back of a line at the most.
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

/// Runs the tender, with names in what it prints.
pub(super) fn run(tender: &mut Command, unikernel: &Path, style: Style) -> io::Result<ExitCode> {
    let signals: SigSet = SIGNALS.into_iter().collect();
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    // Which the tender would have blocked too.
    let prepare = move || Ok(set_pdeathsig(Signal::SIGKILL).and(before.thread_set_mask())?);
    // SAFETY: between fork and exec it makes two system calls, and allocates nothing.
    unsafe { tender.pre_exec(prepare) };
    // In a group of its own it gets each signal from here alone, and so once.
    let mut tender = tender.stdout(Stdio::piped()).process_group(0).spawn()?;
    let pid = Pid::from_raw(tender.id().cast_signed());
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            // It may have ended.
            let _ = kill(pid, signal);
        }
    });
    if let Some(printed) = tender.stdout.take() {
        let names = Filter::new(style, Executable::read(unikernel));
        // Who reads no more has the pipe closed, as it were with the tender's own output.
        let _ = names.copy(printed, io::stdout().lock());
    }
    Ok(code_of(tender.wait()?))
}

/// As a shell has it of who was ended by a signal.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
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

    /// Copies all that `input` has.
    fn copy(mut self, mut input: impl Read, mut output: impl Write) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        loop {
            let (text, is_last) = match input.read(&mut buffer) {
                Ok(0) => (self.finish(), true),
                Ok(count) => (self.take(&buffer[..count]), false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            output.write_all(&text)?;
            output.flush()?;
            if is_last {
                return Ok(());
            }
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
