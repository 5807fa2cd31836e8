//! Files of std on a disk: the cases of `tests/guests/std-storage`.

use std::process::Command;
use std::time::Duration;

use system_tests::{Guest, PowerCut, Running, Target, host_program, promise_until_killed};
use tempfile::TempDir;

/// `ci/long` has more of them.
const KILLS: u64 = if cfg!(feature = "long") { 300 } else { 30 };
const CUTS: u64 = if cfg!(feature = "long") { 100 } else { 3 };
const SEEDS: u64 = if cfg!(feature = "long") { 100 } else { 4 };

on_each_target! {
    what_nobody_syncs_is_written_at_the_end;
    long: calls_come_to_what_they_come_to_on_linux,
}

/// A guest on an image of its own, which lasts as long as the directory.
fn guest(target: Target) -> (TempDir, Guest) {
    Guest::build("std-storage", target).with_disk("storage", 64 << 20)
}

fn case(guest: &Guest, arguments: &[&str]) -> String {
    let guest = guest.clone();
    let outcome = arguments
        .iter()
        .fold(guest, |guest, it| guest.argument(it))
        .run();
    assert_eq!(outcome.status, 0, "{outcome}");
    outcome.stdout
}

/// The lines of a trace, without what the tender says.
fn steps(text: &str) -> Vec<&str> {
    let start = text.find("0: ").expect("a trace");
    let lines = text[start..].lines();
    lines
        .take_while(|line| !line.starts_with("Solo5:"))
        .collect()
}

fn calls_come_to_what_they_come_to_on_linux(target: Target) {
    let (directory, guest) = guest(target);
    let program = host_program("std-storage", "std-storage");
    let seeds: Vec<u64> = (0..SEEDS).collect();
    for seed in target.some(&seeds, 1) {
        let here = directory.path().join(seed.to_string());
        let mut command = Command::new(&program);
        command.args(["trace", &seed.to_string()]).arg(here);
        let expected = Running::start(command, Duration::from_secs(120)).wait();
        assert_eq!(expected.status, 0, "{expected}");
        // On the disk, and in memory.
        for folder in ["", "/tmp"] {
            let folder = format!("{folder}/{seed}");
            let found = case(&guest, &["trace", &seed.to_string(), &folder]);
            let (expected, found) = (steps(&expected.stdout), steps(&found));
            for (expected, found) in expected.iter().zip(&found) {
                assert_eq!(found, expected, "seed {seed} in {folder}");
            }
            assert_eq!(found.len(), expected.len(), "seed {seed} in {folder}");
        }
    }
}

/// Also what the program's own handlers write, the first of them last.
fn what_nobody_syncs_is_written_at_the_end(target: Target) {
    for leaves in ["leave", "save"] {
        let (_directory, guest) = guest(target);
        case(&guest, &[leaves]);
        let found = case(&guest, &["find"]);
        assert!(found.contains("behind\n"), "{leaves}: {found}");
    }
}

#[test]
fn spt_a_device_with_something_else_on_it_is_left_alone() {
    let (directory, guest) = guest(Target::Spt);
    std::fs::write(directory.path().join("disk.img"), vec![1; 1 << 20]).expect("room");
    let outcome = guest.argument("leave").run();
    assert_eq!(outcome.status, 1, "{outcome}");
    let said = "cannot use the device \"storage\": it holds something that is no file system";
    assert!(outcome.stdout.starts_with(said), "{outcome}");
}

#[test]
fn spt_what_was_promised_outlives_every_kill() {
    let (_directory, guest) = guest(Target::Spt);
    let guest = guest.argument("count");
    let mut last = 0;
    for kill in 0..KILLS {
        last = promise_until_killed(&guest, last, 2 + kill * 7 % 19);
    }
    assert!(last > KILLS);
}

#[test]
fn spt_what_was_promised_outlives_every_cut() {
    let mut disk = PowerCut::new(4 << 20);
    let guest = Guest::build("std-storage", Target::Spt).argument("count");
    let mut last = 0;
    for cut in 0..CUTS {
        let option = format!("--block:storage={}", disk.device().display());
        last = promise_until_killed(&guest.clone().option(option), last, 5 + cut * 7 % 19);
        disk.cut();
    }
    assert!(last > CUTS);
}
