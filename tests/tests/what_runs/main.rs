//! Crates from crates.io in a unikernel: `docs/what-runs.md` says which run, and each of its rows is tried here, on spt.
//!
//! The programs are those of `tests/crates`, one for each heading of the page, and `postgres`, which wants a server. They
//! take long to build, so this is run by `ci/long crates`. That of `services` speaks with others, too.

mod databases;
mod postgres;
mod services;
mod suites;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use system_tests::{Guest, Network, Outcome, Running, Target, cargo, target_folder, workspace};

/// A row of the page's tables.
struct Row {
    krate: String,
    release: String,
    runs: bool,
    text: String,
}

/// The rows under the heading `group`.
fn rows(group: &str) -> Vec<Row> {
    let page = fs::read_to_string(workspace().join("docs/what-runs.md")).unwrap();
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(&format!("{group}:")))
        .unwrap_or_else(|| panic!("no heading {group:?}"));
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [krate, release, runs, text] = cells[..] else {
            panic!("not four cells: {line}");
        };
        assert!(matches!(runs, "yes" | "no"), "{line}");
        Row {
            krate: krate.trim_matches('`').to_owned(),
            release: release.to_owned(),
            runs: runs == "yes",
            text: text.to_owned(),
        }
    });
    rows.collect()
}

fn folder() -> PathBuf {
    workspace().join("tests/crates")
}

fn build(group: &str) -> Guest {
    /// Cargo works on one at a time anyway, and the limit is for one.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Without debug information, and so without libraries in common.
    let target = target_folder().join("crates");
    let mut command = cargo();
    command
        .args(["build", "-q", "--locked", "-p", group])
        .args(["--target", Target::Spt.triple(), "--target-dir"])
        .arg(&target)
        .current_dir(folder());
    let outcome = Running::start(command, Duration::from_secs(3_600)).wait();
    assert_eq!(outcome.status, 0, "{outcome}");
    let program = target.join(Target::Spt.triple()).join("debug").join(group);
    Guest::file(program, Target::Spt).option("--mem=512")
}

/// Whether the workspace's lock file has this release of a crate.
fn is_locked(lock: &str, row: &Row) -> bool {
    let name = row.krate.split(' ').next().unwrap_or_default();
    lock.split("[[package]]").any(|package| {
        package.contains(&format!("\nname = \"{name}\"\n"))
            && package.contains(&format!("\nversion = \"{}.", row.release))
    })
}

fn check(outcome: &Outcome, row: &Row) {
    let krate = &row.krate;
    let ok = outcome.stdout.ends_with(&format!("{krate}: ok\n"));
    assert_eq!(ok && outcome.status == 0, row.runs, "{krate}: {outcome}");
    if !row.runs {
        let said = row.text.split('`').nth(1).unwrap_or_default();
        assert!(!said.is_empty(), "{krate}: what it says is not quoted");
        assert!(outcome.stdout.contains(said), "no {said:?}\n{outcome}");
    }
}

/// Every row does what the page says, in a unikernel of its own, and there are no others.
fn group(name: &str, guest: &Guest) {
    let rows = rows(name);
    let lock = fs::read_to_string(folder().join("Cargo.lock")).unwrap();
    let listed = guest.clone().argument("--list").run().stdout;
    let listed: BTreeSet<&str> = listed.lines().collect();
    let expected: BTreeSet<&str> = rows.iter().map(|row| row.krate.as_str()).collect();
    assert_eq!(listed, expected);
    for row in &rows {
        assert!(is_locked(&lock, row), "{} {}", row.krate, row.release);
        check(&guest.clone().argument(&row.krate).run(), row);
        println!("{} {}", row.krate, row.release);
    }
}

/// A group of what needs no device.
fn alone(name: &str) {
    group(name, &build(name));
}

/// A group of what keeps files.
fn with_disk(name: &str) {
    let (_directory, guest) = databases::with_disk(build(name));
    group(name, &guest);
}

/// A group of what can reach the network.
fn with_network(name: &str) {
    let guest = build(name).option("--net:service=tap0");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        group(name, &guest);
    });
}

/// Makes a test for each group.
macro_rules! groups {
    ($($run:ident: $($name:ident)*;)*) => {
        $($(#[test] fn $name() { $run(stringify!($name)) })*)*

        /// Each heading is tried.
        #[test]
        fn the_page_has_no_other_groups() {
            let page = fs::read_to_string(workspace().join("docs/what-runs.md")).unwrap();
            let tables = page.split("\n## ").filter(|section| section.contains("\n| `"));
            let names: Vec<&str> = tables.filter_map(|section| section.split(':').next()).collect();
            assert_eq!(names, [$($(stringify!($name)),*),*]);
        }
    };
}

groups! {
    alone: encoding cryptography compression protocols storage;
    with_disk: databases;
    alone: runtime;
    with_network: services;
}
