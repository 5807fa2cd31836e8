//! When a client looks for a server again, after searches that were of no use.

use core::time::Duration;

/// From a refusal to the next search, at first and at most; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// A lease that was held for so long is no part of a row of failures.
const HELD: Duration = Duration::from_secs(60);

/// Searches in a row that led to no lease that was held for [`HELD`].
#[derive(Debug, Default)]
pub(super) struct Failures(u32);

impl Failures {
    /// How long to wait after a refusal, or the end of a lease that was `held` for so long: not at all if that was
    /// long, else the longer the more often it has been of no use.
    pub(super) fn wait(&mut self, held: Option<Duration>) -> Duration {
        if held.is_some_and(|held| held >= HELD) {
            self.0 = 0;
            return Duration::ZERO;
        }
        let wait = (FIRST_WAIT * (1 << self.0.min(8))).min(LONGEST_WAIT);
        self.0 = self.0.saturating_add(1);
        wait
    }
}
