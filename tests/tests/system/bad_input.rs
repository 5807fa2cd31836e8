//! Files, options and devices that are no good: status 1 and one line that says what was wrong.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use manifest_gen::elf::Executable;
use solo5_abi::elf::PT_LOAD;
use system_tests::{Guest, Network, Outcome, Target};
use tempfile::TempDir;

on_each_target! {
    wrong_abi, unknown_option, no_memory, unattached_device;
    long: no_such_file, not_an_executable, truncated_executable, malformed_option, five_gigabytes_of_memory,
    undeclared_device, device_of_the_other_type, image_of_odd_size, image_that_does_not_exist, block_size_that_is_none,
    interface_that_does_not_exist, interface_that_is_down,
}

/// Panics unless the tender ended with status 1, having printed nothing but one line with all of `texts`.
#[track_caller]
fn assert_refused(outcome: &Outcome, texts: &[&str]) {
    assert_eq!(outcome.status, 1, "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    let first = outcome.stderr.lines().next().unwrap_or_default();
    for text in texts {
        assert!(
            first.contains(text),
            "expected {text:?} in the first line\n{outcome}"
        );
    }
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
}

/// A file of this content in a folder that goes when it is dropped.
fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn no_such_file(target: Target) {
    let outcome = Guest::file("/nonexistent/unikernel", target).run_without_kvm();
    assert_refused(&outcome, &["/nonexistent/unikernel", "No such file"]);
}

fn not_an_executable(target: Target) {
    let (_folder, path) = file(
        "text",
        b"#!/bin/sh\necho this is no unikernel, and long enough for an ELF header\n",
    );
    assert_refused(
        &Guest::file(&path, target).run_without_kvm(),
        &[path.to_str().unwrap(), "not an ELF file"],
    );
}

fn truncated_executable(target: Target) {
    let whole = fs::read(Guest::build("hello", target).path()).unwrap();
    let executable = Executable::open(Cursor::new(&whole)).unwrap();
    let loaded = executable
        .program_headers()
        .iter()
        .filter(|header| header.kind == PT_LOAD);
    let end = loaded
        .map(|header| header.offset + header.filesz)
        .max()
        .unwrap();
    for length in [0, 1, 63, 64, 200, end as usize / 2, end as usize - 1] {
        let (_folder, path) = file("truncated", &whole[..length]);
        assert_refused(
            &Guest::file(&path, target).run_without_kvm(),
            &[path.to_str().unwrap(), "truncated"],
        );
    }
}

fn wrong_abi(target: Target) {
    let other = match target {
        Target::Spt => Target::Hvt,
        Target::Hvt => Target::Spt,
    };
    let guest = Guest::file(Guest::build("hello", other).path(), target);
    assert_refused(&guest.run_without_kvm(), &["ABI", "hvt", "spt"]);
}

fn unknown_option(target: Target) {
    assert_refused(
        &Guest::build("hello", target)
            .option("--frobnicate=7")
            .run_without_kvm(),
        &["--frobnicate=7"],
    );
}

fn malformed_option(target: Target) {
    for option in [
        "--mem=much",
        "--mem",
        "--net:service",
        "--net-mac:service=12:34",
        "--block-sector-size:disk=x",
    ] {
        assert_refused(
            &Guest::build("hello", target)
                .option(option)
                .run_without_kvm(),
            &[option],
        );
    }
}

fn no_memory(target: Target) {
    assert_refused(
        &Guest::build("hello", target)
            .option("--mem=0")
            .run_without_kvm(),
        &["--mem=0"],
    );
    // Less than where the unikernel is loaded.
    assert_refused(
        &Guest::build("hello", target)
            .option("--mem=1")
            .run_without_kvm(),
        &["memory"],
    );
}

/// Above 4 GiB of address space, which hvt's guest page tables do not cover; spt has no such limit.
fn five_gigabytes_of_memory(target: Target) {
    let guest = Guest::build("hello", target).option("--mem=5120");
    match target {
        Target::Spt => guest.run().assert_printed("Hello World!\n"),
        Target::Hvt => assert_refused(&guest.run_without_kvm(), &["5120 MiB", "expected at most"]),
    }
}

fn undeclared_device(target: Target) {
    assert_refused(
        &Guest::build("echo", target)
            .option("--net:nonesuch=tap0")
            .run_without_kvm(),
        &["nonesuch", "service"],
    );
}

fn unattached_device(target: Target) {
    assert_refused(
        &Guest::build("echo", target).run_without_kvm(),
        &["service", "not attached"],
    );
    assert_refused(
        &Guest::build("block", target).run_without_kvm(),
        &["disk", "not attached"],
    );
}

fn device_of_the_other_type(target: Target) {
    let (_folder, image) = file("disk.img", &[0; 512]);
    let option = format!("--block:service={}", image.display());
    assert_refused(
        &Guest::build("echo", target)
            .option(option)
            .run_without_kvm(),
        &["--block:service"],
    );
}

fn image_of_odd_size(target: Target) {
    for (size, found) in [(1000, "1000"), (0, "empty"), (511, "511")] {
        let (_folder, image) = file("disk.img", &vec![0; size]);
        let option = format!("--block:disk={}", image.display());
        assert_refused(
            &Guest::build("block", target)
                .option(option)
                .run_without_kvm(),
            &["disk", found, "512"],
        );
    }
    // Whole sectors, but not whole blocks of the size asked for.
    let (_folder, image) = file("disk.img", &[0; 1536]);
    let guest = Guest::build("block", target).option(format!("--block:disk={}", image.display()));
    assert_refused(
        &guest
            .option("--block-sector-size:disk=1024")
            .run_without_kvm(),
        &["disk", "1536", "1024"],
    );
}

fn image_that_does_not_exist(target: Target) {
    let outcome = Guest::build("block", target)
        .option("--block:disk=/nonexistent/disk.img")
        .run_without_kvm();
    assert_refused(&outcome, &["disk", "/nonexistent/disk.img", "No such file"]);
}

fn block_size_that_is_none(target: Target) {
    for size in ["0", "521", "256", "65536"] {
        let option = format!("--block-sector-size:disk={size}");
        assert_refused(
            &Guest::build("block", target)
                .option(option)
                .run_without_kvm(),
            &[size, "power of two"],
        );
    }
}

fn interface_that_does_not_exist(target: Target) {
    let guest = Guest::build("echo", target).option("--net:service=tap9");
    Network::with(|_| assert_refused(&guest.run_without_kvm(), &["service", "tap9"]));
}

fn interface_that_is_down(target: Target) {
    let guest = Guest::build("echo", target).option("--net:service=tap0");
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        network.set_down("tap0");
        assert_refused(&guest.run_without_kvm(), &["service", "tap0"]);
    });
}
