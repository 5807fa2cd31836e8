//! Building what is measured, with Cargo.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The repository's root folder.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here).to_owned()
}

/// Another program of the benchmark's own package, built with this one.
///
/// # Errors
///
/// When the path of this program is not to be had.
pub fn beside_us(name: &str) -> Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

/// `cargo build` in a checkout, with these arguments and environment.
///
/// # Errors
///
/// When it fails.
pub fn cargo_build(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let status = Command::new("cargo")
        .args(["build", "--quiet"])
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "cargo build {arguments:?}: {status}");
    Ok(())
}

/// The tender of a checkout, built in release mode.
///
/// # Errors
///
/// When it does not build.
pub fn tender(root: &Path, name: &str) -> Result<PathBuf> {
    cargo_build(root, &["--release", "--bin", name], &[])?;
    Ok(root.join("target/release").join(name))
}

/// The unikernel of a checkout's package for `solo5-spt`, built in `profile`.
///
/// # Errors
///
/// When it does not build.
pub fn unikernel(root: &Path, package: &str, profile: &str) -> Result<PathBuf> {
    let target = "x86_64-solo5-spt";
    let arguments = ["--profile", profile, "-p", package, "--target", target];
    cargo_build(root, &arguments, &[])?;
    Ok(root.join("target").join(target).join(profile).join(package))
}
