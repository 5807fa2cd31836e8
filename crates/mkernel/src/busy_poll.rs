//! When to poll a device a little longer before blocking.
//!
//! Blocking costs a wake-up, tens of microseconds when it crosses CPUs, which
//! is most of a short round trip. Linux's `busy_poll` and KVM's `halt_poll_ns`
//! therefore spin for a moment first. This is the policy of that moment: it
//! owns no clock and no device; times are nanoseconds of any monotonic clock.
//!
//! It polls only while waits have lately been short (so not at all when idle),
//! only within a share of the CPU, and it backs off where polling does not
//! find what blocking then gets at once, as when the sender needs this CPU.

use std::time::Duration;

/// How the event source polls devices before it blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BusyPoll {
    /// The longest time to poll before one wait; zero never polls.
    pub longest: Duration,
    /// The greatest share of the CPU to spend on polling, in percent
    /// (values above 100 count as 100).
    pub share: u8,
}

impl Default for BusyPoll {
    /// 50 µs, within 80 % of the CPU.
    fn default() -> BusyPoll {
        BusyPoll { longest: Duration::from_micros(50), share: 80 }
    }
}

impl BusyPoll {
    /// Blocks at once, always.
    pub const OFF: BusyPoll = BusyPoll { longest: Duration::ZERO, share: 0 };
}

/// Waits above this many times `longest` all count the same, so that a few
/// short waits after a pause suffice to poll again.
const LONG_WAIT: u64 = 8;
/// The allowance that can be saved up, in waits of `longest`.
const BURST: u64 = 64;
/// The most waits without a trial after polling has failed repeatedly.
const MOST_SKIPPED: u32 = 1024;

/// The state of the policy.
#[derive(Debug)]
pub(crate) struct Policy {
    longest: u64,
    share: u64,
    /// Moving average of the length of waits that an event ended.
    expected: u64,
    /// Nanoseconds of polling still allowed.
    allowance: u64,
    allowance_at: u64,
    /// Waits that are still to be left out, and the last number set.
    skip: u32,
    penalty: u32,
}

impl Policy {
    pub(crate) fn new(settings: BusyPoll, now: u64) -> Policy {
        let longest = u64::try_from(settings.longest.as_nanos()).unwrap_or(u64::MAX / BURST);
        Policy {
            longest: longest.min(u64::MAX / BURST),
            share: u64::from(settings.share.min(100)),
            expected: u64::MAX,
            allowance: 0,
            allowance_at: now,
            skip: 0,
            penalty: 0,
        }
    }

    /// How long to poll before the wait that begins now.
    pub(crate) fn plan(&mut self, now: u64) -> u64 {
        let earned = now.saturating_sub(self.allowance_at) / 100 * self.share;
        self.allowance = self.allowance.saturating_add(earned).min(BURST * self.longest);
        self.allowance_at = now;
        if self.expected > self.longest {
            return 0;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return 0;
        }
        self.longest.min(self.allowance)
    }

    /// Polling found an event `waited` nanoseconds into the wait.
    pub(crate) fn found(&mut self, waited: u64) {
        self.penalty = 0;
        self.spend(waited);
        self.learn(waited);
    }

    /// Polling for `polled` nanoseconds found nothing.
    pub(crate) fn missed(&mut self, polled: u64) {
        self.spend(polled);
        self.penalty = (self.penalty * 2).clamp(1, MOST_SKIPPED);
        self.skip = self.penalty;
    }

    /// An event ended the wait while blocked, `waited` nanoseconds into it.
    pub(crate) fn woken(&mut self, waited: u64) {
        self.learn(waited);
    }

    fn spend(&mut self, nanoseconds: u64) {
        self.allowance = self.allowance.saturating_sub(nanoseconds);
    }

    fn learn(&mut self, waited: u64) {
        let sample = waited.min(self.longest.saturating_mul(LONG_WAIT));
        self.expected = match self.expected {
            u64::MAX => sample,
            expected => expected - expected / 4 + sample / 4,
        };
    }
}

#[cfg(test)]
mod tests;
