//! What Cargo says of a workspace, and what it has to be told before it builds unikernels.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::run::{cargo, is_ours};
use super::template::PROFILE;

/// Says before a build what Cargo has worse words for.
pub(super) fn check(profile: Option<&OsStr>, package: Option<&OsStr>) -> Result<(), String> {
    let here = env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    if !here
        .ancestors()
        .any(|folder| folder.join("Cargo.toml").exists())
    {
        return Err(format!(
            "no Cargo.toml from {} up: `cargo mkernel new NAME` makes a project",
            here.display()
        ));
    }
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let told = here.ancestors().map(|folder| folder.join(".cargo"));
    let told = told.chain(cargo_home).any(|folder| {
        let text = fs::read_to_string(folder.join("config.toml"));
        text.is_ok_and(|text| text.contains("solo5-rustc"))
    });
    if !told && env::var_os("RUSTC_WRAPPER").is_none_or(|it| !is_ours(Path::new(&it))) {
        return Err(format!(
            "no .cargo/config.toml from {} up names solo5-rustc: `cargo mkernel init` writes one",
            here.display()
        ));
    }
    if profile == Some(OsStr::new("stripped")) {
        let root = root(&here)?.join("Cargo.toml");
        let text = fs::read_to_string(&root).unwrap_or_default();
        if !text.contains("[profile.stripped]") {
            return Err(format!(
                "{} has no profile `stripped`, which no dependency can bring along: add to it, or have `cargo mkernel init` \
                 add,\n\n{PROFILE}",
                root.display()
            ));
        }
    }
    match package.and_then(OsStr::to_str) {
        Some(package) => is_member(package, &packages(&here)?),
        None => Ok(()),
    }
}

/// Cargo takes a dependency's name as well, and finds no program there.
fn is_member(package: &str, members: &[Value]) -> Result<(), String> {
    let Some(name) = name_of(package) else {
        return Ok(());
    };
    if members.iter().any(|member| member["name"] == name) {
        return Ok(());
    }
    let in_folder = members.iter().find(|member| folder(member).ends_with(name));
    let expected = match in_folder {
        Some(member) => format!("the one in {} is", folder(member).display()),
        None => "expected one of".to_owned(),
    };
    let names = members.iter().filter(|member| match in_folder {
        Some(one) => *member == one,
        None => has_program(member),
    });
    let names: Vec<&str> = names.filter_map(|member| member["name"].as_str()).collect();
    Err(format!(
        "no package {name} in this workspace: {expected} {}",
        names.join(", ")
    ))
}

/// What a package is called by this, which may have a version behind it; none if that is a URL or a pattern: Cargo's affair.
fn name_of(package: &str) -> Option<&str> {
    let name = package.split('@').next()?;
    (!name.is_empty() && !name.contains(['/', '#', '*', '?', '['])).then_some(name)
}

fn has_program(package: &Value) -> bool {
    programs_of(package).next().is_some()
}

fn programs_of(package: &Value) -> impl Iterator<Item = &Value> {
    let targets = package["targets"].as_array().into_iter().flatten();
    targets.filter(|target| {
        let kinds = target["kind"].as_array();
        kinds.is_some_and(|kinds| kinds.contains(&Value::from("bin")))
    })
}

/// The programs that Cargo would build of a package or, if none is named, of those that it takes for meant in the current
/// folder; without those that want a feature. Nothing if Cargo alone knows which package is named.
pub(super) fn programs(package: Option<&OsStr>) -> Result<Option<Vec<String>>, String> {
    let name = package.and_then(|package| name_of(package.to_str()?));
    if package.is_some() && name.is_none() {
        return Ok(None);
    }
    let here = env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let metadata = metadata(&here)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let nearest = here
        .ancestors()
        .find(|folder| folder.join("Cargo.toml").exists());
    let is_here = |package: &&Value| Some(folder(package)) == nearest;
    let here = packages.clone().find(is_here);
    let default = metadata["workspace_default_members"].as_array();
    let meant = packages.filter(|it| match (name, here) {
        (Some(name), _) => it["name"] == name,
        (None, Some(here)) => *it == here,
        (None, None) => default.is_some_and(|default| default.contains(&it["id"])),
    });
    let programs = meant.flat_map(programs_of);
    let programs = programs.filter(|program| program.get("required-features").is_none());
    let names = programs.filter_map(|program| program["name"].as_str());
    Ok(Some(names.map(str::to_owned).collect()))
}

fn folder(package: &Value) -> &Path {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    manifest.parent().unwrap_or(manifest)
}

/// The folder of the workspace that a package belongs to, which may be its own.
pub(super) fn root(folder: &Path) -> Result<PathBuf, String> {
    let words = ["locate-project", "--workspace", "--message-format=plain"];
    let output = ask(folder, &words)?;
    let path = String::from_utf8_lossy(&output);
    let parent = Path::new(path.trim_end()).parent();
    parent.map(Path::to_owned).ok_or_else(|| {
        format!("cargo locate-project says {path:?}: expected the path of a Cargo.toml")
    })
}

/// Whether the package in a folder depends on another; nothing if there are but members of a workspace there.
pub(super) fn depends(on: &Path, dependency: &str) -> Result<Option<bool>, String> {
    let canonical = fs::canonicalize(on).map_err(|error| format!("{}: {error}", on.display()))?;
    let packages = packages(&canonical)?;
    let package = packages.iter().find(|package| folder(package) == canonical);
    Ok(package.map(|package| {
        let dependencies = package["dependencies"].as_array();
        let mut dependencies = dependencies.into_iter().flatten();
        dependencies.any(|one| one["name"] == dependency)
    }))
}

fn metadata(folder: &Path) -> Result<Value, String> {
    let output = ask(folder, &["metadata", "--no-deps", "--format-version=1"])?;
    serde_json::from_slice(&output)
        .map_err(|error| format!("cargo metadata says what is no JSON: {error}"))
}

/// The members of the workspace around a folder.
fn packages(folder: &Path) -> Result<Vec<Value>, String> {
    let mut metadata = metadata(folder)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        other => Err(format!("cargo metadata says packages: {other}")),
    }
}

/// What Cargo prints, which says itself what is wrong.
fn ask(folder: &Path, words: &[&str]) -> Result<Vec<u8>, String> {
    let output = cargo()
        .args(words)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(format!(
            "{}: cargo {} did not succeed",
            folder.display(),
            words[0]
        )),
    }
}
