//! What Cargo runs in place of rustc and of the C compiler.

use std::fs;

use crate::{folder, outcome, program, script};

/// rustc, its arguments and the other wrapper may have spaces in their paths.
#[test]
fn the_wrapper_keeps_words_whole() {
    let (_outer, folder) = folder("words");
    let rustc = script(&folder, "my rustc", "for word; do echo \"$word\"; done");
    let other = script(&folder, "other wrapper", "echo wrapped; exec \"$@\"");
    let mut command = program("solo5-rustc");
    command
        .arg(&rustc)
        .args(["--crate-name", "a", "src/two words.rs", "--target"])
        .args(["x86_64-solo5-hvt", "-C", "metadata=1"])
        .env("SOLO5_RUSTC_WRAPPER", &other);
    let (status, stdout, stderr) = outcome(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    let start = "wrapped\n--crate-name=a\nsrc/two words.rs\n--target=x86_64-unknown-linux-gnu\n-Cmetadata=1\n--cfg\nsolo5\n--cfg\n\
                 solo5=\"hvt\"\n";
    assert!(stdout.starts_with(start), "{stdout}");

    let mut command = program("solo5-rustc");
    command.arg(&rustc).arg("--target=x86_64-solo5-stp");
    let expected =
        "error: no target x86_64-solo5-stp: expected x86_64-solo5-spt or x86_64-solo5-hvt\n";
    let refused = (Some(1), String::new(), expected.to_owned());
    assert_eq!(outcome(&mut command), refused);

    // Nothing is changed for a host.
    let mut command = program("solo5-rustc");
    command
        .arg(&rustc)
        .args(["--crate-name", "a", "--target", "x86_64-unknown-linux-gnu"]);
    let (_, stdout, _) = outcome(&mut command);
    assert_eq!(
        stdout,
        "--crate-name\na\n--target\nx86_64-unknown-linux-gnu\n"
    );
    // But for what the code of a workspace may ask.
    let mut command = program("solo5-rustc");
    command.arg(&rustc).args(["--check-cfg", "cfg(a)"]);
    let (_, stdout, _) = outcome(&mut command);
    let asked = "cfg(solo5,values(none(),\"hvt\",\"spt\"))";
    assert_eq!(
        stdout,
        format!("--check-cfg\ncfg(a)\n--check-cfg\n{asked}\n")
    );
}

/// Cargo has the arguments in a file where they would be too long, and flags of a user's may be in one.
#[test]
fn the_wrapper_reads_arguments_from_files() {
    let (_outer, folder) = folder("argument file");
    let rustc = script(
        &folder,
        "rustc",
        "for word; do case $word in @*) cat \"${word#@}\"; echo;; *) echo \"$word\";; esac; done",
    );
    let file = folder.join("arguments");
    let words = "--crate-name\na\n--out-dir\n.\n--target\nx86_64-solo5-spt\n";
    fs::write(&file, words).unwrap();
    let mut command = program("solo5-rustc");
    command
        .arg(&rustc)
        .arg(format!("@{}", file.display()))
        .current_dir(&folder);
    let (status, stdout, stderr) = outcome(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    let start = "--crate-name=a\n--out-dir=.\n--target=x86_64-unknown-linux-gnu\n--cfg\nsolo5\n";
    assert!(stdout.starts_with(start), "{stdout}");
    // What it wrote itself is gone.
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);

    let mut command = program("solo5-rustc");
    command.arg(&rustc).arg("@nowhere").current_dir(&folder);
    let (status, _, stderr) = outcome(&mut command);
    assert_eq!(status, Some(1));
    let expected = "error: cannot read the arguments in nowhere: No such file";
    assert!(stderr.starts_with(expected), "{stderr}");
}

#[test]
fn a_compiler_that_fails_and_is_too_old_is_told_of() {
    let (_outer, folder) = folder("old");
    for (version, told) in [("1.80.1 (3f5fd8dd4 2024-08-06)", true), ("2.0.0", false)] {
        let text = format!("[ \"$1\" = --version ] && echo 'rustc {version}' || exit 3");
        let rustc = script(&folder, "rustc", &text);
        let mut command = program("solo5-rustc");
        command.arg(&rustc).arg("--target=x86_64-solo5-spt");
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(3));
        let minimum = env!("CARGO_PKG_RUST_VERSION");
        let note = format!("note: this is rustc {version}: expected {minimum} or newer ");
        assert_eq!(stderr.starts_with(&note), told, "{stderr}");
    }
}

/// The headers come from the program itself, wherever it is.
#[test]
fn the_c_compiler_finds_headers_without_a_checkout() {
    let (_outer, folder) = folder("headers");
    fs::write(
        folder.join("a.c"),
        "#include <stddef.h>\n#include <sys/types.h>\n#include <stdio.h>\nsize_t f(void) { return sizeof(off_t); }\n",
    )
    .unwrap();
    for _ in 0..2 {
        let mut command = program("solo5-cc");
        command
            .args(["-c", "a.c", "-o", "a.o", "-H"])
            .env_remove("CC")
            .env("OUT_DIR", &folder)
            .current_dir(&folder);
        let (status, _, stderr) = outcome(&mut command);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(stderr.contains("a headers/solo5-include-"), "{stderr}");
        assert!(!stderr.contains("/usr/include"), "{stderr}");
    }
    // An empty variable is none.
    let mut command = program("solo5-cc");
    command
        .args(["-c", "a.c", "-o", "a.o", "-H"])
        .env_remove("CC")
        .env_remove("OUT_DIR")
        .env("XDG_CACHE_HOME", "")
        .env("HOME", &folder)
        .current_dir(&folder);
    let (status, _, stderr) = outcome(&mut command);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("a headers/.cache/solo5-include-"),
        "{stderr}"
    );
}
