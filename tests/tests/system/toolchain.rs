//! What Cargo does with `--target x86_64-solo5-…`: the linkers, the test harness, the runner, and the
//! messages of programs that do not link.

use std::fs;
use std::process::Command;
use std::time::Duration;

use manifest_gen::query_manifest;
use system_tests::{
    Guest, Network, Outcome, Running, Target, cargo, host_program, target_folder, workspace,
};

on_each_target! {
    cargo_run;
    long: cargo_test, what_a_program_shares_with_backtraces_is_in_its_image,
}

/// What chooses GNU ld instead of rust-lld.
const GNU_LD: &str = "-Clinker-features=-lld";

fn outcome(command: Command) -> Outcome {
    Running::start(command, Duration::from_secs(500)).wait()
}

/// Crates of many kinds, and a documentation test.
fn cargo_test(target: Target) {
    let mut command = cargo();
    command.args(["test", "-p", "crates-exercise", "--target", target.triple()]);
    let all = outcome(command);
    assert_eq!(all.status, 0, "{all}");
    for text in ["test result: ok. 16 passed", "test result: ok. 1 passed"] {
        assert!(all.stdout.contains(text), "no {text:?}\n{all}");
    }

    let mut command = cargo();
    command.args(["test", "-p", "crates-exercise", "--test", "crates"]);
    command.args(["--target", target.triple(), "--", "regex", "--nocapture"]);
    let filtered = outcome(command);
    assert_eq!(filtered.status, 0, "{filtered}");
    assert!(
        filtered
            .stdout
            .contains("1 passed; 0 failed; 0 ignored; 0 measured; 15 filtered out")
    );
}

fn cargo_run(target: Target) {
    let mut command = cargo();
    command.args([
        "run",
        "-q",
        "-p",
        "std-exercise",
        "--target",
        target.triple(),
    ]);
    command.args([
        "--",
        "--mem=32",
        "--",
        "arguments",
        "two  words",
        "--",
        "it's",
    ]);
    outcome(command).assert_printed("std-exercise\n\"two  words\"\n\"--\"\n\"it's\"\n");
}

/// What reads debugging information is left out of images, but not where the program itself has use for it.
fn what_a_program_shares_with_backtraces_is_in_its_image(target: Target) {
    Guest::build("folded", target).run().assert_printed("7\n");
}

/// Builds the program of `package` for spt in a target folder of its own, compiled with `flags`, which its libraries are not.
fn build(package: &str, flags: &str, folder: &str, more: &[&str]) -> Outcome {
    let mut command = cargo();
    command
        .args(["rustc", "-q", "-p", package, "--bin", package])
        .args(["--target", Target::Spt.triple(), "--target-dir"])
        .arg(workspace().join("target").join(folder))
        .args(more)
        .arg("--")
        .args(flags.split_whitespace())
        // What is compiled for it anyway, and for the host, is there.
        .env("CARGO_BUILD_BUILD_DIR", target_folder());
    outcome(command)
}

fn built(folder: &str, profile: &str, package: &str) -> Guest {
    let path = [folder, Target::Spt.triple(), profile, package];
    let path = path
        .iter()
        .fold(workspace().join("target"), |path, part| path.join(part));
    Guest::file(path, Target::Spt)
}

#[test]
fn spt_gnu_ld() {
    for (profile, option) in [("debug", "--profile=dev"), ("release", "--profile=release")] {
        let outcome = build("std-exercise", GNU_LD, "gnu-ld", &[option]);
        assert_eq!(outcome.status, 0, "{outcome}");
        let outcome = built("gnu-ld", profile, "std-exercise")
            .argument("all")
            .run();
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
    }
}

/// What the environment asks of C compilers does not reach the bindings, where it would break them.
#[test]
fn spt_bindings_withstand_cflags() {
    let mut command = cargo();
    command
        .args(["build", "-q", "-p", "std-exercise", "--target"])
        .args([Target::Spt.triple(), "--target-dir"])
        .arg(workspace().join("target/cflags"))
        .env("CFLAGS", "-flto -msse2 -fPIE -mred-zone");
    let outcome = outcome(command);
    assert_eq!(outcome.status, 0, "{outcome}");
    let outcome = built("cflags", "debug", "std-exercise")
        .argument("all")
        .run();
    assert_eq!(outcome.status, 0, "{outcome}");
    assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
}

#[test]
fn spt_missing_symbols_are_named() {
    for (flags, folder) in [("", "rust-lld"), (GNU_LD, "gnu-ld")] {
        let outcome = build("missing-symbol", flags, folder, &[]);
        outcome.assert_error(101, "note: Solo5 lacks `popen`: Solo5 has no processes");
        outcome.assert_error(
            101,
            "note: Solo5 lacks `if_nametoindex`, which the crate `missing_symbol` wants: \
             Solo5 has no sockets; TCP, UDP and name resolution are in netstack",
        );
        // C code's, which its header declares.
        outcome.assert_error(
            101,
            "note: Solo5 lacks `strtod`, which the crate `missing_symbol` wants: nolibc reads whole numbers only",
        );
    }
}

/// One device, whoever declares it and however often; of those that nothing reaches, none.
#[test]
fn spt_devices_of_one_name_are_one() {
    for flags in ["", GNU_LD] {
        for (profile, option) in [("debug", "--profile=dev"), ("release", "--profile=release")] {
            let folder = if flags.is_empty() {
                "rust-lld"
            } else {
                "gnu-ld"
            };
            let outcome = build("device-names", flags, folder, &[option]);
            assert_eq!(outcome.status, 0, "{outcome}");
            let guest = built(folder, profile, "device-names");
            let json = query_manifest(fs::File::open(guest.path()).unwrap()).unwrap();
            let devices: Vec<&str> = json.lines().filter(|line| line.contains("name")).collect();
            let expected = [
                r#"    { "name": "disk", "type": "BLOCK_BASIC" },"#,
                r#"    { "name": "service", "type": "NET_BASIC" },"#,
                r#"    { "name": "uplink", "type": "NET_BASIC" }"#,
            ];
            assert_eq!(devices, expected, "{json}");
        }
    }
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(4096).unwrap();
    Network::with(|network| {
        network.add_tap("names0", "10.0.0.1/24");
        network.add_tap("names1", "10.0.1.1/24");
        let guest = built("gnu-ld", "release", "device-names")
            .option(format!("--block:disk={}", image.path().display()))
            .option("--net:service=names0")
            .option("--net:uplink=names1");
        let again = "device \"disk\" of type BLOCK_BASIC: acquired already, or not attached\n";
        let expected = format!(
            "disk: 4096 bytes\n{}service: MTU 1500\n\
             uplink: MTU 1500, offload true, frames of 24 to 65559 bytes\n",
            again.repeat(3)
        );
        guest.run().assert_printed(&expected);
    });
}

#[test]
fn spt_a_name_declared_in_two_ways_does_not_link() {
    for (flags, folder) in [("", "rust-lld"), (GNU_LD, "gnu-ld")] {
        let outcome = build("device-clash", flags, folder, &[]);
        outcome.assert_error(101, "solo5_device_disk_is_declared_in_two_ways");
        outcome.assert_error(101, "solo5_device_spare_is_declared_in_two_ways");
    }
}

#[test]
fn spt_stack_size_is_the_users() {
    let flags = "-Clink-arg=-Wl,--defsym=__solo5_stack_size=0x1000000";
    let outcome = build("std-exercise", flags, "stack-size", &[]);
    assert_eq!(outcome.status, 0, "{outcome}");
    let guest = built("stack-size", "debug", "std-exercise")
        .argument("exit")
        .argument("3");
    let outcome = guest.clone().option("--mem=16").run();
    outcome.assert_error(1, "do not fit the 0x1000000 bytes of memory");
    assert_eq!(guest.option("--mem=32").run().status, 3);
}

/// Runs the wrapper as Cargo would for a program without dependencies.
fn wrapper() -> Outcome {
    let folder = workspace().join("target/wrapper");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("empty.rs"), "fn main() {}").unwrap();
    let mut command = Command::new(host_program("cargo-mkernel", "solo5-rustc"));
    command
        .args(["rustc", "--crate-type", "bin", "--emit=link", "empty.rs"])
        .args(["--target", Target::Spt.triple()])
        .env_remove("CARGO_PKG_NAME")
        .current_dir(folder);
    outcome(command)
}

#[test]
fn spt_a_program_without_nolibc_is_told() {
    wrapper().assert_error(1, "add `mkernel` (or `solo5-nolibc`)");
}

/// The other wrapper is run with rustc and its arguments behind its own.
#[test]
fn spt_other_wrappers_are_run() {
    let folder = workspace().join("target/wrapper-chain");
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(host_program("cargo-mkernel", "solo5-rustc"));
    command
        .args(["rustc", "--print", "cfg", "--target", Target::Spt.triple()])
        .env("SOLO5_RUSTC_WRAPPER", "echo wrapped:")
        .current_dir(folder);
    let outcome = outcome(command);
    assert_eq!(outcome.status, 0, "{outcome}");
    let start = "wrapped: rustc --print cfg --target=x86_64-unknown-linux-gnu --cfg solo5";
    assert!(outcome.stdout.starts_with(start), "{outcome}");
}
