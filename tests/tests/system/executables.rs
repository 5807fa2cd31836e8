//! What the toolchain makes: notes, segments, interpreter.

use std::fs::File;
use std::io;
use std::process::Command;

use manifest_gen::elf::Executable;
use solo5_abi::elf::{PF_W, PF_X, PT_LOAD};
use system_tests::{Guest, Target, host_program};
use tempfile::TempDir;

on_each_target! {
    query_manifest, linux_refuses_to_run_it;
    long: query_abi, write_xor_execute, optimised_write_xor_execute, images_hold_no_more_than_is_called,
}

const EXAMPLES: [&str; 5] = ["hello", "sleep", "block", "cmdline", "echo"];

fn elftool(command: &str, guest: &Guest) -> String {
    let output = Command::new(host_program("cargo-mkernel", "solo5-elftool"))
        .arg(command)
        .arg(guest.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn query_abi(target: Target) {
    let name = match target {
        Target::Spt => "spt",
        Target::Hvt => "hvt",
    };
    let expected = format!(
        "{{\n  \"type\": \"solo5.abi\",\n  \"target\": \"{name}\",\n  \"version\": 2\n}}\n"
    );
    assert_eq!(
        elftool("query-abi", &Guest::build("echo", target)),
        expected
    );
}

fn query_manifest(target: Target) {
    let manifest = |devices: &str| {
        format!(
            "{{\n  \"type\": \"solo5.manifest\",\n  \"version\": 1,\n  \"devices\": [{devices}]\n}}\n"
        )
    };
    let service = "\n    { \"name\": \"service\", \"type\": \"NET_BASIC\" }\n  ";
    assert_eq!(
        elftool("query-manifest", &Guest::build("echo", target)),
        manifest(service)
    );
    let disk = "\n    { \"name\": \"disk\", \"type\": \"BLOCK_BASIC\" }\n  ";
    assert_eq!(
        elftool("query-manifest", &Guest::build("block", target)),
        manifest(disk)
    );
    // A device that the program does not reach is not declared.
    let none = elftool("query-manifest", &Guest::build("hello", target));
    assert!(!none.contains("name"), "{none}");
}

fn write_xor_execute(target: Target) {
    for example in EXAMPLES {
        assert_write_xor_execute(&Guest::build(example, target));
    }
    assert_write_xor_execute(&Guest::build_release("std-exercise", target));
}

fn optimised_write_xor_execute(target: Target) {
    for example in ["hello", "echo"] {
        assert_write_xor_execute(&Guest::build_release(example, target));
    }
}

#[track_caller]
fn assert_write_xor_execute(guest: &Guest) {
    let executable = Executable::open(File::open(guest.path()).unwrap()).unwrap();
    let loaded = executable
        .program_headers()
        .iter()
        .filter(|header| header.kind == PT_LOAD);
    let flags: Vec<u32> = loaded.map(|header| header.flags).collect();
    let name = guest.path().display();
    assert!(
        flags.iter().any(|flags| flags & PF_X != 0),
        "{name}: {flags:?}"
    );
    assert!(
        flags
            .iter()
            .all(|flags| flags & (PF_W | PF_X) != PF_W | PF_X),
        "{name}: {flags:?}"
    );
}

/// Octets of the images as they are shipped, without symbols: `ci/size` says whose they are.
fn images_hold_no_more_than_is_called(target: Target) {
    let folder = TempDir::new().unwrap();
    let stripped = folder.path().join("stripped");
    // IPv6 is a hundred of echo's, which leaves DHCPv6 out.
    for (example, kib) in [("hello", 110), ("echo", 1010)] {
        let status = Command::new("strip")
            .arg("-o")
            .arg(&stripped)
            .arg(Guest::build_release(example, target).path())
            .status()
            .unwrap();
        assert!(status.success(), "strip: {status}");
        let octets = stripped.metadata().unwrap().len();
        assert!(
            octets <= kib << 10,
            "{example}: {octets} octets, expected {kib} KiB at most"
        );
    }
}

/// The interpreter that it names does not exist, so the kernel says that the file does not.
fn linux_refuses_to_run_it(target: Target) {
    let guest = Guest::build("hello", target);
    let error = Command::new(guest.path()).spawn().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let status = Command::new("sh")
        .arg("-c")
        .arg(guest.path())
        .output()
        .unwrap()
        .status;
    assert_eq!(status.code(), Some(127));
}
