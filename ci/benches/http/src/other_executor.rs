//! `examples/http` with a throughput-first executor: the same sources, built against the crate in
//! `ci/benches/http/async-executor` where miou-rs would be.
//!
//! A dependency that is a path cannot be replaced by an option of Cargo's, so there is a second workspace under
//! `target/`, which consists of links to the first one's folders, but for this one crate.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use bench_common::build;

/// Builds the unikernel, and returns its path.
pub fn build(root: &Path, package: &str) -> Result<PathBuf> {
    let tree = root.join("target/bench/http/async-executor");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(tree.join("crates/miou-rs"))?;
    fs::create_dir_all(tree.join("examples"))?;
    for entry in fs::read_dir(root.join("crates"))? {
        let name = entry?.file_name();
        if name != "miou-rs" {
            let place = Path::new("crates").join(&name);
            symlink(root.join(&place), tree.join(&place))?;
        }
    }
    // The compiler that `.cargo` names is in `ci`; development dependencies are read, too.
    let others = [
        ".cargo",
        "ci",
        "vendor",
        "examples/http",
        "tests",
        "rust-toolchain.toml",
    ];
    for name in others {
        symlink(root.join(name), tree.join(name))?;
    }
    fs::copy(root.join("Cargo.lock"), tree.join("Cargo.lock"))?;
    let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
    let members = workspace
        .lines()
        .find(|line| line.starts_with("members = "))
        .context("the workspace's Cargo.toml has no line of members")?;
    let fewer = workspace.replace(members, r#"members = ["crates/*", "examples/http"]"#);
    fs::write(tree.join("Cargo.toml"), fewer)?;

    let executor = root.join("ci/benches/http/async-executor");
    let real = root.join("crates/miou-rs").display().to_string();
    let manifest = replaced(
        &executor.join("Cargo.toml"),
        "../../../../crates/miou-rs",
        &real,
    )?;
    let place = tree.join("crates/miou-rs");
    fs::write(place.join("Cargo.toml"), manifest)?;
    symlink(executor.join("src"), place.join("src"))?;

    let target = "x86_64-solo5-spt";
    let folder = root.join("target/benches/async-executor");
    let into = format!("--target-dir={}", folder.display());
    let arguments = ["--release", "-p", package, "--target", target, &into];
    build::cargo_build(&tree, &arguments, &[])?;
    Ok(folder.join(target).join("release").join(package))
}

/// What a file says, with one thing in it replaced.
fn replaced(file: &Path, from: &str, to: &str) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let found = text.matches(from).count();
    ensure!(
        found == 1,
        "{}: expected {from:?} once, found it {found} times",
        file.display()
    );
    Ok(text.replace(from, to))
}
