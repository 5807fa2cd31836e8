//! Signals, and ends of programs: the cases of `tests/guests/std-signals`.

use nix::sys::signal::Signal;
use system_tests::{Guest, Outcome, Target};

on_each_target! {
    a_wish_of_the_host_is_a_signal_to_handlers, a_signal_that_is_not_handled_ends_the_program,
    a_program_sends_signals_to_itself, handlers_run_in_order_at_the_end, a_process_is_an_error_that_says_why,
}

fn guest(target: Target, case: &str) -> Guest {
    Guest::build("std-signals", target).argument(case)
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
    ];
    for (case, told) in target.some(&cases, 2) {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            let outcome = signalled(target, case, signal);
            assert_eq!(outcome.status, 0, "{case}: {outcome}");
            let expected = format!("waiting\n{told}SUCCESS\n");
            assert!(outcome.stdout.ends_with(&expected), "{case}: {outcome}");
        }
    }
}

fn a_signal_that_is_not_handled_ends_the_program(target: Target) {
    let outcome = signalled(target, "default", Signal::SIGTERM);
    assert_eq!(outcome.status, 128 + 15, "{outcome}");
    let told = "waiting\nposix: ended by signal 15\n";
    assert!(outcome.stdout.ends_with(told), "{outcome}");
    let outcome = guest(target, "unhandled").run();
    assert_eq!(outcome.status, 128 + 10, "{outcome}");
    assert_eq!(outcome.stdout, "posix: ended by signal 10\n", "{outcome}");
}

fn a_program_sends_signals_to_itself(target: Target) {
    guest(target, "itself").run().assert_printed("SUCCESS\n");
}

fn handlers_run_in_order_at_the_end(target: Target) {
    for (case, status, printed) in [
        ("at_exit", 3, "main's is dropped\nsecond\nthird\nfirst\n"),
        ("in_a_thread", 4, "the thread's is dropped\nfirst\n"),
        ("aborts", 255, ""),
    ] {
        let outcome = guest(target, case).run();
        let seen = (outcome.status, &*outcome.stdout);
        assert_eq!(seen, (status, printed), "{case}: {outcome}");
    }
}

fn a_process_is_an_error_that_says_why(target: Target) {
    let outcome = guest(target, "command").run();
    let line = "Unsupported: Function not implemented: a unikernel is one program, without an operating system that could \
                start others (os error 38)\n";
    outcome.assert_printed(&format!("{line}{line}SUCCESS\n"));
}
