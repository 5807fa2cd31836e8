//! `cargo mkernel`: projects, and how to start them.

mod doctor;
mod image;
mod posix;
mod program;
mod project;
mod run;
mod template;
mod workspace;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

/// Unikernels in Rust: new projects, starting them on what this machine has, and images of them
#[derive(Parser)]
#[command(name = "cargo mkernel", bin_name = "cargo mkernel", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a project in a folder of its own
    New(project::New),
    /// Make an existing project one that unikernels can be built from
    Init(project::Init),
    /// Build the program and boot it, on KVM if this machine has it, else as a confined process
    Run(run::Run),
    /// Build the program into an OCI image, for urunc or, with the tender in it, for any container runtime
    Image(image::Image),
    /// Say what this machine lacks, and what to type
    Doctor,
}

/// The whole program. Cargo calls it as `cargo-mkernel mkernel ARGUMENTS`.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|first| first == "mkernel") {
        arguments.remove(1);
    }
    let result = match Arguments::try_parse_from(&arguments) {
        Ok(Arguments { command }) => match command {
            Command::New(new) => new.run(),
            Command::Init(init) => init.run(),
            Command::Run(run) => run.run(),
            Command::Image(image) => image.run(),
            Command::Doctor => doctor::run(),
        },
        Err(error) if error.use_stderr() => return usage_error(&error, &arguments[1..]),
        Err(help) => {
            // A closed stdout is nobody's loss.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    result.unwrap_or_else(|message| {
        say(format_args!("error: {message}"));
        ExitCode::FAILURE
    })
}

/// One line, and where to read on; `cargo mkernel` alone has the help for an answer.
fn usage_error(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::FAILURE;
    }
    let first = words.first().and_then(|word| word.to_str());
    let first = first.unwrap_or_default();
    let known = Arguments::command().find_subcommand(first).is_some();
    let more = match first {
        "build" | "b" | "check" | "c" | "test" | "t" | "bench" | "clippy" | "doc" | "d" => {
            format!("cargo {first} --target x86_64-solo5-spt")
        }
        _ if known => format!("cargo mkernel {first} --help"),
        _ => "cargo mkernel --help".to_owned(),
    };
    let line = in_one_line(&error.render().to_string());
    say(format_args!("{line} (try {more})"));
    ExitCode::FAILURE
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

/// Prints a line to standard error; a closed one is nobody's loss.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
