//! The power is cut while a guest counts on its disk: `storage.c`.

use std::path::Path;

use nix::sys::signal::Signal;
use system_tests::{PowerCut, Running, Target};

use crate::c_guest::{LIMIT, Linker, Program};
use crate::storage::{direct_targets, linked};

/// Blocks of 512 octets that the guest counts in.
const DISK: u64 = 64 << 10;

/// A guest and its disk.
struct Counter<'a> {
    executable: &'a Path,
    target: Target,
    disk: PowerCut,
}

impl Counter<'_> {
    /// Runs `test` on each target.
    fn each(test: impl Fn(Counter<'_>)) {
        for target in direct_targets() {
            test(Counter {
                executable: &Program::new("storage.c").link(target, Linker::Lld),
                target,
                disk: PowerCut::new(DISK),
            });
        }
    }

    /// Boots the guest, and kills it when it has said `until`: what it found on the disk, and the last number that it said.
    fn count(&self, case: &str, until: u64) -> (u64, u64) {
        let command = linked(self.executable, self.target, self.disk.device(), case);
        let mut running = Running::start(command, LIMIT);
        running.wait_for(&format!("\n{until}\n"));
        running.signal(Signal::SIGKILL);
        let outcome = running.wait();
        // A line that is cut off was not said.
        let end = outcome.stdout.rfind('\n').unwrap_or_default();
        let mut lines = outcome.stdout[..end].lines();
        let found = lines.next().and_then(|line| line.strip_prefix("found "));
        let found = found.and_then(|found| found.parse().ok());
        let said = lines.next_back().and_then(|line| line.parse().ok());
        match (found, said) {
            (Some(found), Some(said)) => (found, said),
            _ => panic!("{outcome}"),
        }
    }
}

#[test]
fn what_was_flushed_outlives_every_cut() {
    Counter::each(|mut counter| {
        // A virtual machine takes its time.
        let cuts = if counter.target == Target::Spt {
            200
        } else {
            10
        };
        let mut said = 0;
        for cut in 0..cuts {
            let (found, last) = counter.count("count", said + 3 + cut % 17);
            // The last may be durable without having been said to be.
            assert!((said..=said + 1).contains(&found), "{found} after {said}");
            said = last;
            counter.disk.cut();
        }
    });
}

/// The test above would notice: what is not flushed is lost.
#[test]
fn what_was_not_flushed_is_lost() {
    Counter::each(|mut counter| {
        let (_, said) = counter.count("count-unflushed", 50);
        counter.disk.cut();
        let (found, _) = counter.count("count-unflushed", said + 1);
        assert!(found < said, "{found} of {said}");
    });
}
