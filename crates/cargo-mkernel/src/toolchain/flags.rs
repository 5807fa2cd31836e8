//! What both the compiler and rustdoc are told.

use std::ffi::OsString;

use super::Abi;

/// Octets of stack that a program has.
pub(super) const STACK: u64 = 0x10_0000;
/// And a test: elsewhere a test's thread has 2 MiB.
pub(super) const TEST_STACK: u64 = 0x40_0000;

/// Has rust-lld fold functions of the same instructions into one. GNU ld has no such option. Not `safe`: that asks for a list of
/// the functions whose addresses count, which rustc does not write, as no program in Rust may count on them.
pub(super) const FOLD: &str = "--icf=all";

/// What `cfg(solo5)` may be asked for.
pub(super) const CFG_VALUES: &str = "cfg(solo5,values(none(),\"hvt\",\"spt\"))";

/// For each crate: what `cfg(solo5)` and `cfg(solo5 = "hvt")` see, and code for fixed addresses without a dynamic loader, as a
/// tender refuses anything else. crt-static makes `std` ask for `libgcc_eh` and `libc` as archives. `rustix_use_libc` keeps the
/// crate `rustix` from making Linux's system calls by itself.
pub(super) fn compile(abi: Abi) -> Vec<OsString> {
    let solo5 = format!("solo5=\"{}\"", abi.name());
    [
        "--cfg",
        "solo5",
        "--cfg",
        &solo5,
        "--check-cfg",
        CFG_VALUES,
        "--cfg",
        "rustix_use_libc",
        "--check-cfg",
        "cfg(rustix_use_libc)",
        "-Crelocation-model=static",
        "-Ctarget-feature=+crt-static",
        "-Crelro-level=off",
    ]
    .map(OsString::from)
    .to_vec()
}

/// For each program: the linker script and the bindings, both found in solo5-ffi's output directory, in place of the C compiler's
/// start-up files. Pages are of 4 KiB because Solo5 loads at 1 MiB, below the first page of 2 MiB. There is no `stack` where the
/// user has chosen one. nolibc makes `argv[0]` of the name: eight octets in each of eight symbols. If `folds`, functions of the
/// same instructions become one.
pub(super) fn link(abi: Abi, stack: Option<u64>, name: &[u8], folds: bool) -> Vec<OsString> {
    let abi = abi.name();
    let mut flags = vec![
        "-Clink-arg=-nostartfiles".to_owned(),
        format!("-Clink-arg=-Tsolo5_{abi}.lds"),
        format!("-Clink-arg=-l:solo5_{abi}.o"),
        "-Clink-arg=-Wl,-z,max-page-size=0x1000,--build-id=none".to_owned(),
    ];
    if folds {
        flags.push(format!("-Clink-arg=-Wl,{FOLD}"));
    }
    if let Some(stack) = stack {
        flags.push(format!(
            "-Clink-arg=-Wl,--defsym=__solo5_stack_size={stack:#x}"
        ));
    }
    for (index, chunk) in name.chunks(8).take(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        flags.push(format!(
            "-Clink-arg=-Wl,--defsym=__solo5_program_name_{index}={word:#x}"
        ));
    }
    flags.into_iter().map(OsString::from).collect()
}
