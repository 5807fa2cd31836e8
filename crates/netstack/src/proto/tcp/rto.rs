//! The retransmission time-out (RFC 6298).

use core::time::Duration;

/// RFC 6298 §2.1: the time-out before there is a measurement.
pub(super) const INITIAL: Duration = Duration::from_secs(1);
/// RFC 6298 §5.7: the time-out of an established connection whose SYN had to be retransmitted.
pub(super) const AFTER_SYN_LOSS: Duration = Duration::from_secs(3);

/// SRTT, RTTVAR and RTO of a connection, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct RttEstimator {
    srtt: u64,
    rttvar: u64,
    /// Without back-off; between the two bounds.
    rto: u64,
    /// Least sample.
    min: u64,
    /// Doublings since the last acknowledgement of new data.
    backoff: u8,
}

impl RttEstimator {
    pub(super) fn new() -> Self {
        Self {
            srtt: 0,
            rttvar: 0,
            rto: INITIAL.as_nanos() as u64,
            min: u64::MAX,
            backoff: 0,
        }
    }

    /// Takes a measurement of an octet that was sent once (Karn's algorithm, RFC 6298 §3).
    #[inline]
    pub(super) fn sample(&mut self, rtt: Duration, min_rto: Duration, max_rto: Duration) {
        // A sample of zero is what a coarse clock gives; zero stands for "none" here.
        let rtt = (rtt.as_nanos() as u64).max(1);
        self.min = self.min.min(rtt);
        if self.srtt == 0 {
            // §2.2
            self.srtt = rtt;
            self.rttvar = rtt / 2;
        } else {
            // §2.3, with alpha = 1/8 and beta = 1/4.
            self.rttvar = self.rttvar - self.rttvar / 4 + self.srtt.abs_diff(rtt) / 4;
            self.srtt = self.srtt - self.srtt / 8 + rtt / 8;
        }
        // The lower bound stands for the clock granularity and the peer's delayed acknowledgements.
        let rto = self.srtt + (4 * self.rttvar).max(min_rto.as_nanos() as u64);
        self.rto = rto.min(max_rto.as_nanos() as u64);
        self.backoff = 0;
    }

    /// Starts over from `rto` (RFC 6298 §5.7).
    pub(super) fn restart_from(&mut self, rto: Duration) {
        self.rto = self.rto.max(rto.as_nanos() as u64);
    }

    /// New data was acknowledged: the back-off ends.
    #[inline]
    pub(super) fn progress(&mut self) {
        self.backoff = 0;
    }

    /// §5.5: doubles the time-out.
    pub(super) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1).min(32);
    }

    /// The time-out with its back-off, at most `max_rto`.
    #[inline]
    pub(super) fn rto(&self, max_rto: Duration) -> Duration {
        let backed_off = (u128::from(self.rto) << self.backoff).min(max_rto.as_nanos());
        Duration::from_nanos(backed_off as u64)
    }

    /// Time-outs since the last progress.
    pub(super) fn backoffs(&self) -> u8 {
        self.backoff
    }

    #[inline]
    pub(super) fn srtt(&self) -> Option<Duration> {
        (self.srtt != 0).then(|| Duration::from_nanos(self.srtt))
    }

    #[inline]
    pub(super) fn min(&self) -> Option<Duration> {
        (self.min != u64::MAX).then(|| Duration::from_nanos(self.min))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::{INITIAL, RttEstimator};

    const MIN: Duration = Duration::from_millis(200);
    const MAX: Duration = Duration::from_secs(60);
    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn rfc6298_2_1_one_second_before_a_measurement() {
        assert_eq!(RttEstimator::new().rto(MAX), INITIAL);
    }

    #[test]
    fn rfc6298_2_2_first_measurement() {
        let mut rtt = RttEstimator::new();
        rtt.sample(MS(200), MIN, MAX);
        assert_eq!(rtt.srtt(), Some(MS(200)));
        // SRTT + 4 × R/2.
        assert_eq!(rtt.rto(MAX), MS(600));
    }

    #[test]
    fn rfc6298_2_3_later_measurements() {
        let mut rtt = RttEstimator::new();
        rtt.sample(MS(200), MIN, MAX);
        rtt.sample(MS(280), MIN, MAX);
        // RTTVAR = 3/4 × 100 + 1/4 × 80 = 95; SRTT = 7/8 × 200 + 1/8 × 280 = 210.
        assert_eq!(rtt.srtt(), Some(MS(210)));
        assert_eq!(rtt.rto(MAX), MS(210 + 4 * 95));
        assert_eq!(rtt.min(), Some(MS(200)));
    }

    #[test]
    fn rfc6298_2_4_and_2_5_bounds() {
        let mut rtt = RttEstimator::new();
        for _ in 0..100 {
            rtt.sample(MS(1), MIN, MAX);
        }
        assert!(rtt.rto(MAX) >= MIN && rtt.rto(MAX) < MS(202));
        rtt.sample(Duration::from_secs(100), MIN, MAX);
        assert_eq!(rtt.rto(MAX), MAX);
    }

    #[test]
    fn rfc6298_5_5_back_off_doubles_up_to_the_bound_and_ends_with_progress() {
        let mut rtt = RttEstimator::new();
        for doubled in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(rtt.rto(MAX), Duration::from_secs(doubled));
            rtt.back_off();
        }
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(MAX), MAX);
        rtt.progress();
        assert_eq!(rtt.rto(MAX), INITIAL);
    }
}
