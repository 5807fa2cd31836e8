//! A unikernel and how to boot it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::build::{self, Profile, Target, host_program, workspace};
use crate::process::{Outcome, Running};

/// A unikernel with the options of its tender and its own arguments.
///
/// The bindings are told to be quiet, so that standard output is the program's alone, unless [`Guest::log`] is called.
#[derive(Clone, Debug)]
pub struct Guest {
    unikernel: PathBuf,
    target: Target,
    options: Vec<OsString>,
    arguments: Vec<OsString>,
    log: bool,
    signals: bool,
    limit: Duration,
}

impl Guest {
    /// Builds the program of `package`, unoptimised.
    pub fn build(package: &str, target: Target) -> Self {
        Self::file(build::unikernel(package, target, Profile::Dev), target)
    }

    /// Builds the program of `package`, optimised.
    pub fn build_release(package: &str, target: Target) -> Self {
        Self::file(build::unikernel(package, target, Profile::Release), target)
    }

    /// A unikernel that exists already.
    pub fn file(unikernel: impl Into<PathBuf>, target: Target) -> Self {
        Self {
            unikernel: unikernel.into(),
            target,
            options: Vec::new(),
            arguments: Vec::new(),
            log: false,
            signals: false,
            limit: Duration::from_secs(240),
        }
    }

    /// Adds an option of the tender, such as `--mem=64`.
    #[must_use]
    pub fn option(mut self, option: impl Into<OsString>) -> Self {
        self.options.push(option.into());
        self
    }

    /// Adds a block device, a new disk of so many zeros, which is there as long as the directory.
    pub fn with_disk(self, name: &str, octets: u64) -> (TempDir, Self) {
        let directory = tempfile::tempdir().expect("a directory");
        let image = directory.path().join("disk.img");
        let made = File::create(&image).and_then(|file| file.set_len(octets));
        made.expect("room for an image");
        let option = format!("--block:{name}={}", image.display());
        (directory, self.option(option))
    }

    /// Adds an argument of the program.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Leaves the bindings' messages on.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Has [`Running::signal`] reach the tender also where that runs in an emulated machine, which it otherwise ends.
    #[must_use]
    pub fn hand_on_signals(mut self) -> Self {
        self.signals = true;
        self
    }

    /// Ends the run, and fails the test, after `limit` (240 s unless set).
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The file that is booted.
    pub fn path(&self) -> &Path {
        &self.unikernel
    }

    /// Runs the tender on this machine, also where it has no KVM: for what must fail before a virtual machine starts.
    pub fn run_without_kvm(&self) -> Outcome {
        let mut command = Command::new(self.tender());
        command.args(&self.options).arg("--").arg(&self.unikernel);
        Running::start(command, self.limit).wait()
    }

    /// Boots the unikernel and waits for its end.
    pub fn run(&self) -> Outcome {
        self.start().wait()
    }

    /// Boots the unikernel. It ends with the value returned, at the latest.
    pub fn start(&self) -> Running {
        Running::start(self.command(), self.limit)
    }

    fn tender(&self) -> PathBuf {
        match self.target {
            Target::Spt => host_program("cargo-mkernel", "solo5-spt"),
            Target::Hvt => host_program("cargo-mkernel", "solo5-hvt"),
        }
    }

    /// What `cargo run --target` runs.
    fn command(&self) -> Command {
        let mut command = Command::new(host_program("cargo-mkernel", "solo5-run"));
        match self.target {
            Target::Spt => command.env("SOLO5_TENDER", self.tender()),
            Target::Hvt => command
                .env("SOLO5_TENDER", workspace().join("ci/hvt"))
                .env("SOLO5_HVT", self.tender()),
        };
        // What the guest prints is the test's to read.
        command.env_remove("RUST_BACKTRACE");
        // The driver's own limit comes first; this one is for a driver that died.
        command.env("HVT_SECONDS", (self.limit.as_secs() + 30).to_string());
        if self.signals {
            command.env("HVT_SIGNALS", "1");
        }
        command.arg(&self.unikernel).args(&self.options).arg("--");
        if self.log {
            command.arg("--solo5:info");
        }
        command.args(&self.arguments);
        command
    }
}
