//! Test suites of crates from crates.io, as their packages bring them: each test program in a unikernel of its own, on spt.
//!
//! Cargo tests packages of a workspace only. So this makes one of what Cargo has downloaded, in the target folder, whose test
//! programs mention `mkernel`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use system_tests::{Guest, Target, cargo, target_folder, workspace};

/// For a test program to run.
const LIMIT: Duration = Duration::from_secs(1_800);

#[test]
fn suite_of_polling() {
    suite("polling");
}

#[test]
fn suite_of_quinn_udp() {
    suite("quinn-udp");
}

#[test]
fn suite_of_async_io() {
    suite("async-io");
}

/// What the page says is left out of a suite: test programs, or some of their tests.
fn left_out(package: &str) -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(workspace().join("docs/what-runs.md")).unwrap();
    let mut left_out = BTreeMap::<String, Vec<String>>::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, tests, _why] = cells[..] else {
            continue;
        };
        if name != package {
            continue;
        }
        for test in tests.split('`').skip(1).step_by(2) {
            let (program, test) = test.split_once("::").unwrap_or((test, ""));
            let tests = left_out.entry(program.to_owned()).or_default();
            tests.push(test.to_owned());
        }
    }
    left_out
}

/// Where Cargo has the package, of the release in the workspace's lock file.
fn source(package: &str) -> PathBuf {
    let mut command = cargo();
    command.args(["metadata", "--locked", "--format-version=1"]);
    let output = command.output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|other| other["name"] == package);
    let found = found.unwrap_or_else(|| panic!("no {package} in Cargo.lock"));
    let manifest = Path::new(found["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().to_path_buf()
}

/// Copies the package to where it is a workspace with `mkernel`; the test programs that it has.
fn prepare(package: &str, place: &Path) -> Vec<String> {
    let _ = fs::remove_dir_all(place);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let mut copy = Command::new("cp");
    let copied = copy.arg("-r").arg(source(package)).arg(place).status();
    assert!(copied.unwrap().success());
    fs::copy(workspace().join("Cargo.lock"), place.join("Cargo.lock")).unwrap();
    let manifest = place.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let mkernel = workspace().join("crates/mkernel");
    // Those that it is tested with may depend on it themselves. The libraries are those of the workspace's guests, with the
    // same debug information.
    let text = format!(
        "{text}\n\
        [dev-dependencies.mkernel]\npath = {mkernel:?}\nfeatures = [\"posix\"]\n\
        [patch.crates-io.{package}]\npath = \".\"\n\
        [workspace]\n\
        [profile.dev]\ndebug = \"line-tables-only\"\nbuild-override.debug = false\n"
    );
    fs::write(manifest, text).unwrap();
    let mut programs = Vec::new();
    for entry in fs::read_dir(place.join("tests")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{text}\nuse mkernel as _;\n")).unwrap();
            programs.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    programs.sort();
    programs
}

/// Builds test programs, and gives the path of each.
fn build(place: &Path, programs: &[&String]) -> Vec<(String, PathBuf)> {
    let mut command = cargo();
    // In the workspace's folder, whose configuration of Cargo is the one to be used.
    command
        .args(["test", "-q", "--no-run", "--message-format=json"])
        .args(["--target", Target::Spt.triple()])
        .args(programs.iter().flat_map(|program| ["--test", program]))
        .arg("--target-dir")
        .arg(target_folder())
        .arg("--manifest-path")
        .arg(place.join("Cargo.toml"));
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let messages = String::from_utf8(output.stdout).unwrap();
    let messages = messages
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let messages: Vec<Value> = messages.collect();
    let said = messages
        .iter()
        .filter_map(|it| it["message"]["rendered"].as_str());
    assert!(
        output.status.success(),
        "{}{errors}",
        said.collect::<String>()
    );
    let built = messages.iter().filter_map(|message| {
        let path = message["executable"].as_str()?;
        let name = message["target"]["name"].as_str()?;
        Some((name.to_owned(), PathBuf::from(path)))
    });
    built.collect()
}

/// A unikernel whose device, if it has one, leads nowhere.
fn guest(program: &Path, wire: &Path) -> Guest {
    let manifest = manifest_gen::query_manifest(File::open(program).unwrap()).unwrap();
    let guest = Guest::file(program, Target::Spt)
        .option("--mem=512")
        .limit(LIMIT);
    match manifest.contains("\"service\"") {
        true => guest.option(format!("--net:service=unix:{}", wire.display())),
        false => guest,
    }
}

/// All tests of a package's programs that are not left out succeed.
fn suite(package: &str) {
    let left_out = left_out(package);
    let place = target_folder().join("suites").join(package);
    let programs = prepare(package, &place);
    for left_out in left_out.keys() {
        assert!(programs.contains(left_out), "{package} has no {left_out}");
    }
    let is_left_out = |program: &String| {
        left_out
            .get(program)
            .is_some_and(|tests| tests[0].is_empty())
    };
    let programs: Vec<&String> = programs
        .iter()
        .filter(|program| !is_left_out(program))
        .collect();
    let wires = tempfile::tempdir().unwrap();
    let mut all = 0;
    for (name, program) in build(&place, &programs) {
        let guest = guest(&program, &wires.path().join(&name));
        let skipped = left_out.get(&name).map_or(&[][..], |tests| tests);
        let listed = guest.clone().argument("--list").run().stdout;
        let mut guest = guest.argument("--exact");
        for test in skipped {
            assert!(
                listed.contains(&format!("{test}: test\n")),
                "{name} has no {test}"
            );
            guest = guest.argument("--skip").argument(test);
        }
        let outcome = guest.run();
        let counted = outcome.stdout.split("test result: ok. ").nth(1);
        let counted = counted.and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        assert_eq!(outcome.status, 0, "{package}, {name}: {outcome}");
        let counted = counted.unwrap_or_else(|| panic!("{package}, {name}: {outcome}"));
        println!("{package} {name}: {counted} tests");
        all += counted;
    }
    assert!(all > 0, "{package} has no tests");
}
