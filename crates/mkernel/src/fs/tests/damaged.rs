//! Images with octets changed, and cut short: errors at most, and never a wait without end.

use std::io::Read;
use std::process::Command;

use blockdev::{BlockDevice, MemoryDevice};

use super::images::{Files, device, image, run};
use crate::fs::{FileSystem, FileType, mount};

/// Reads all there is, within bounds; returns how many calls failed.
fn walk(mounted: &FileSystem, path: &str, depth: usize) -> usize {
    let Ok(entries) = mounted.read_dir(path) else {
        return 1;
    };
    let mut failed = 0;
    for entry in entries.iter().take(24) {
        let path = format!("{path}/{}", entry.name);
        failed += usize::from(mounted.metadata(&path).is_err());
        match entry.file_type {
            FileType::Directory if depth > 0 => failed += walk(mounted, &path, depth - 1),
            _ => {
                let Ok(file) = mounted.open(&path) else {
                    failed += 1;
                    continue;
                };
                let outcome = file.take(200_000).read_to_end(&mut Vec::new());
                failed += usize::from(outcome.is_err());
            }
        }
    }
    failed
}

fn try_all(original: &BlockDevice<MemoryDevice>, seeds: u64) {
    let (mut refused, mut failed) = (0, 0);
    for seed in 1..=seeds {
        let mut octets = original.get_ref().as_bytes().to_vec();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Most of what matters stands at the front.
        for _ in 0..1 + seed % 40 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let range = if state & 1 == 0 {
                128 << 10
            } else {
                octets.len()
            };
            let at = (state >> 20) as usize % range.min(octets.len());
            octets[at] = (state >> 8) as u8;
        }
        if seed.is_multiple_of(10) {
            octets.truncate(octets.len() / 1024 * 512);
        }
        match mount(device(octets)) {
            Err(_) => refused += 1,
            Ok(mounted) => failed += walk(&mounted, "", 3),
        }
    }
    // If no change is ever seen the test tests nothing.
    assert!(refused + failed > 0, "{seeds} changes, none noticed");
}

fn small() -> Files {
    let files = Files::with_many(30);
    std::fs::remove_file(files.path().join("large.bin")).expect("a file");
    files
}

#[test]
fn tar() {
    let original = image(&small().with_links(), |from, to| {
        run(Command::new("tar")
            .arg("-C")
            .arg(from)
            .arg("-cf")
            .arg(to)
            .arg("."));
    });
    try_all(&original, 100);
}

#[test]
fn ext4() {
    let original = image(&small().with_links(), |from, to| {
        run(Command::new("mkfs.ext4")
            .args(["-q", "-O", "^metadata_csum,^has_journal", "-d"])
            .arg(from)
            .arg(to)
            .arg("8M"));
    });
    try_all(&original, 100);
}

#[test]
fn squashfs() {
    let original = image(&small().with_links(), |from, to| {
        run(Command::new("mksquashfs")
            .arg(from)
            .arg(to)
            .args(["-quiet", "-noI", "-noD", "-noF"]));
    });
    try_all(&original, 100);
}

#[test]
fn fat() {
    for (width, kib, seeds) in [("12", "4096", 60), ("32", "34000", 20)] {
        let original = image(&small(), |from, to| {
            super::fat::format(width, kib, to);
            super::fat::fill(from, to);
        });
        try_all(&original, seeds);
    }
}
