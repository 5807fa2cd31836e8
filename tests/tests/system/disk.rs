//! A block device used by a unikernel in every way that there is, and by nobody else meanwhile.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use system_tests::{Guest, Target};
use tempfile::TempDir;

on_each_target! {
    a_disk_is_used_in_full;
    long: a_disk_has_one_user, tasks_share_the_partitions_of_a_disk,
}

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

/// Gives an image three partitions.
fn partition(image: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new("sfdisk")
        .arg("--quiet")
        .arg(image)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("sfdisk, of the package fdisk");
    let script = b"label: gpt\nstart=64, size=2500\nstart=4160, size=2500\nstart=7000, size=1000\n";
    child.stdin.take().unwrap().write_all(script).unwrap();
    assert!(child.wait().unwrap().success());
}

fn tasks_share_the_partitions_of_a_disk(target: Target) {
    let folder = TempDir::new().unwrap();
    let image = image(&folder);
    partition(&image);
    let first: Vec<u8> = (0..2500 * 512)
        .map(|at| (at * 7 + at / 251) as u8)
        .collect();
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&first, 64 * 512).unwrap();
    drop(file);
    let outcome = Guest::build("disk-tasks", target)
        .option(format!("--block:disk={}", image.display()))
        .run();
    outcome.assert_printed(
        "1: 1280000 octets at 32768\n\
         2: 1280000 octets at 2129920\n\
         3: 512000 octets at 3584000\n\
         1280000 octets copied\n\
         30 flushes beside as many\n",
    );
    let octets = fs::read(&image).unwrap();
    assert!(octets[4160 * 512..][..first.len()] == first);
    let records: Vec<u8> = octets[7000 * 512..][..32 * 5000]
        .chunks(5000)
        .map(|record| record[0])
        .collect();
    assert_eq!(records, (1..=32).collect::<Vec<u8>>());
}
