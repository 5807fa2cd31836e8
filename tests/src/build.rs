//! Building guests and host programs with Cargo, each at most once in a test process.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a unikernel is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A process under seccomp.
    Spt,
    /// A virtual machine.
    Hvt,
}

impl Target {
    /// The name given to `cargo --target`.
    pub fn triple(self) -> &'static str {
        match self {
            Self::Spt => "x86_64-solo5-spt",
            Self::Hvt => "x86_64-solo5-hvt",
        }
    }

    /// The cases to boot a unikernel for: on spt all, and on hvt as many of them as `few` or less, from here and there, as
    /// each boots a machine, which is emulated as a rule. `ci/long hvt` has all.
    pub fn some<T>(self, cases: &[T], few: usize) -> impl Iterator<Item = &T> {
        let step = match self {
            Self::Hvt if !cfg!(feature = "long") => cases.len().div_ceil(few).max(1),
            Self::Hvt | Self::Spt => 1,
        };
        cases.iter().step_by(step)
    }
}

/// The Cargo profile that a guest is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Unoptimised.
    Dev,
    /// Optimised.
    Release,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// The workspace's root folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a folder of the workspace")
}

/// Cargo, in the workspace's root folder.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Where Cargo puts what it builds.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Builds the unikernel of `package` and returns its path.
pub(crate) fn unikernel(package: &str, target: Target, profile: Profile) -> PathBuf {
    let arguments = ["--target", target.triple(), "--profile", profile.name()];
    cargo_build(package, package, &arguments);
    target_folder()
        .join(target.triple())
        .join(profile.folder())
        .join(package)
}

/// Builds the host program `binary` of `package` and returns its path.
pub fn host_program(package: &str, binary: &str) -> PathBuf {
    cargo_build(package, binary, &[]);
    target_folder().join("debug").join(binary)
}

fn cargo_build(package: &str, binary: &str, arguments: &[&str]) {
    /// Who wants what is built already waits for no other build.
    type Built = Mutex<HashMap<String, Arc<OnceLock<Result<(), String>>>>>;
    static BUILT: OnceLock<Built> = OnceLock::new();

    let arguments: Vec<&str> = ["build", "-q", "-p", package, "--bin", binary]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let mut built = BUILT
        .get_or_init(Built::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let one = built.entry(arguments.join(" ")).or_default().clone();
    drop(built);
    let result = one.get_or_init(|| {
        let output = cargo()
            .args(&arguments)
            .output()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    });
    if let Err(message) = result {
        panic!("cargo {} failed:\n{message}", arguments.join(" "));
    }
}
