//! Which of a workspace's programs Cargo builds.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use clap::Args;

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
