//! The command line that services have in common.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use mkernel::{cli, net::TcpListener};
//!
//! /// Answers whoever calls.
//! #[derive(clap::Parser)]
//! struct Arguments {
//!     #[command(flatten)]
//!     network: cli::Network,
//!     /// The TCP port to listen on
//!     #[arg(long, default_value_t = 80)]
//!     port: u16,
//! }
//!
//! fn main() -> ExitCode {
//!     cli::run(async |arguments: Arguments| {
//!         let online = arguments.network.start(mkernel::net!("service")?).await?;
//!         let listener = TcpListener::bind(&online.stack, ([0, 0, 0, 0], arguments.port))?;
//!         let (stream, peer) = listener.accept().await?;
//!         mkernel::log::info!("{peer} has called");
//!         Ok(())
//!     })
//! }
//! ```
//!
//! The program depends on `clap` with the feature `derive`.

#[cfg(feature = "ipv6")]
mod ipv6;
mod network;
#[cfg(feature = "tls")]
mod tls;

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

#[cfg(feature = "dhcpv6")]
pub use ipv6::Dhcpv6;
#[cfg(feature = "ipv6")]
pub use ipv6::Ipv6Network;
pub use network::{Network, Online, StartError};
#[cfg(feature = "tls")]
pub use tls::{Tls, pem};

/// The exit status for a command line that is no good (`EX_USAGE` of BSD's sysexits): the same one would be none again.
pub const USAGE: u8 = 64;

/// Reads the command line, runs `service` with it, and makes the exit status of what came of that: 0 when it ended, 64
/// ([`USAGE`]) for a command line that is no good, that of a [`StartError`] or a [`Failure`], and 1 for any other error. What
/// is wrong is printed, whatever the log leaves out.
///
/// # Panics
///
/// As [`run`](crate::run).
pub fn run<A: Parser>(service: impl AsyncFnOnce(A) -> Result<(), Box<dyn Error>>) -> ExitCode {
    match crate::run(service(parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// An error for which the program has an exit status of its own: see [`run`].
///
/// ```
/// use mkernel::cli::Failure;
///
/// fn read(text: &str) -> Result<u16, Failure> {
///     text.parse().map_err(|error| Failure::new(65, error))
/// }
/// # assert_eq!(read("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Debug)]
pub struct Failure {
    status: u8,
    error: Box<dyn Error>,
}

impl Failure {
    /// `error`, which ends the program with `status`.
    pub fn new(status: u8, error: impl Into<Box<dyn Error>>) -> Self {
        let error = error.into();
        Self { status, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Reads the command line, as [`clap::Parser::parse`] does, but ends the program with the status [`USAGE`] if it is no good,
/// of which a line says why; with 0 after help that was asked for.
#[must_use]
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        // A console that takes nothing is nobody's loss.
        if !error.use_stderr() {
            let _ = error.print();
            std::process::exit(0)
        }
        let line = in_one_line(&error.render().to_string());
        let _ = writeln!(io::stderr(), "{line} (try --help)");
        std::process::exit(USAGE.into())
    })
}

/// What clap says, without the usage below it.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let said =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let mut one = String::new();
    for line in said {
        match one.ends_with(':') {
            true => one += " ",
            false if one.is_empty() => {}
            false => one += "; ",
        }
        one += line;
    }
    one
}

fn fail(error: &(dyn Error + 'static)) -> ExitCode {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    crate::log::say("ERROR", module_path!(), &text);
    let start = error.downcast_ref().map(StartError::status);
    let failure = error.downcast_ref().map(|failure: &Failure| failure.status);
    start.or(failure).map_or(ExitCode::FAILURE, Into::into)
}

#[cfg(test)]
mod tests;
