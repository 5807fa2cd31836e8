//! A guest without devices: `cases.c`, and `fpu.c`.

use system_tests::{Outcome, Target};

use crate::c_guest::{LINKERS, Program, TARGETS, boot};

/// What ends a guest on each target: its status, and on hvt, where the bindings see it, their last line.
fn trap(case: &str, spt_status: i32, hvt_type: &str) {
    let program = Program::new("cases.c");
    let outcome = program.run(Target::Spt, &format!("--solo5:quiet {case}"));
    assert_eq!(outcome.status, spt_status, "{case}: {outcome}");
    assert_eq!(outcome.stdout, "", "{case}: {outcome}");

    let outcome = program.run(Target::Hvt, case);
    assert_eq!(outcome.status, 255, "{case}: {outcome}");
    let report = format!("Solo5: trap: type={hvt_type} ec=0x");
    assert!(outcome.stdout.contains(&report), "{case}: {outcome}");
    let abort = format!(": Fatal trap: {hvt_type} at 0x");
    let last = outcome.stdout.lines().next_back().unwrap_or_default();
    assert!(
        last.starts_with("Solo5: ABORT: trap.c:"),
        "{case}: {outcome}"
    );
    assert!(last.contains(&abort), "{case}: {outcome}");
}

fn quiet(case: &str, target: Target) -> Outcome {
    Program::new("cases.c").run(target, &format!("--solo5:quiet {case}"))
}

#[test]
fn start_up_is_logged_and_quiet_is_quiet() {
    for (target, text_end) in [(Target::Spt, "spt"), (Target::Hvt, "hvt")] {
        for &linker in target.some(&LINKERS, 1) {
            let executable = Program::new("cases.c").link(target, linker);
            let options = ["--mem=4".to_owned()];
            let outcome = boot(&executable, target, &options, "a  --solo5:quiet", true).wait();
            assert_eq!(outcome.status, 0, "{outcome}");
            let lines: Vec<&str> = outcome.stdout.lines().collect();
            assert_eq!(lines[4], "Solo5: Bindings version under test", "{text_end}");
            assert_eq!(lines[5], "Solo5: Memory map: 4 MB addressable:");
            assert_eq!(lines[6], "Solo5:   reserved @ (0x0 - 0xfffff)");
            assert!(lines[7].starts_with("Solo5:       text @ (0x100000 - 0x"));
            assert!(lines[8].starts_with("Solo5:     rodata @ (0x"));
            assert!(lines[9].starts_with("Solo5:       data @ (0x"));
            assert!(lines[10].starts_with("Solo5:       heap >= 0x"));
            assert!(lines[10].ends_with(" < stack < 0x400000"));
            let rest = [
                "Hello, World",
                "Command line: 'a --solo5:quiet'",
                "SUCCESS",
                "Solo5: solo5_exit(0) called",
            ];
            assert_eq!(lines[11..], rest);

            let outcome = boot(&executable, target, &[], "--solo5:quiet", true).wait();
            assert_eq!(outcome.stdout, "Hello, World\nCommand line: ''\nSUCCESS\n");
            assert!(!outcome.stderr.contains("Solo5:"), "{outcome}");
        }
    }
}

#[test]
fn options_count_only_in_front_and_the_last_one_wins() {
    for target in TARGETS {
        let program = Program::new("cases.c");
        let outcome = program.run(target, "--solo5:debug --solo5:error --solo5:warn x");
        assert_eq!(outcome.stdout, "Hello, World\nCommand line: 'x'\nSUCCESS\n");
        let unknown = [
            "--solo5:quietx",
            "--solo5:loud",
            "--solo5:",
            "--solo5:quiet=",
        ];
        for unknown in target.some(&unknown, 1) {
            let outcome = program.run(target, unknown);
            let line = format!("Command line: '{unknown}'\n");
            assert!(outcome.stdout.contains(&line), "{outcome}");
            assert!(outcome.stdout.contains("Solo5: Memory map"), "{outcome}");
        }
        let outcome = program.run(target, "--solo5:error --solo5:debug");
        let debug = outcome.stdout.contains("Solo5: tscclock_init(): tsc_freq=");
        assert_eq!(debug, target == Target::Hvt, "{outcome}");
    }
}

#[test]
fn what_ought_to_succeed_does() {
    for target in TARGETS {
        for case in ["globals", "memory", "time", "guard", "acquire"] {
            let outcome = quiet(case, target);
            assert_eq!(outcome.status, 0, "{case}: {outcome}");
            assert_eq!(outcome.stdout, "SUCCESS\n", "{case}: {outcome}");
        }
        let outcome = quiet("output", target);
        assert_eq!(outcome.stdout.len(), 4000 + "SUCCESS\n".len(), "{outcome}");
    }
}

#[test]
fn the_exit_status_is_the_tenders() {
    for target in TARGETS {
        assert_eq!(quiet("return7", target).status, 7);
        assert_eq!(quiet("exit300", target).status, 300 % 256);
        let outcome = Program::new("cases.c").run(target, "abort");
        assert_eq!(outcome.status, 255, "{outcome}");
        assert!(
            outcome.stdout.ends_with("Solo5: solo5_abort() called\n"),
            "{outcome}"
        );
    }
}

#[test]
fn a_smashed_stack_is_noticed() {
    for target in TARGETS {
        let outcome = quiet("ssp", target);
        assert_eq!(outcome.status, 255, "{outcome}");
        assert_eq!(outcome.stdout, "Solo5: ABORT: Stack corruption detected\n");
    }
}

#[test]
fn too_little_memory_is_said() {
    // Of the first MiB nothing is free, and 512 KiB have to be.
    let filler = Program::new("cases.c").define("FILLER", 600 * 1024);
    for target in TARGETS {
        let executable = filler.link(target, LINKERS[1]);
        let options = ["--mem=2".to_owned()];
        let outcome = boot(&executable, target, &options, "--solo5:quiet", true).wait();
        assert_eq!(outcome.status, 1, "{outcome}");
        assert!(
            outcome.stdout.contains("Not enough memory: 2048 KB"),
            "{outcome}"
        );
    }
}

#[test]
fn traps_and_faults_end_the_guest() {
    trap("exception", 139, "#PF");
    trap("zeropage", 139, "#PF");
    trap("notls", 139, "#PF");
    trap("divide", 136, "#DE");
}

#[test]
fn a_trap_without_a_stack_is_still_reported() {
    let outcome = quiet("stack", Target::Spt);
    assert_eq!(outcome.status, 139, "{outcome}");
    let outcome = quiet("stack", Target::Hvt);
    assert_eq!(outcome.status, 255, "{outcome}");
    assert!(outcome.stdout.contains(": Fatal trap: #"), "{outcome}");
}

#[test]
fn text_and_rodata_cannot_be_written() {
    for case in ["xnow", "rnow"] {
        let outcome = quiet(case, Target::Spt);
        assert_eq!(outcome.status, 139, "{case}: {outcome}");
        // The host's mapping forbids it, or the guest's page tables do.
        let outcome = quiet(case, Target::Hvt);
        assert!([1, 255].contains(&outcome.status), "{case}: {outcome}");
        assert!(!outcome.stdout.contains("SUCCESS"), "{case}: {outcome}");
    }
}

#[test]
fn other_system_calls_end_an_spt_guest() {
    let outcome = quiet("seccomp", Target::Spt);
    assert_eq!(outcome.status, 159, "{outcome}");
}

#[test]
fn floating_point_and_vectors_work() {
    for target in TARGETS {
        let outcome = Program::new("fpu.c").vectors().run(target, "--solo5:quiet");
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
    }
}
