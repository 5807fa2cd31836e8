//! The retransmission time-out (RFC 6298).

use core::time::Duration;

/// RFC 6298 §2.1: the time-out before there is a measurement.
pub(crate) const INITIAL: Duration = Duration::from_secs(1);
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
    /// Doublings since the last sample.
    backoff: u8,
    /// Time-outs since the last acknowledgement of new data.
    timeouts: u8,
    /// Something was sent again before its time-out since the last sample.
    again: bool,
    /// With back-off, at most `max_rto`: what is asked for most.
    timeout: u64,
    /// The bounds of the time-out, in microseconds.
    min_rto: u32,
    max_rto: u32,
}

impl RttEstimator {
    pub(crate) fn new(min_rto: Duration, max_rto: Duration) -> Self {
        let initial = INITIAL.as_nanos() as u64;
        Self {
            srtt: 0,
            rttvar: 0,
            rto: initial,
            min: u64::MAX,
            backoff: 0,
            timeouts: 0,
            again: false,
            timeout: initial,
            min_rto: micros(min_rto),
            max_rto: micros(max_rto),
        }
    }

    /// Takes a measurement of an octet that was sent once (Karn's algorithm, RFC 6298 §3).
    #[inline]
    pub(crate) fn sample(&mut self, rtt: u64) {
        self.min = self.min.min(rtt);
        // A sample of zero is what a coarse clock gives; zero stands for "none" here.
        let rtt = rtt.max(1);
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
        let rto = self.srtt + (4 * self.rttvar).max(nanos_of(self.min_rto));
        self.rto = rto.min(nanos_of(self.max_rto));
        // §5: only this ends the back-off.
        self.backoff = 0;
        self.again = false;
        self.timeout = self.rto;
    }

    /// Starts over from `rto` (RFC 6298 §5.7).
    pub(super) fn restart_from(&mut self, rto: Duration) {
        self.rto = self.rto.max(rto.as_nanos() as u64);
        self.backoff = 0;
        self.timeouts = 0;
        self.again = false;
        self.timeout = self.rto.min(nanos_of(self.max_rto));
    }

    /// New data was acknowledged. The time-out stays as it is, lest one that is too short for the path
    /// make a sample of everything impossible (the second half of Karn's algorithm).
    #[inline]
    pub(crate) fn progress(&mut self) {
        self.timeouts = 0;
    }

    /// §5.5: a time-out, which doubles the next.
    pub(crate) fn back_off(&mut self) {
        self.timeouts = self.timeouts.saturating_add(1);
        self.backoff = self.backoff.saturating_add(1).min(32);
        self.timeout = self.doubled(0);
    }

    /// Something was sent again although there was no time-out: its acknowledgement measures nothing.
    pub(super) fn sent_again(&mut self) {
        self.again = true;
    }

    /// Whether something was sent again since the last sample, so that the estimate may be too small
    /// for the path.
    #[inline]
    pub(super) fn is_ambiguous(&self) -> bool {
        self.again || self.backoff > 0
    }

    /// The time-out doubled so many times more, in nanoseconds.
    pub(crate) fn doubled(&self, times: u8) -> u64 {
        let doublings = self.backoff.saturating_add(times).min(32);
        let doubled = u128::from(self.rto) << doublings;
        doubled.min(nanos_of(self.max_rto).into()) as u64
    }

    /// The time-out with its back-off, in nanoseconds.
    #[inline]
    pub(crate) fn timeout(&self) -> u64 {
        self.timeout
    }

    /// Time-outs since new data was acknowledged.
    pub(crate) fn timeouts(&self) -> u8 {
        self.timeouts
    }

    /// SRTT in nanoseconds, zero before there is a measurement.
    #[inline]
    pub(crate) fn srtt(&self) -> u64 {
        self.srtt
    }

    /// The least sample in nanoseconds.
    #[inline]
    pub(crate) fn min(&self) -> Option<u64> {
        (self.min != u64::MAX).then_some(self.min)
    }
}

/// Up to 71 minutes.
fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

#[inline]
fn nanos_of(micros: u32) -> u64 {
    u64::from(micros) * 1000
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::RttEstimator;

    const MIN: Duration = Duration::from_millis(200);
    const MAX: Duration = Duration::from_secs(60);
    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1000 * MS;

    #[test]
    fn rfc6298_2_1_one_second_before_a_measurement() {
        assert_eq!(RttEstimator::new(MIN, MAX).timeout(), SECOND);
    }

    #[test]
    fn rfc6298_2_2_first_measurement() {
        let mut rtt = RttEstimator::new(MIN, MAX);
        rtt.sample(200 * MS);
        assert_eq!(rtt.srtt(), 200 * MS);
        // SRTT + 4 × R/2.
        assert_eq!(rtt.timeout(), 600 * MS);
    }

    #[test]
    fn rfc6298_2_3_later_measurements() {
        let mut rtt = RttEstimator::new(MIN, MAX);
        rtt.sample(200 * MS);
        rtt.sample(280 * MS);
        // RTTVAR = 3/4 × 100 + 1/4 × 80 = 95; SRTT = 7/8 × 200 + 1/8 × 280 = 210.
        assert_eq!(rtt.srtt(), 210 * MS);
        assert_eq!(rtt.timeout(), (210 + 4 * 95) * MS);
        assert_eq!(rtt.min(), Some(200 * MS));
    }

    #[test]
    fn rfc6298_2_4_and_2_5_bounds() {
        let mut rtt = RttEstimator::new(MIN, MAX);
        for _ in 0..100 {
            rtt.sample(MS);
        }
        assert!(rtt.timeout() >= 200 * MS && rtt.timeout() < 202 * MS);
        rtt.sample(100 * SECOND);
        assert_eq!(rtt.timeout(), 60 * SECOND);
    }

    #[test]
    fn rfc6298_5_5_back_off_doubles_up_to_the_bound_and_ends_with_a_sample_only() {
        let mut rtt = RttEstimator::new(MIN, MAX);
        for doubled in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(rtt.timeout(), doubled * SECOND);
            rtt.back_off();
        }
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), 60 * SECOND);
        rtt.progress();
        assert_eq!((rtt.timeout(), rtt.timeouts()), (60 * SECOND, 0));
        rtt.sample(200 * MS);
        assert_eq!(rtt.timeout(), 600 * MS);
    }
}
