//! Threads of std in a unikernel: the cases of `tests/guests/std-threads`, and of crates in `tests/guests/threads-of-crates`.

use system_tests::{Guest, Outcome, Target};

on_each_target! {
    stack_overflow_is_told_by_name, an_overflow_that_has_passed_is_told_by_name;
    long: cases_that_return, cases_that_return_optimised, deadlock_is_told_with_all_threads, deadlock_is_told_with_all_tasks,
    computing_for_long_is_told_by_name_once, the_program_ends_with_main_or_by_exit, crates_that_make_threads,
}

fn run(target: Target, case: &str) -> Outcome {
    Guest::build("std-threads", target).argument(case).run()
}

/// All cases say that they are done.
fn check_all(guest: Guest) {
    let outcome = guest.option("--mem=256").argument("all").run();
    assert_eq!(outcome.status, 0, "{outcome}");
    assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
}

fn cases_that_return(target: Target) {
    check_all(Guest::build("std-threads", target));
}

fn cases_that_return_optimised(target: Target) {
    check_all(Guest::build_release("std-threads", target));
}

fn crates_that_make_threads(target: Target) {
    check_all(Guest::build("threads-of-crates", target));
}

fn deadlock_is_told_with_all_threads(target: Target) {
    let outcome = run(target, "deadlock");
    assert_eq!(outcome.status, 255, "{outcome}");
    for expected in [
        "posix: deadlock: every thread waits, and nothing can wake them\n",
        "thread 1 \"main\" waits for the end of thread 2 \"left\", at\n   0: ",
        "thread 2 \"left\" waits for a futex at 0x",
        "thread 3 \"right\" waits for a futex at 0x",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}: {outcome}");
    }
}

fn deadlock_is_told_with_all_tasks(target: Target) {
    let outcome = run(target, "deadlock_of_tasks");
    assert_eq!(outcome.status, 255, "{outcome}");
    // What names a place is there for each: a call stack that begins where it waits.
    for expected in [
        "thread 1 \"main\" waits for a future, at\n   0: ",
        "thread 2 \"for ever\" waits for a futex at 0x",
        "task \"first\" of tests/guests/std-threads/src/ends.rs:",
        "task \"last\" of tests/guests/std-threads/src/ends.rs:",
    ] {
        assert!(outcome.stdout.contains(expected), "{expected}: {outcome}");
    }
    let places = outcome.stdout.matches("at\n   0: ").count();
    assert_eq!(places, 4, "{outcome}");
}

fn stack_overflow_is_told_by_name(target: Target) {
    let outcome = run(target, "overflow");
    assert_eq!(outcome.status, 255, "{outcome}");
    let told = "posix: thread 2 \"deep\" has overflowed its stack of 98304 bytes (thread::Builder::stack_size gives it more)\n";
    assert_eq!(outcome.stdout, told, "{outcome}");
}

/// Safe code writes over what lies below the stack, and returns: without a print the end of the thread comes first upon it,
/// which is a fault then, of which on spt the tender lets the guest know.
fn an_overflow_that_has_passed_is_told_by_name(target: Target) {
    let run = |arguments: &[&str]| {
        let guest = Guest::build("std-threads", target).argument("overflow_by");
        arguments
            .iter()
            .fold(guest, |guest, argument| guest.argument(argument))
            .run()
    };
    let outcome = run(&["30", "loud"]);
    assert_eq!(outcome.status, 0, "{outcome}");
    let told = "posix: thread 2 \"deep\" has overflowed its stack of 163840 bytes (thread::Builder::stack_size gives it more)\n";
    let everywhere: &[&[&str]] = &[&["40"], &["40", "loud"], &["100", "loud"], &["200", "loud"]];
    let on_spt: &[&[&str]] = match target {
        Target::Spt => &[&["50"], &["100"], &["200"]],
        Target::Hvt => &[],
    };
    for arguments in everywhere.iter().chain(on_spt) {
        let outcome = run(arguments);
        assert_eq!(outcome.status, 255, "{arguments:?}: {outcome}");
        assert_eq!(outcome.stdout, told, "{arguments:?}: {outcome}");
    }
}

fn computing_for_long_is_told_by_name_once(target: Target) {
    let outcome = run(target, "computes");
    assert_eq!(outcome.status, 0, "{outcome}");
    let told = "posix: thread 3 \"busy\" computed for 1.";
    assert!(outcome.stdout.starts_with(told), "{outcome}");
    assert!(outcome.stdout.ends_with(" meanwhile\ndone\n"), "{outcome}");
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome}");
}

fn the_program_ends_with_main_or_by_exit(target: Target) {
    assert_eq!(run(target, "exits").status, 7);
    let outcome = run(target, "main_first");
    assert_eq!(outcome.status, 0, "{outcome}");
    outcome.assert_printed("main ends\n");
}
