//! Adaptive busy polling: whether, and for how long, to ask the device again and again before
//! blocking.
//!
//! A wake-up across CPUs costs more than a short wait. Who is about to block asks
//! [`Policy::spin_for`]; if the answer is not zero, it polls its device for that long, and blocks
//! only then. Afterwards it tells [`Policy::waited`] how the wait ended. This module decides, and
//! does nothing itself: it reads no clock and touches no device.
//!
//! It spins only if all of these hold:
//!
//! - arrivals follow each other so closely that a spin costs little more than to block and be woken, which takes
//!   some 20 µs: the estimate of the time that a wait takes, waking included, is within half of [`BusyPoll::longest`];
//! - spinning has paid: of the last spins, more ended with an arrival than not. When client and
//!   server share one CPU they never do, since the client cannot run while we spin; then there is
//!   only a trial now and then, more rarely each time;
//! - the share of time spent in spins that brought nothing is within [`BusyPoll::share`].

use core::time::Duration;

use miou_rs::Instant;

/// The bounds of busy polling: how long to ask network devices again and again before blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyPoll {
    /// The longest spin, for arrivals that follow each other in half of it; zero switches busy polling off.
    pub longest: Duration,
    /// Percent of all time that may go into spins that end without an arrival.
    pub share: u8,
}

impl Default for BusyPoll {
    /// 100 µs, between what Linux recommends for `busy_poll` (50) and the limit of KVM's
    /// `halt_poll_ns` (200); a fifth of one CPU.
    fn default() -> Self {
        Self {
            longest: Duration::from_micros(100),
            share: 20,
        }
    }
}

impl BusyPoll {
    /// No busy polling at all.
    pub const OFF: Self = Self {
        longest: Duration::ZERO,
        share: 0,
    };
}

/// The weight of the newest wait in the estimates is one in this many.
const MEMORY: u64 = 8;
/// A spin is this many times as long as what is waited for is expected to take, so that what is a little late is
/// caught as well.
const MARGIN: u64 = 2;
/// What may have been saved up of the share, as a multiple of the longest spin.
const SAVINGS: u64 = 20;
/// Waits between two trials, at most.
const RAREST_TRIAL: u32 = 4096;
/// The success rate's unit.
const ONE: u64 = 1 << 16;

/// The policy, with what it has learnt.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    limits: BusyPoll,
    /// Estimate of how long a wait takes, in nanoseconds.
    wait: u64,
    /// Estimate of the part of spins that end with an arrival, in units of 1 / [`ONE`].
    success: u64,
    /// Nanoseconds that fruitless spins may still take.
    savings: u64,
    saved_at: Option<Instant>,
    /// Waits until the next trial, and how many there were before it.
    trial_in: u32,
    trial_gap: u32,
}

impl Policy {
    /// A policy that knows nothing yet, and therefore does not spin.
    #[must_use]
    pub(crate) fn new(limits: BusyPoll) -> Self {
        Self {
            limits,
            wait: u64::MAX / 2,
            success: ONE,
            savings: nanos(limits.longest) * SAVINGS,
            saved_at: None,
            trial_in: 0,
            trial_gap: 1,
        }
    }

    /// How long to poll, from `now` on, before blocking. Zero: block at once.
    #[must_use]
    pub(crate) fn spin_for(&mut self, now: Instant) -> Duration {
        let longest = nanos(self.limits.longest);
        if longest == 0 || self.wait > longest / MARGIN {
            return Duration::ZERO;
        }
        self.save(now);
        if self.savings < longest || !(self.pays() || self.tries()) {
            return Duration::ZERO;
        }
        // Who has just been late, as a peer that another task kept from its CPU, would otherwise also
        // find us asleep: the spread of waits is wide.
        Duration::from_nanos((MARGIN * self.wait).clamp(longest / 2, longest))
    }

    fn pays(&self) -> bool {
        self.success > ONE / 2
    }

    /// Whether it is time for another trial.
    fn tries(&mut self) -> bool {
        self.trial_in = self.trial_in.saturating_sub(1);
        self.trial_in == 0
    }

    /// Adds the share of the time since the last call.
    fn save(&mut self, now: Instant) {
        let elapsed = nanos(now - self.saved_at.unwrap_or(now));
        self.saved_at = Some(now);
        let gained = (elapsed / 100).saturating_mul(u64::from(self.limits.share));
        let most = nanos(self.limits.longest) * SAVINGS;
        self.savings = self.savings.saturating_add(gained).min(most);
    }

    /// Something arrived at `end`, having been waited for since `start`, of which at most `spin` was
    /// spent polling: what [`Policy::spin_for`] said, or zero. A wait that a deadline ended,
    /// and no arrival, is told as well.
    pub(crate) fn waited(&mut self, start: Instant, end: Instant, spin: Duration) {
        let (wait, spin) = (nanos(end - start), nanos(spin));
        // One very long wait says no more than one that is too long for a spin.
        let sample = wait.min(4 * nanos(self.limits.longest));
        self.wait = match self.wait > u64::MAX / 4 {
            true => sample,
            false => self.wait - self.wait / MEMORY + sample / MEMORY,
        };
        if spin == 0 {
            return;
        }
        let success = wait <= spin;
        let target = if success { ONE } else { 0 };
        self.success = self.success - self.success / MEMORY + target / MEMORY;
        if success {
            // A trial that paid is followed by another at once.
            (self.trial_in, self.trial_gap) = (0, 1);
        } else {
            self.savings = self.savings.saturating_sub(spin);
            if !self.pays() {
                self.trial_in = self.trial_gap;
                self.trial_gap = (2 * self.trial_gap).min(RAREST_TRIAL);
            }
        }
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
