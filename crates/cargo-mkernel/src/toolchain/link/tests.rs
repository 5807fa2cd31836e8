use super::*;

/// Names that Rust 1.95 gives.
const WITH_GLOBAL: &str = "_RINvMs0_NtNtNtCsjrHSEGnQ3l9_3std12backtrace_rs9symbolize5gimliNtB6_5Cache11with_globalNCNvB6_7resolves_0EBc_";
const OUTPUT_FILENAME: &str = "_RNvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace15output_filename";
const REMOVE_STACK: &str = "_RINvMs_NtNtNtCslNYArtu3iFV_5alloc11collections5btree6removeINtNtB7_4node6HandleINtBY_7NodeRefNtNtBY_6marker3MutjNtNtNtNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix14stack_overflow11thread_info10ThreadInfoNtB1v_4LeafENtB1v_2KVE14remove_leaf_kvNCNvMs7_NtNtB7_3map5entryINtB3S_13OccupiedEntryjB1M_E9remove_kv0NtNtBb_5alloc6GlobalEB1Y_";

fn is_idle(name: &str) -> bool {
    let alone = [
        READS_DEBUGGING,
        NOTES_STACKS,
        LOOKS_FOR_STACKS,
        TAKES_OUT_STACKS,
    ];
    let mut names = alone.iter().chain(&SHOW_FINDS);
    names.any(|parts| is(name.as_bytes(), parts))
}

#[test]
fn functions_of_std_are_known_by_their_whole_names() {
    let set_current_info = "_RNvNtNtNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix14stack_overflow11thread_info16set_current_info";
    let symbol_name = "_RNvXs2_NtNtCsjrHSEGnQ3l9_3std12backtrace_rs9symbolizeNtB5_10SymbolNameNtNtCsgEmfK2I1SDS_4core3fmt7Display3fmt";
    let signal_handler =
        "_RNvNtNtNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix14stack_overflow3imp14signal_handler";
    for name in [
        WITH_GLOBAL,
        OUTPUT_FILENAME,
        set_current_info,
        symbol_name,
        signal_handler,
        REMOVE_STACK,
    ] {
        assert!(is_idle(name), "{name}");
        assert!(is_idle(&format!("{name}.llvm.123")), "{name}");
        assert!(!is_idle(&format!("{name}0")), "{name}");
    }
}

#[test]
fn functions_of_others_are_not() {
    for name in [
        // What a thread runs that a function of this name starts.
        "_RINvNtNtCsjrHSEGnQ3l9_3std3sys9backtrace28___rust_begin_short_backtraceNCNvCs1_3app15output_filename0uEB1_",
        "_RNvCs1_3app15output_filename",
        "_RNvNtNtCs1_3app14stack_overflow11thread_info16set_current_info",
        // A variable in one.
        "_RNvNvMs0_NtNtNtCsjrHSEGnQ3l9_3std12backtrace_rs9symbolize5gimliNtB7_5Cache11with_global14MAPPINGS_CACHE",
        "main",
        "",
    ] {
        assert!(!is_idle(name), "{name}");
    }
}

#[test]
fn who_runs_below_rustc_is_no_linker() {
    assert!(!is_asked(&["rustc".into(), "-vV".into()]));
}
