//! Logging in one line: events of `tracing` and of `log`, and panics, as lines on the console.
//!
//! ```no_run
//! mkernel::log::init();
//! mkernel::log::info!("ready");
//! ```
//!
//! ```text
//! [    0.001284] INFO  hello: ready
//! [    3.920003] WARN  shop::orders: request{id=7}: no such article number=12
//! [    4.000170] ERROR panic: task "main", spawned at src/main.rs:9:5, panicked at src/main.rs:12:9: out of stock
//! ```
//!
//! A line has the seconds since boot, the level, the target, the spans that it happened in, the message and the fields.
//! Control characters are escaped, so that no text from outside can pass for a line of its own; of a line, at most 4,096
//! octets are written, with a note of how many there were more. Floating-point fields have six digits behind the point.
//!
//! Nothing waits for the console: what the host does not take is lost, and a line tells how much that was.
//!
//! Which events are written says a [`Filter`]: that of the argument `--log`, if the program was given one.

mod decimal;
mod filter;
mod line;
mod panics;
mod spans;
mod subscriber;

use std::sync::OnceLock;

pub use ::log::{debug, error, info, trace, warn};
use tracing_core::{Dispatch, LevelFilter, dispatcher};

pub use filter::{Filter, FilterError};

use line::Line;
use subscriber::Console;

/// What [`init`] has set up.
static LOGGER: OnceLock<Filter> = OnceLock::new();

/// What the clock showed at boot, in nanoseconds.
static BOOT: OnceLock<u64> = OnceLock::new();

/// Has events of `tracing` and of `log`, and panics, written to the console, as the argument `--log=FILTER` of the program
/// says, or at the level `info` if there is none. A filter that cannot be read is logged as an error.
///
/// The first call counts, and what the program has installed by itself before stays.
pub fn init() {
    let arguments = std::env::args_os().skip(1);
    match filter_among(arguments.map(|argument| argument.to_string_lossy().into_owned())) {
        Ok(filter) => init_with(filter.unwrap_or_default()),
        Err(error) => {
            init_with(Filter::default());
            error!("--log: {error}");
        }
    }
}

/// As [`init`], with this filter.
pub fn init_with(filter: Filter) {
    let most = filter.most();
    if LOGGER.set(filter.clone()).is_err() {
        return;
    }
    BOOT.get_or_init(boot);
    // The program's own, if it has one already, is the one that it wants.
    let _ = dispatcher::set_global_default(Dispatch::new(Console::new(filter, print)));
    if ::log::set_logger(&Bridge).is_ok() {
        ::log::set_max_level(log_level(most));
    }
    panics::install();
}

/// The filter that the arguments name, the last one if they name several.
fn filter_among(arguments: impl Iterator<Item = String>) -> Result<Option<Filter>, FilterError> {
    let mut filter = None;
    let mut arguments = arguments.take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--log") {
            Some("") => arguments.next().unwrap_or_default(),
            Some(rest) => match rest.strip_prefix('=') {
                Some(value) => value.to_owned(),
                None => continue,
            },
            None => continue,
        };
        filter = Some(value.parse()?);
    }
    Ok(filter)
}

/// Writes a line, whatever the filter says.
#[cfg(feature = "cli")]
pub(crate) fn say(level: &str, target: &str, text: &str) {
    let mut line = Line::new(level, target);
    line.push(format_args!("{text}"));
    print(line);
}

/// Writes a line, whole or not at all.
fn print(line: Line) {
    let nanos = solo5_ffi::clock_monotonic().saturating_sub(*BOOT.get_or_init(boot));
    line.finish(nanos, solo5_ffi::console_write);
}

/// Of an ordinary program, nearly when it began.
fn boot() -> u64 {
    solo5_ffi::clock_monotonic().saturating_sub(nolibc::processor_time())
}

fn log_level(level: LevelFilter) -> ::log::LevelFilter {
    match level {
        LevelFilter::OFF => ::log::LevelFilter::Off,
        LevelFilter::ERROR => ::log::LevelFilter::Error,
        LevelFilter::WARN => ::log::LevelFilter::Warn,
        LevelFilter::INFO => ::log::LevelFilter::Info,
        LevelFilter::DEBUG => ::log::LevelFilter::Debug,
        _ => ::log::LevelFilter::Trace,
    }
}

/// Takes the records of the crate `log`.
struct Bridge;

impl ::log::Log for Bridge {
    fn enabled(&self, metadata: &::log::Metadata<'_>) -> bool {
        LOGGER
            .get()
            .is_some_and(|filter| metadata.level() <= log_level(filter.level(metadata.target())))
    }

    fn log(&self, record: &::log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut line = Line::new(record.level().as_str(), record.target());
            line.push(format_args!("{}", record.args()));
            print(line);
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests;
