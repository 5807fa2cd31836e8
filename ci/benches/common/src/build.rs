//! Building what is measured, with Cargo.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

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

/// The program in the folder `guest` of a benchmark, a package outside of the workspace, for `target`, in release mode.
///
/// # Errors
///
/// When it does not build.
pub fn guest(root: &Path, benchmark: &str, target: &str) -> Result<PathBuf> {
    let package = root.join("ci/benches").join(benchmark).join("guest");
    let folder = root.join("target/benches").join(benchmark);
    let into = format!("--target-dir={}", folder.display());
    cargo_build(&package, &["--release", "--target", target, &into], &[])?;
    let release = folder.join(target).join("release");
    let program = release.join(format!("{benchmark}-guest"));
    fs::metadata(&program).with_context(|| program.display().to_string())?;
    Ok(program)
}
