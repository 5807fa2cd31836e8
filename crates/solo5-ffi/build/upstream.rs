//! Upstream Solo5's own bindings in place of ours: the directory that `SOLO5_BINDINGS` names holds
//! `solo5_hvt.o`, `solo5_spt.o` and the linker scripts of the same names, as Solo5's build leaves
//! them in `bindings/` and its installation in `lib/x86_64-solo5-none-static/`.
//!
//! The object is linked as it is. The script is made for C programs whose manifest is a C file; what
//! a Rust program needs is added to a copy of it, line by line. The lines have been the same from
//! Solo5 v0.9 to v0.12; one that is not found is an error that shows it.

use std::fs;
use std::path::Path;

use super::{SCRIPT_PARTS, copy};

/// Each line of upstream's scripts that changes, and what it becomes.
const ADDITIONS: &[(&str, &str)] = &[
    // rustc links with --gc-sections, and nothing refers to these.
    ("*(.interp)", "KEEP(*(.interp))"),
    ("*(.note.solo5.abi*)", "KEEP(*(.note.solo5.abi*))"),
    (
        "*(.note.solo5.not_openbsd*)",
        "KEEP(*(.note.solo5.not_openbsd*))",
    ),
    // The devices of net! and block!.
    (
        ".note.solo5.manifest :",
        ". = ALIGN(8); .note.solo5.manifest : ALIGN(4) SUBALIGN(4)",
    ),
    ("*(.note.solo5.manifest*)", "INCLUDE solo5_manifest.lds"),
    // Constructors and unwinding.
    (".eh_frame :", "INCLUDE solo5_std.lds .eh_frame :"),
    ("*(.eh_frame)", "KEEP(*(.eh_frame))"),
    // Rust names sections after what is in them. Upstream's TLS takes the sizes of both sections as
    // they are: the second is padded, so that the thread pointer is aligned to 64 if the block is.
    // The first is read-only and never empty: it guards the stack above it.
    ("*(.tdata)", "*(.tdata .tdata.*) QUAD(0)"),
    ("*(.tbss)", "*(.tbss .tbss.*) . = ALIGN(64);"),
    (
        ".bss :",
        ".stack (NOLOAD) : { INCLUDE solo5_stack.lds } :bss .bss :",
    ),
    ("*(.bss)", "*(.bss .bss.*)"),
];

/// Puts the object and the adapted script of the ABI into `out`.
pub(super) fn link(abi: &str, dir: &Path, vendor: &Path, out: &Path) {
    let object = dir.join(format!("solo5_{abi}.o"));
    let script = dir.join(format!("solo5_{abi}.lds"));
    for file in [&object, &script] {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    copy(&object, &out.join(format!("solo5_{abi}.o")));
    for part in SCRIPT_PARTS {
        copy(&vendor.join(part), &out.join(part));
    }
    let text = match fs::read_to_string(&script) {
        Ok(text) => adapt(&text, &script),
        Err(error) => panic!("cannot read {}: {error}", script.display()),
    };
    let adapted = out.join(format!("solo5_{abi}.lds"));
    if let Err(error) = fs::write(&adapted, text) {
        panic!("cannot write {}: {error}", adapted.display());
    }
}

fn adapt(text: &str, script: &Path) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (from, to) in ADDITIONS {
        // Some lines end in the brace that opens the section.
        let code = |line: &String| line.trim().trim_end_matches(" {") == *from;
        let mut found = lines.iter_mut().filter(|line| code(line));
        match (found.next(), found.next()) {
            (Some(line), None) => *line = line.replace(from, to),
            _ => panic!(
                "{}: expected one line `{from}`, as in Solo5 v0.9 to v0.12; cannot add to this \
                 script what Rust programs need",
                script.display()
            ),
        }
    }
    lines.join("\n") + "\n"
}
