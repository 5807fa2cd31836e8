//! `cargo mkernel`: projects, and how to start them.

mod doctor;
mod image;
mod project;
mod run;
mod template;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    let result = match Arguments::try_parse_from(arguments) {
        Ok(Arguments { command }) => match command {
            Command::New(new) => new.run(),
            Command::Init(init) => init.run(),
            Command::Run(run) => run.run(),
            Command::Image(image) => image.run(),
            Command::Doctor => doctor::run(),
        },
        Err(error) if error.use_stderr() => return usage_error(&error),
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
fn usage_error(error: &clap::Error) -> ExitCode {
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::FAILURE;
    }
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    say(format_args!("{line} (try cargo mkernel --help)"));
    ExitCode::FAILURE
}

/// Prints a line to standard error; a closed one is nobody's loss.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
