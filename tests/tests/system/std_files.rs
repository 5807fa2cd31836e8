//! Files of std in a unikernel: the cases of `tests/guests/std-files`.

use system_tests::{Guest, Target};

on_each_target! { long: files_are_kept_in_memory }

fn files_are_kept_in_memory(target: Target) {
    let arguments = ["--dns=10.0.0.1", "--env", "GIVEN=value", "--", "argument"];
    let guest = Guest::build("std-files", target);
    let guest = arguments.iter().fold(guest, |guest, it| guest.argument(it));
    let outcome = guest.run();
    assert_eq!(outcome.status, 0, "{outcome}");
    outcome.assert_printed("SUCCESS\n");
}
