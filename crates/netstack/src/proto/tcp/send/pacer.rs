//! When a connection may send that is paced.

use crate::proto::Instant;
use crate::proto::tcp::congestion::Pacing;

/// When a connection may send how much.
#[derive(Debug)]
pub(super) struct Pacer {
    pub(super) pacing: Pacing,
    /// Octets that are left of the burst that began before `next`.
    burst: u32,
    /// C.next_send_time: when the next burst may begin.
    pub(super) next: Instant,
}

impl Pacer {
    pub(crate) fn new(pacing: Pacing, now: Instant) -> Self {
        Self {
            pacing,
            burst: 0,
            next: now,
        }
    }

    /// Octets that may be sent now.
    pub(crate) fn budget(&self, now: Instant) -> u32 {
        if now >= self.next {
            self.pacing.quantum
        } else {
            self.burst
        }
    }

    /// Octets were sent. A burst that came late, as timers do, is not charged for up to half of its
    /// time, lest the rate suffer.
    pub(crate) fn sent(&mut self, now: Instant, octets: u32) {
        if now >= self.next {
            self.burst = self.pacing.quantum;
            let credit = self.time_of(self.pacing.quantum / 2);
            let late = now.nanos_since(self.next).min(credit);
            self.next = Instant::from_nanos(now.as_nanos().saturating_sub(late));
        }
        self.burst = self.burst.saturating_sub(octets);
        self.next = self.next.after_nanos(self.time_of(octets));
    }

    /// Nanoseconds that `octets` take.
    fn time_of(&self, octets: u32) -> u64 {
        u64::from(octets) * 1_000_000_000 / self.pacing.rate.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::Pacer;
    use crate::proto::Instant;
    use crate::proto::tcp::congestion::Pacing;

    const US: u64 = 1000;

    /// A megabyte a second: an octet each microsecond.
    fn pacer() -> Pacer {
        let pacing = Pacing {
            rate: 1_000_000,
            quantum: 3000,
            held_back: false,
        };
        Pacer::new(pacing, Instant::from_nanos(0))
    }

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * US)
    }

    #[test]
    fn bbr_5_6_2_a_burst_of_a_quantum_then_a_pause_of_its_time() {
        let mut pacer = pacer();
        let now = at(100_000);
        // It is late by more than the 1,500 µs that it need not pay for.
        pacer.sent(now, 1500);
        assert_eq!(pacer.budget(now), 3000);
        pacer.sent(now, 1000);
        assert_eq!(pacer.budget(now), 2000);
        pacer.sent(now, 2000);
        assert_eq!(pacer.budget(now), 0);
        assert_eq!(pacer.next, at(103_000));
        assert_eq!(pacer.budget(at(102_999)), 0);
        assert_eq!(pacer.budget(at(103_000)), 3000);
    }

    #[test]
    fn a_timer_that_is_late_does_not_lower_the_rate() {
        let mut pacer = pacer();
        let (mut now, mut sent) = (at(0), 0);
        while now < at(1_000_000) {
            while pacer.budget(now) >= 1000 {
                pacer.sent(now, 1000);
                sent += 1000;
            }
            // A millisecond late each time.
            now = pacer.next.after_nanos(1000 * US);
        }
        assert!((990_000..=1_005_000).contains(&sent), "{sent}");
    }
}
