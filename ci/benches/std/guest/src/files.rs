//! Files, in memory and on a disk: `/tmp` and the device `storage` in a unikernel, a tmpfs and the current folder on Linux.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::repeat;

/// Octets of a small file, of what is read or written at once of a large one, and of that.
const SMALL: usize = 4 << 10;
const PIECE: usize = 64 << 10;
const LARGE: u64 = 16 << 20;

/// The nanoseconds of one of what the case does.
pub fn measure(case: &str, length: Duration) -> Result<f64> {
    let (what, place) = case.rsplit_once('-').context("no place")?;
    let place = Path::new(match (place, cfg!(solo5)) {
        ("memory", true) => "/tmp",
        ("memory", false) => "/dev/shm",
        ("disk", true) => "/",
        ("disk", false) => ".",
        _ => bail!("{case}: no such case"),
    });
    let path = place.join("std-guest.data");
    let time = match what {
        "file" => repeat(length, || small(&path).is_ok()),
        "write" | "read" => large(&path, what == "write", length)?,
        _ => bail!("{case}: no such case"),
    };
    Ok(time)
}

/// A new file is written, read and removed.
fn small(path: &Path) -> io::Result<()> {
    fs::write(path, [7; SMALL])?;
    assert_eq!(fs::read(path)?.len(), SMALL);
    fs::remove_file(path)
}

/// The next piece of a large file is written or read, over and over.
fn large(path: &Path, writes: bool, length: Duration) -> io::Result<f64> {
    let mut piece = vec![7; PIECE];
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    for at in (0..LARGE).step_by(PIECE) {
        file.write_all_at(&piece, at)?;
    }
    let mut at = 0;
    let time = repeat(length, || {
        at = (at + PIECE as u64) % LARGE;
        match writes {
            true => file.write_all_at(&piece, at).is_ok(),
            false => file.read_exact_at(&mut piece, at).is_ok(),
        }
    });
    fs::remove_file(path)?;
    Ok(time)
}
