//! Compiles the guest bindings of `vendor/solo5` and puts them and the linker script where the
//! final link finds them.
//!
//! Does nothing on a host build. On a guest build (`CARGO_CFG_SOLO5` is `hvt` or `spt`):
//!
//! - `solo5_hvt.o` or `solo5_spt.o`, and the linker scripts, go to the output directory;
//! - that directory is put on the link search path, so that `-T solo5_hvt.lds -l:solo5_hvt.o`,
//!   which `solo5-rustc` passes for each program, finds them from wherever the linker
//!   is run;
//! - with `SOLO5_BINDINGS` set, upstream's object and script are taken from that directory instead.
//!
//! The object is not linked into this crate's rlib: a program that has no use for the crate needs
//! it all the same, once.
//!
//! Dependent crates see `DEP_SOLO5_INCLUDE` (the C headers) and, on a guest build,
//! `DEP_SOLO5_LIB` (the output directory).

use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/flags.rs"]
mod flags;
#[path = "build/upstream.rs"]
mod upstream;

/// Where the vendored sources lie, from this manifest. In the repository `vendor` is a link to the
/// top-level folder; in a published package it is a folder.
const VENDOR: &str = "vendor/solo5";

/// Each file under [`VENDOR`] that an object is made from, or that one of those includes.
const SOURCES: &[&str] = &[
    "bindings/common/base.h",
    "bindings/common/cmdline.c",
    "bindings/common/log.c",
    "bindings/common/manifest.c",
    "bindings/common/memory_functions.c",
    "bindings/common/stack_protector.c",
    "bindings/common/start.c",
    "bindings/common/tls.c",
    "bindings/common/tsc.h",
    "bindings/common/yield.c",
    "bindings/hvt/block.c",
    "bindings/hvt/clock.c",
    "bindings/hvt/entry.c",
    "bindings/hvt/hypercall.h",
    "bindings/hvt/net.c",
    "bindings/hvt/platform.c",
    "bindings/hvt/processor.c",
    "bindings/hvt/trap.c",
    "bindings/solo5_hvt.c",
    "bindings/solo5_spt.c",
    "bindings/spt/clock.c",
    "bindings/spt/console.c",
    "bindings/spt/devices.c",
    "bindings/spt/entry.c",
    "bindings/spt/platform.c",
    "bindings/spt/system_call.h",
    "include/elf_abi.h",
    "include/hvt_abi.h",
    "include/mft_abi.h",
    "include/solo5.h",
    "include/spt_abi.h",
];

/// The linker scripts: one for each ABI, the layout that both include, and what that leaves out.
const SCRIPTS: &[&str] = &[
    "solo5_hvt.lds",
    "solo5_spt.lds",
    "solo5_sections.lds",
    BACKTRACE,
];
const BACKTRACE: &str = "solo5_backtrace.lds";

/// Where, in the output directory, `solo5-rustc` finds a [`BACKTRACE`] that leaves out nothing.
const WHOLE: &str = "whole";

/// The parts of the layout that are added to upstream's scripts, too.
const SCRIPT_PARTS: &[&str] = &["solo5_manifest.lds", "solo5_stack.lds", "solo5_std.lds"];

fn main() {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"));
    let vendor = manifest_dir.join(VENDOR);
    // Once a build script prints any of these, and cc prints some for environment variables, cargo
    // no longer looks at the package's files by itself: so each file is named.
    for file in SOURCES.iter().chain(SCRIPTS).chain(SCRIPT_PARTS) {
        println!("cargo:rerun-if-changed={VENDOR}/{file}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/flags.rs");
    println!("cargo:rerun-if-changed=build/upstream.rs");
    // In a checkout: another wrapper may link in another way, which only what it links can tell Cargo.
    let wrapper = manifest_dir.join("../cargo-mkernel/src/toolchain");
    if wrapper.is_dir() {
        println!("cargo:rerun-if-changed={}", wrapper.display());
    }
    println!("cargo:rerun-if-env-changed=SOLO5_BINDINGS");
    println!("cargo:rustc-check-cfg=cfg(solo5_upstream_bindings)");
    println!("cargo:include={}", vendor.join("include").display());

    let Ok(abi) = env::var("CARGO_CFG_SOLO5") else {
        return;
    };
    assert!(
        abi == "hvt" || abi == "spt",
        "cfg(solo5) is {abi:?}: expected \"hvt\" or \"spt\""
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    match env::var_os("SOLO5_BINDINGS").map(PathBuf::from) {
        // This script's working directory is not the user's.
        Some(dir) if dir.is_relative() => panic!(
            "SOLO5_BINDINGS={}: expected an absolute path",
            dir.display()
        ),
        Some(dir) => {
            upstream::link(&abi, &dir, &vendor, &out);
            // They do not know the extensions of the ABI.
            println!("cargo:rustc-cfg=solo5_upstream_bindings");
        }
        None => compile_ours(&abi, &vendor, &out),
    }
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:lib={}", out.display());
}

fn compile_ours(abi: &str, vendor: &Path, out: &Path) {
    let bindings = vendor.join("bindings");
    let mut build = cc::Build::new();
    build
        // The tuple that cargo passes on, x86_64-solo5-*, means nothing to a C compiler.
        .target("x86_64-unknown-linux-gnu")
        .opt_level(2)
        .pic(false)
        .include(vendor.join("include"))
        .include(&bindings)
        .define(
            "SOLO5_BINDINGS_VERSION",
            concat!("\"mkernel ", env!("CARGO_PKG_VERSION"), "\""),
        );
    // One translation unit, one object. The flags come last, behind those of CFLAGS: what is freestanding, without
    // vector registers and not intermediate code has to stay so.
    let mut command = build.get_compiler().to_command();
    command
        .args(flags::FLAGS)
        .arg("-c")
        .arg(bindings.join(format!("solo5_{abi}.c")))
        .arg("-o")
        .arg(out.join(format!("solo5_{abi}.o")));
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} failed: {status}"),
        Err(error) => panic!("cannot run {command:?}: {error}"),
    }
    for script in SCRIPTS.iter().chain(SCRIPT_PARTS) {
        copy(&vendor.join(script), &out.join(script));
    }
    let whole = out.join(WHOLE).join(BACKTRACE);
    if let Err(error) = fs::create_dir_all(out.join(WHOLE))
        .and_then(|()| fs::write(&whole, ". = 0x100000; _stext = .;\n"))
    {
        panic!("cannot write {}: {error}", whole.display());
    }
}

fn copy(from: &Path, to: &Path) {
    if let Err(error) = fs::copy(from, to) {
        panic!(
            "cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        );
    }
}
