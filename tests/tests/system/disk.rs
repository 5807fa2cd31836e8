//! A block device used by a unikernel in every way that there is, and by nobody else meanwhile.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use system_tests::{Guest, Target};
use tempfile::TempDir;

on_each_target! { a_disk_is_used_in_full, a_disk_has_one_user }

const OCTETS: u64 = 4 << 20;

fn image(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("disk.img");
    File::create(&path).unwrap().set_len(OCTETS).unwrap();
    path
}

fn guest(target: Target, image: &Path) -> Guest {
    let guest = Guest::build("disk-exercise", target);
    guest.option(format!("--block:disk={}", image.display()))
}

fn a_disk_is_used_in_full(target: Target) {
    let folder = TempDir::new().unwrap();
    let image = image(&folder);
    let outcome = guest(target, &image).run();
    // In an emulated machine the image is a disk, of which the tender gives nothing up.
    let discards = outcome.stdout.contains("discard true\n");
    assert!(discards || target == Target::Hvt, "{outcome}");
    outcome.assert_printed(&format!(
        "1048576 bytes at once, flush true, discard {discards}\n\
         2 bytes at offset 4194303 reach beyond the device's 4194304 bytes\n"
    ));
    let octets = fs::read(&image).unwrap();
    assert_eq!(octets.len() as u64, OCTETS);
    let pattern = |at: usize| (at * 7 + at / 251) as u8;
    for (at, octet) in octets.into_iter().enumerate() {
        let expected = match at {
            0..100 => 0,
            8192..0x10_2000 if discards => 0,
            100..0x20_044c => pattern(at - 100),
            0x3f_ffff => 9,
            _ => 0,
        };
        assert_eq!(octet, expected, "at {at}");
    }
}

fn a_disk_has_one_user(target: Target) {
    let folder = TempDir::new().unwrap();
    let image = image(&folder);
    let used = hostdev::BlockImage::open(&image, hostdev::BlockSize::default()).unwrap();
    let outcome = guest(target, &image).run_without_kvm();
    outcome.assert_error(1, "disk.img\" is in use");
    drop(used);
    assert!(fs::read(image).unwrap().iter().all(|&octet| octet == 0));
}
