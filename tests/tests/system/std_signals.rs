//! Signals, and ends of programs: the cases of `tests/guests/std-signals`.

use nix::sys::signal::Signal;
use system_tests::{Guest, Outcome, Target};

on_each_target! {
    long: a_wish_of_the_host_is_a_signal_to_handlers, a_signal_that_is_not_handled_ends_the_program, a_program_sends_signals_to_itself,
    handlers_run_in_order_at_the_end, a_process_is_an_error_that_says_why,
}

fn guest(target: Target, case: &str) -> Guest {
    Guest::build("std-signals", target).argument(case)
}

/// What a program ends with: where a machine is emulated, a thread may be told to have computed for long before that.
#[track_caller]
fn check(outcome: &Outcome, status: i32, printed: &str) {
    assert_eq!(outcome.status, status, "{outcome}");
    assert!(outcome.stdout.ends_with(printed), "{outcome}");
}

/// What becomes of a program that waits, once its tender is told to end.
fn signalled(target: Target, case: &str, signal: Signal) -> Outcome {
    let mut running = guest(target, case).hand_on_signals().start();
    running.wait_for("waiting\n");
    running.signal(signal);
    running.wait()
}

fn a_wish_of_the_host_is_a_signal_to_handlers(target: Target) {
    let cases = [
        ("terminate", "terminated\n"),
        ("ctrl_c", ""),
        ("flag", ""),
        ("pause", ""),
        ("poll", ""),
        ("masked", ""),
        ("sleep", ""),
        ("sigwait", ""),
        ("sigsuspend", ""),
        ("signalfd", ""),
    ];
    for (case, told) in target.some(&cases, 2) {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let outcome = signalled(target, case, signal);
            check(&outcome, 0, &format!("waiting\n{told}SUCCESS\n"));
        }
    }
}

fn a_signal_that_is_not_handled_ends_the_program(target: Target) {
    let outcome = signalled(target, "default", Signal::SIGTERM);
    let told = "waiting\nposix: ended by signal 15\n";
    check(&outcome, 128 + 15, told);
    let outcome = guest(target, "unhandled").run();
    check(&outcome, 128 + 10, "posix: ended by signal 10\n");
}

fn a_program_sends_signals_to_itself(target: Target) {
    check(&guest(target, "itself").run(), 0, "SUCCESS\n");
}

fn handlers_run_in_order_at_the_end(target: Target) {
    for (case, status, printed) in [
        ("at_exit", 3, "main's is dropped\nsecond\nthird\nfirst\n"),
        ("in_a_thread", 4, "the thread's is dropped\nfirst\n"),
    ] {
        let outcome = guest(target, case).run();
        check(&outcome, status, printed);
    }
    let outcome = guest(target, "aborts").run();
    check(&outcome, 255, "");
    assert!(!outcome.stdout.contains("first"), "{outcome}");
}

fn a_process_is_an_error_that_says_why(target: Target) {
    let outcome = guest(target, "command").run();
    let line = "Unsupported: Function not implemented: a unikernel is one program, without an operating system that could \
                start others (os error 38)\n";
    check(&outcome, 0, &format!("{line}{line}SUCCESS\n"));
}
