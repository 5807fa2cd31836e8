//! std at its limits: the cases of `tests/guests/std-stress`.

use std::time::Duration;

use system_tests::{Guest, Network, Outcome, Target};

on_each_target! {
    long: threads_use_everything_at_once, descriptors_run_out_and_come_back,
    memory_runs_out_and_comes_back, locks_of_threads_that_panic_are_poisoned,
}

fn run(target: Target, mebibytes: usize, arguments: &[&str]) -> Outcome {
    let guest = Guest::build("std-stress", target)
        .option(format!("--mem={mebibytes}"))
        .option("--net:service=tap0")
        .limit(Duration::from_secs(300));
    let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
    let mut outcome = None;
    Network::with(|network| {
        network.add_tap("tap0", "10.0.0.1/24");
        outcome = Some(guest.run());
    });
    outcome.expect("it has run")
}

fn check(outcome: &Outcome) {
    assert_eq!(outcome.status, 0, "{outcome}");
    assert!(outcome.stdout.ends_with("SUCCESS\n"), "{outcome}");
}

fn threads_use_everything_at_once(target: Target) {
    // A hundred, and more so a thousand, take an emulated machine more than five minutes.
    let threads = match target {
        Target::Spt => "1000",
        Target::Hvt => "30",
    };
    for seed in ["1", "2", "3"] {
        check(&run(target, 512, &["everything", seed, threads]));
    }
}

fn descriptors_run_out_and_come_back(target: Target) {
    let outcome = run(target, 64, &["descriptors"]);
    check(&outcome);
    // As many as there are, less the console's three, and two connected sockets that were there.
    let taken = "16379 descriptors taken\n";
    assert!(outcome.stdout.contains(taken), "{outcome}");
}

fn memory_runs_out_and_comes_back(target: Target) {
    check(&run(target, 64, &["memory"]));
}

fn locks_of_threads_that_panic_are_poisoned(target: Target) {
    check(&run(target, 512, &["poisoned"]));
}
