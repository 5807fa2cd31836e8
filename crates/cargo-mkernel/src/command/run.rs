//! `cargo mkernel run`.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use clap::Args;

use super::program::Program;
use super::{say, workspace};
use crate::machine;
use crate::run::{Abi, beside_us};

#[derive(Args)]
pub(super) struct Run {
    /// Boot it in a virtual machine, on KVM
    #[arg(long, conflicts_with = "spt")]
    hvt: bool,
    /// Boot it as a process behind a filter of system calls
    #[arg(long)]
    spt: bool,
    #[command(flatten)]
    program: Program,
    /// Build it optimised
    #[arg(short, long, conflicts_with = "profile")]
    release: bool,
    /// The profile to build it with
    #[arg(long, value_name = "NAME")]
    profile: Option<OsString>,
    /// Options of the tender, another `--`, and the program's own arguments
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl Run {
    pub(super) fn run(&self) -> Result<ExitCode, String> {
        workspace::check(self.profile.as_deref(), self.program.package())?;
        let abi = self.abi();
        let mut cargo = cargo();
        cargo.args(["run", "--target", abi.triple()]);
        self.program.name_to(&mut cargo);
        if let Some(profile) = &self.profile {
            cargo.arg("--profile").arg(profile);
        }
        if self.release {
            cargo.arg("--release");
        }
        if !self.arguments.is_empty() {
            cargo.arg("--").args(&self.arguments);
        }
        with_our_wrapper(&mut cargo)?;
        let error = cargo.exec();
        Err(format!("cannot run {:?}: {error}", cargo.get_program()))
    }

    /// What was asked for, otherwise what this machine has.
    fn abi(&self) -> Abi {
        if self.hvt {
            return Abi::Hvt;
        }
        if self.spt {
            return Abi::Spt;
        }
        match machine::kvm() {
            Ok(()) => {
                say("mkernel: hvt, a virtual machine: KVM works here (--spt for a process)");
                Abi::Hvt
            }
            Err(reason) => {
                say(format_args!(
                    "mkernel: spt, a confined process: {reason} (--hvt for a virtual machine all the same)"
                ));
                Abi::Spt
            }
        }
    }
}

/// The Cargo that runs this, or the one on `PATH`. Those of our programs that are not on `PATH` it finds beside this one.
pub(super) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let ours = env::current_exe().ok();
    let ours = ours.iter().filter_map(|path| path.parent());
    if let Some(path) = env::var_os("PATH") {
        let folders = env::split_paths(&path).chain(ours.map(Path::to_owned));
        if let Ok(path) = env::join_paths(folders) {
            cargo.env("PATH", path);
        }
    }
    cargo
}

/// Whether a wrapper of rustc's is ours.
pub(super) fn is_ours(wrapper: &Path) -> bool {
    wrapper
        .file_name()
        .is_some_and(|name| name == "solo5-rustc")
}

/// Another wrapper in the environment, before which Cargo would not run ours, is put behind ours.
pub(super) fn with_our_wrapper(cargo: &mut Command) -> Result<(), String> {
    for variable in ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"] {
        let Some(other) = env::var_os(variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        if is_ours(Path::new(&other)) {
            return Ok(());
        }
        let ours = beside_us("solo5-rustc").ok_or(
            "no solo5-rustc beside cargo-mkernel: `cargo install cargo-mkernel` installs both",
        )?;
        say(format_args!(
            "mkernel: {variable}={} is run by solo5-rustc; without cargo mkernel, set SOLO5_RUSTC_WRAPPER to it and {variable} to \
             solo5-rustc",
            other.display()
        ));
        cargo
            .env_remove("CARGO_BUILD_RUSTC_WRAPPER")
            .env("RUSTC_WRAPPER", ours)
            .env("SOLO5_RUSTC_WRAPPER", other);
        return Ok(());
    }
    Ok(())
}
