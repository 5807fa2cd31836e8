//! Databases on files of a disk, ended in the middle of what they write.

use std::fs::File;

use nix::sys::signal::Signal;
use system_tests::Guest;
use tempfile::TempDir;

use super::build;

/// For each database.
const KILLS: u64 = 60;

/// With a new disk, which is there as long as the directory.
pub(super) fn with_disk(guest: Guest) -> (TempDir, Guest) {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("disk.img");
    File::create(&image).unwrap().set_len(64 << 20).unwrap();
    let option = format!("--block:storage={}", image.display());
    (directory, guest.option(option))
}

/// Every row whose commit has returned is there when the unikernel is started again, and the database is whole.
fn outlives_kills(name: &str) {
    let (_directory, guest) = with_disk(build("databases"));
    let guest = guest.argument(name).argument("forever");
    let mut last = 0;
    for kill in 0..KILLS {
        let mut running = guest.start();
        running.wait_for(&format!("\n{}\n", last + 3 + kill * 7 % 31));
        running.signal(Signal::SIGKILL);
        let outcome = running.wait();
        assert_eq!(outcome.status, 128 + 9, "{outcome}");
        let found = outcome
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix("found "));
        let found: u64 = found.unwrap().parse().unwrap();
        // One more may have become durable without having been printed.
        assert!((last..=last + 1).contains(&found), "{found} after {last}");
        let whole = &outcome.stdout[..outcome.stdout.rfind('\n').unwrap() + 1];
        last = whole
            .lines()
            .filter_map(|line| line.parse().ok())
            .next_back()
            .unwrap();
    }
    println!("{name}: {KILLS} kills, {last} rows");
}

#[test]
fn rusqlite_outlives_kills() {
    outlives_kills("rusqlite");
}

#[test]
fn rusqlite_with_a_write_ahead_log_outlives_kills() {
    outlives_kills("rusqlite-wal");
}

#[test]
fn redb_outlives_kills() {
    outlives_kills("redb");
}

#[test]
fn sled_outlives_kills() {
    outlives_kills("sled");
}

#[test]
fn fjall_outlives_kills() {
    outlives_kills("fjall");
}
