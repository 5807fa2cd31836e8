//! Parts of the bindings in programs of the host, where they can be looked at without booting.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::c_guest::{scratch, vendor};

/// Compiles `vendor/solo5/tests/SOURCE` with these flags and runs it; its exit status and what it printed.
fn run(source: &str, flags: &[&str]) -> (Option<i32>, String) {
    let program: PathBuf = scratch(&format!("host.{source}{}", flags.concat()));
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let compiled = Command::new(compiler)
        .args(["-std=gnu11", "-I"])
        .arg(vendor().join("include"))
        .arg("-I")
        .arg(vendor().join("bindings"))
        .args(flags)
        .arg(vendor().join("tests").join(source))
        .arg("-o")
        .arg(&program)
        .output()
        .expect("the C compiler can be run");
    let errors = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{source} {flags:?}: {errors}");
    let output = Command::new(&program)
        .output()
        .expect("what was compiled can be run");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), printed)
}

/// The status is the first size that went wrong.
#[test]
fn memory_functions_are_right_at_each_size_and_optimisation_level() {
    for level in ["-O0", "-O1", "-O2", "-O3", "-Os"] {
        let flags = [level, "-ffreestanding", "-mno-sse"];
        assert_eq!(run("memory_functions.c", &flags).0, Some(0), "{level}");
    }
}

#[test]
fn clock_of_spt_is_the_hosts_and_asks_it_seldom() {
    let (status, printed) = run("spt_clock.c", &["-O2"]);
    assert_eq!(status, Some(0), "{printed}");
}

#[test]
fn clock_of_hvt_keeps_time_however_often_it_is_read() {
    let (status, printed) = run("hvt_clock.c", &["-O2"]);
    assert_eq!(status, Some(0), "{printed}");
}
