//! Which of a workspace's programs Cargo builds.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use clap::Args;

use super::workspace;

/// The arguments that say so: a part of a subcommand, to be flattened.
#[derive(Args)]
// Or `--help` of the subcommand has the words above.
#[command(about = None, long_about = None)]
pub(super) struct Program {
    /// The package of the program
    #[arg(short, long, value_name = "NAME")]
    package: Option<OsString>,
    /// The program, of a package with several
    #[arg(long, value_name = "NAME", conflicts_with = "example")]
    bin: Option<OsString>,
    /// The example in place of a program
    #[arg(long, value_name = "NAME")]
    example: Option<OsString>,
    /// Features to build it with
    #[arg(short = 'F', long, value_name = "NAMES")]
    features: Option<OsString>,
}

impl Program {
    pub(super) fn package(&self) -> Option<&OsStr> {
        self.package.as_deref()
    }

    /// Says before a build that it would not be of one program.
    pub(super) fn is_one(&self) -> Result<(), String> {
        if self.bin.is_some() || self.example.is_some() {
            return Ok(());
        }
        match workspace::programs(self.package())?.as_deref() {
            Some([_]) | None => Ok(()),
            Some(names) => Err(not_one(names)),
        }
    }

    /// Tells Cargo.
    pub(super) fn name_to(&self, cargo: &mut Command) {
        for (name, value) in [
            ("--package", &self.package),
            ("--bin", &self.bin),
            ("--example", &self.example),
            ("--features", &self.features),
        ] {
            if let Some(value) = value {
                cargo.arg(name).arg(value);
            }
        }
    }
}

/// What is wrong with these programs, if they are not one.
pub(super) fn not_one<N: AsRef<str>>(names: &[N]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.is_empty() {
        true => "this package has no program: expected src/main.rs, or --example".to_owned(),
        false => format!(
            "there are several programs, {}: expected --package, --bin or --example to name one",
            names.join(", ")
        ),
    }
}
