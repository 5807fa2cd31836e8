//! FAT images: made, filled and checked by the tools that everybody has.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use blockdev::{BlockDevice, MemoryDevice};
use tempfile::NamedTempFile;

use super::images::{Files, compare, device, image, run};
use super::read::{errors, random_access};
use crate::fs::{Format, mount};

/// Widths of the table in bits, and sizes of an image for each in KiB.
pub(super) const WIDTHS: [(&str, &str); 3] = [("12", "16384"), ("16", "32768"), ("32", "65536")];

/// A thousand files in one directory for FAT16, a few for the others: without optimization it takes long.
pub(super) fn files(width: &str) -> (Files, usize) {
    let many = if width == "16" { 1000 } else { 50 };
    (Files::with_many(many), many + 6)
}

/// An empty file system.
pub(super) fn format(width: &str, kib: &str, to: &Path) {
    run(Command::new("mkfs.fat")
        .args(["-F", width, "-C"])
        .args(if width == "32" { &["-s", "1"][..] } else { &[] })
        .arg(to)
        .arg(kib));
}

pub(super) fn fill(from: &Path, to: &Path) {
    let names = fs::read_dir(from).expect("a directory");
    run(Command::new("mcopy")
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .args(["-s", "-m", "-Q", "-i"])
        .arg(to)
        .args(names.map(|entry| entry.expect("an entry").path()))
        .arg("::/"));
}

/// What `fsck.fat` says of an image that it does not change.
pub(super) fn check(octets: &[u8]) -> Output {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), octets).expect("an image");
    Command::new("/usr/sbin/fsck.fat")
        .arg("-n")
        .arg(file.path())
        .output()
        .expect("fsck.fat; ci/setup installs it")
}

pub(super) fn assert_clean(disk: &BlockDevice<MemoryDevice>) {
    let output = check(disk.get_ref().as_bytes());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("irty"), "{said}");
}

#[test]
fn every_width_is_read() {
    for (width, kib) in WIDTHS {
        let (files, count) = files(width);
        let device = image(&files, |from, to| {
            format(width, kib, to);
            fill(from, to);
        });
        let mounted = mount(device).expect("a file system");
        assert_eq!(mounted.format(), Format::Fat);
        assert_eq!(compare(&mounted, files.path()), count, "FAT{width}");
        random_access(&mounted);
        errors(&mounted);
    }
}

#[test]
fn what_only_looks_like_fat_is_refused() {
    let mut sector = vec![0; 4096];
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    for (at, value) in [(0, 0xeb), (12, 2), (13, 1), (16, 2)] {
        assert!(mount(device(sector.clone())).is_err());
        sector[at] = value;
    }
    assert!(mount(device(sector)).is_err());
}
