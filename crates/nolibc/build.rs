//! Puts the directory where `solo5-rustc` writes `libc.a` on the link search path, together with
//! empty archives for the other names under which std and crates ask for parts of a C library.

use std::path::PathBuf;
use std::{env, fs};

/// An `ar` archive without members.
const EMPTY_ARCHIVE: &[u8] = b"!<arch>\n";

/// Libraries that glibc has or had apart from libc: here they are all in `libc.a`.
const PARTS: &[&str] = &["m", "pthread", "dl", "rt", "util"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The rlib, whose sources cargo knows, lacks those of the archive alone.
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rustc-check-cfg=cfg(nolibc_archive)");
    println!("cargo::rustc-check-cfg=cfg(solo5, values(none(), \"hvt\", \"spt\"))");
    if env::var_os("CARGO_CFG_SOLO5").is_none() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    for part in PARTS {
        let archive = out.join(format!("lib{part}.a"));
        if let Err(error) = fs::write(&archive, EMPTY_ARCHIVE) {
            panic!("cannot write {}: {error}", archive.display());
        }
    }
    println!("cargo::rustc-link-search=native={}", out.display());
}
