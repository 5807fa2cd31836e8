//! Databases on files of a disk, ended in the middle of what they write.

use system_tests::{Guest, promise_until_killed};
use tempfile::TempDir;

use super::build;

/// For each database.
const KILLS: u64 = 60;

/// With a new disk, which is there as long as the directory.
pub(super) fn with_disk(guest: Guest) -> (TempDir, Guest) {
    guest.with_disk("storage", 64 << 20)
}

/// Every row whose commit has returned is there when the unikernel is started again, and the database is whole.
fn outlives_kills(name: &str) {
    let (_directory, guest) = with_disk(build("databases"));
    let guest = guest.argument(name).argument("forever");
    let mut last = 0;
    for kill in 0..KILLS {
        last = promise_until_killed(&guest, last, 3 + kill * 7 % 31);
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
