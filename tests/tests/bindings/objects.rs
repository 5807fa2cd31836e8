//! The bindings' objects, as a program sees them that brings its own libc.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::c_guest::{TARGETS, bindings};

fn output(program: &str, arguments: &[&str], object: &Path) -> String {
    let output = Command::new(program).args(arguments).arg(object).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program} (binutils): {error}"));
    String::from_utf8(output.stdout).expect("names are ASCII")
}

fn names(arguments: &[&str], object: &Path) -> BTreeSet<String> {
    let listing = output("nm", arguments, object);
    let names = listing
        .lines()
        .filter_map(|line| line.split_whitespace().next_back());
    names.map(str::to_owned).collect()
}

#[test]
fn the_api_is_exported_and_nothing_else() {
    let api = [
        "__stack_chk_fail",
        "__stack_chk_guard",
        "_start",
        "solo5_abort",
        "solo5_block_acquire",
        "solo5_block_discard",
        "solo5_block_features",
        "solo5_block_flush",
        "solo5_block_flush_begin",
        "solo5_block_flush_end",
        "solo5_block_flush_has_ended",
        "solo5_block_read",
        "solo5_block_write",
        "solo5_clock_monotonic",
        "solo5_clock_wall",
        "solo5_console_write",
        "solo5_exit",
        "solo5_has_wrfsbase",
        "solo5_net_acquire",
        "solo5_net_read",
        "solo5_net_write",
        "solo5_set_tls_base",
        "solo5_tls_init",
        "solo5_tls_size",
        "solo5_tls_tp_offset",
        "solo5_yield",
        "solo5_yield_set",
    ];
    for target in TARGETS {
        let exported = names(&["--extern-only", "--defined-only"], &bindings(target));
        assert_eq!(exported, api.map(str::to_owned).into(), "{target:?}");
    }
}

#[test]
fn the_application_and_the_script_supply_the_rest() {
    let needed = [
        "_end",
        "_erodata",
        "_etdata",
        "_etext",
        "_ltalign",
        "_ltdata",
        "_stdata",
        "_stext",
        "solo5_app_main",
    ];
    for target in TARGETS {
        let undefined = names(&["--undefined-only"], &bindings(target));
        assert_eq!(undefined, needed.map(str::to_owned).into(), "{target:?}");
    }
}

#[test]
fn no_vector_register_is_touched() {
    for target in TARGETS {
        let code = output(
            "objdump",
            &["--disassemble", "--no-show-raw-insn"],
            &bindings(target),
        );
        assert!(code.contains("<_start>:"), "{code}");
        for register in ["%xmm", "%ymm", "%zmm", "%mm", "%st"] {
            assert!(!code.contains(register), "{target:?} uses {register}");
        }
    }
}
