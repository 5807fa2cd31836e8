//! The program `solo5-elftool`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use manifest_gen::Manifest;
use system_tests::host_program;

use crate::support::{TABLE, executable};

const SOURCE: &str = r#"{
  "type": "solo5.manifest",
  "version": 1,
  "devices": [ { "name": "service", "type": "NET_BASIC" } ]
}
"#;

/// An empty folder of the test's own.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn elftool(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(host_program("cargo-mkernel", "solo5-elftool"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The program need not read all of it.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Standard output of a run that succeeds without a word on standard error.
fn succeed(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let output = elftool(folder, arguments, input);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a run that fails without a word on standard output.
fn fail(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let output = elftool(folder, arguments, input);
    assert_eq!((output.status.code(), output.stdout), (Some(1), vec![]));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn gen_manifest_reads_and_writes_files_and_standard_streams() {
    let folder = folder("gen_manifest");
    fs::write(folder.join("manifest.json"), SOURCE).unwrap();
    let expected = Manifest::from_json(SOURCE.as_bytes()).unwrap().to_c();

    assert_eq!(
        succeed(&folder, &["gen-manifest", "-", "-"], SOURCE.as_bytes()),
        expected
    );
    assert_eq!(
        succeed(&folder, &["gen-manifest", "manifest.json", "-"], b""),
        expected
    );
    assert_eq!(
        succeed(
            &folder,
            &["gen-manifest", "manifest.json", "manifest.c"],
            b""
        ),
        ""
    );
    assert_eq!(
        fs::read_to_string(folder.join("manifest.c")).unwrap(),
        expected
    );
}

#[test]
fn gen_manifest_leaves_the_output_alone_when_the_source_is_bad() {
    let folder = folder("gen_manifest_bad");
    fs::write(folder.join("manifest.json"), "{\n\"colour\": 1}").unwrap();
    fs::write(folder.join("manifest.c"), "before").unwrap();
    let message = fail(
        &folder,
        &["gen-manifest", "manifest.json", "manifest.c"],
        b"",
    );
    assert_eq!(
        message,
        "solo5-elftool: manifest.json:2: (root): unknown key: \"colour\"\n"
    );
    assert_eq!(
        fs::read_to_string(folder.join("manifest.c")).unwrap(),
        "before"
    );
    fail(&folder, &["gen-manifest", "manifest.json", "none.c"], b"");
    assert!(!folder.join("none.c").exists());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = folder("unusable");
    fs::write(folder.join("manifest.json"), SOURCE).unwrap();
    for arguments in [
        ["gen-manifest", "missing", "-"].as_slice(),
        &["gen-manifest", "manifest.json", "missing/manifest.c"],
        &["query-abi", "missing"],
        &["query-manifest", "missing"],
    ] {
        let message = fail(&folder, arguments, b"");
        assert!(message.starts_with("solo5-elftool: missing"), "{message}");
        assert!(message.contains("No such file"), "{message}");
    }
    let message = fail(&folder, &["query-abi", "."], b"");
    assert!(message.starts_with("solo5-elftool: .: "), "{message}");
    // Endless, and no manifest.
    let message = fail(&folder, &["gen-manifest", "/dev/zero", "-"], b"");
    assert!(message.contains("source of 1048577 bytes"), "{message}");
}

#[test]
fn queries_read_files_and_standard_input() {
    let folder = folder("queries");
    fs::write(folder.join("unikernel"), executable()).unwrap();
    let abi = "{\n  \"type\": \"solo5.abi\",\n  \"target\": \"hvt\",\n  \"version\": 2\n}\n";
    assert_eq!(succeed(&folder, &["query-abi", "unikernel"], b""), abi);
    assert_eq!(succeed(&folder, &["query-abi", "-"], &executable()), abi);
    let manifest = "{\n  \"type\": \"solo5.manifest\",\n  \"version\": 1,\n  \"devices\": [\n    \
                    { \"name\": \"service0\", \"type\": \"NET_BASIC\" },\n    \
                    { \"name\": \"storage\", \"type\": \"BLOCK_BASIC\" }\n  ]\n}\n";
    assert_eq!(
        succeed(&folder, &["query-manifest", "unikernel"], b""),
        manifest
    );
    assert_eq!(
        succeed(&folder, &["query-manifest", "-"], &executable()),
        manifest
    );
}

#[test]
fn bad_executables_get_one_line_each() {
    let folder = folder("bad_executables");
    let whole = executable();
    let mut other = whole.clone();
    other[18] = 183;
    for (name, bytes, expected) in [
        ("empty", &whole[..0], "truncated: 64 bytes of ELF header"),
        (
            "cut",
            &whole[..TABLE + 100],
            "truncated: 280 bytes of program headers",
        ),
        ("arm", &other, "e_machine is 183, expected 62 (x86_64)"),
        (
            "text",
            b"#!/bin/sh\n".repeat(10).as_slice(),
            "not an ELF file",
        ),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
        for command in ["query-abi", "query-manifest"] {
            let message = fail(&folder, &[command, name], b"");
            assert!(
                message.starts_with(&format!("solo5-elftool: {name}: ")),
                "{message}"
            );
            assert!(message.contains(expected), "{message}");
            assert_eq!(message.lines().count(), 1);
        }
    }
}

#[test]
fn wrong_usage_is_answered_with_the_usage() {
    let folder = folder("usage");
    for arguments in [
        [].as_slice(),
        &["frobnicate"],
        &["query-abi"],
        &["query-abi", "a", "b"],
        &["query-manifest"],
        &["gen-manifest", "a"],
        &["gen-manifest", "a", "b", "c"],
    ] {
        let message = fail(&folder, arguments, b"");
        let expected =
            "solo5-elftool: expected a command and its files (try solo5-elftool --help)\n";
        assert_eq!(message, expected);
    }
    let help = succeed(&folder, &["--help"], b"");
    assert!(help.starts_with("usage: solo5-elftool COMMAND"), "{help}");
}
