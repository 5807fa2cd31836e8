//! The standard library in a unikernel: the cases of `tests/guests/std-exercise`.

use system_tests::{Guest, Outcome, Target};

on_each_target! {
    cases_that_return, exit_statuses, stack_overflow_hits_read_only_pages;
    long: cases_that_return_optimised, abort, out_of_memory_is_an_error, arguments_keep_their_spaces, panic_prints_its_message, deadlock_is_told, a_buffer_too_small_is_told,
}

fn run(target: Target, case: &str) -> Outcome {
    case.split(' ')
        .fold(Guest::build("std-exercise", target), Guest::argument)
        .run()
}

const CASES: [&str; 20] = [
    "hash_map",
    "b_tree_map",
    "formatting",
    "floating_point",
    "thread_local",
    "instant",
    "system_time",
    "environment",
    "catch_unwind",
    "backtrace",
    "locks_with_timeouts",
    "large_allocations",
    "too_large_allocations",
    "mappings",
    "what_solo5_lacks",
    "loader",
    "usage",
    "semaphore_with_deadline",
    "remapping",
    "streams",
];

fn check_all(guest: &Guest) {
    let streams = "to the console: 2.5\nstandard input: Bad file descriptor\n";
    let printed = |case| if case == "streams" { streams } else { "" };
    let lines: String = CASES
        .map(|case| format!("{}ok: {case}\n", printed(case)))
        .concat();
    guest
        .clone()
        .argument("all")
        .run()
        .assert_printed(&format!("{lines}SUCCESS\n"));
}

fn cases_that_return(target: Target) {
    check_all(&Guest::build("std-exercise", target));
}

fn cases_that_return_optimised(target: Target) {
    check_all(&Guest::build_release("std-exercise", target));
}

fn arguments_keep_their_spaces(target: Target) {
    let given = [
        "arguments",
        "--bar",
        "two  words",
        "it's",
        "",
        "\"",
        "\\",
        "a\nb",
    ];
    let outcome = given
        .into_iter()
        .fold(Guest::build("std-exercise", target), Guest::argument)
        .run();
    let lines: String = given[1..]
        .iter()
        .map(|argument| format!("{argument:?}\n"))
        .collect();
    outcome.assert_printed(&format!("std-exercise\n{lines}"));
}

fn exit_statuses(target: Target) {
    for &status in target.some(&[0, 1, 7, 101, 254], 2) {
        assert_eq!(run(target, &format!("return {status}")).status, status);
    }
    let outcome = run(target, "exit 9");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (9, "exit"),
        "{outcome}"
    );
}

fn abort(target: Target) {
    assert_eq!(run(target, "abort").status, 255);
}

fn panic_prints_its_message(target: Target) {
    let outcome = run(target, "panic why");
    assert_eq!(outcome.status, 101, "{outcome}");
    assert!(
        outcome.stdout.contains("on purpose: [\"why\"]"),
        "{outcome}"
    );
}

/// A signal ends the process on spt; on hvt the tender notices.
fn stack_overflow_hits_read_only_pages(target: Target) {
    let outcome = run(target, "stack_overflow");
    let told = ": stack overflow: the unikernel's 1024 KiB are full (RUSTFLAGS=";
    match target {
        Target::Spt => {
            assert_eq!(outcome.status, 128 + 11, "{outcome}");
            let last = outcome.stdout.strip_prefix("recursing\n").expect("it runs");
            assert!(last.contains(told), "{outcome}");
        }
        Target::Hvt => {
            assert_eq!(outcome.stdout, "recursing\n", "{outcome}");
            outcome.assert_error(1, told);
        }
    }
}

fn out_of_memory_is_an_error(target: Target) {
    let outcome = run(target, "out_of_memory");
    assert_eq!(outcome.status, 255, "{outcome}");
    let message = "memory allocation of 10000000 bytes failed";
    assert!(outcome.stdout.contains(message), "{outcome}");
}

fn deadlock_is_told(target: Target) {
    let outcome = run(target, "deadlock");
    assert_eq!(outcome.status, 255, "{outcome}");
    assert!(outcome.stdout.contains("nolibc: deadlock"), "{outcome}");
}

fn a_buffer_too_small_is_told(target: Target) {
    let outcome = run(target, "fortified");
    assert_eq!(outcome.status, 255, "{outcome}");
    let expected =
        "[97, 98, 99, 0]\nnolibc: C code writes more into a buffer than it has room for\n";
    assert_eq!(outcome.stdout, expected, "{outcome}");
}
