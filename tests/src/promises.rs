//! Programs that promise something and are killed: what they have promised is there when they are started again.

use nix::sys::signal::Signal;

use crate::Guest;

/// Has a program promise `more` numbers after `last`, and ends it in the middle of something; the last that it promised.
///
/// It prints `found N`, N being the last that is there of those before, and then a line for each number that it promises.
pub fn promise_until_killed(guest: &Guest, last: u64, more: u64) -> u64 {
    let mut running = guest.start();
    running.wait_for(&format!("\n{}\n", last + more));
    running.signal(Signal::SIGKILL);
    let outcome = running.wait();
    assert_eq!(outcome.status, 128 + 9, "{outcome}");
    let stdout = &outcome.stdout;
    let found = stdout.lines().find_map(|line| line.strip_prefix("found "));
    let found: u64 = found
        .expect("it says what it has found")
        .parse()
        .expect("a number");
    // One more may have become durable without having been printed.
    assert!(
        (last..=last + 1).contains(&found),
        "{found} after {last}\n{stdout}"
    );
    let whole = &stdout[..stdout.rfind('\n').map_or(0, |end| end + 1)];
    let mut numbers = whole.lines().filter_map(|line| line.parse().ok());
    numbers
        .next_back()
        .expect("the numbers that were waited for")
}
