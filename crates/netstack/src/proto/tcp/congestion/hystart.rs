//! HyStart++ (RFC 9406): leaves slow start when round trips take longer, before the queue overflows.
//!
//! It judges by eight samples in a row, and not by the least of a whole round: as windows are paced, eight
//! that are all late are a queue, and a round later it may be full. For the same reason conservative
//! slow start ends when the queue has grown as much again.

use super::Ack;

/// RFC 9406 §4.3; times in microseconds.
const MIN_RTT_THRESH: u32 = 4_000;
const MAX_RTT_THRESH: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
/// A round-trip time that there is not.
const INFINITY: u32 = u32::MAX;

/// How a connection goes through its first slow start.
#[derive(Clone, Copy, Debug)]
pub(super) struct HyStart {
    /// windowEnd: the round is over when it is acknowledged.
    window_end: Option<u32>,
    last_round_min_rtt: u32,
    current_round_min_rtt: u32,
    rtt_sample_count: u8,
    /// Rounds of conservative slow start.
    css_rounds: u8,
    /// In conservative slow start, what the least round-trip time was when that began.
    css_baseline_min_rtt: u32,
    /// The least of the samples that are not judged yet.
    samples_min_rtt: u32,
}

impl HyStart {
    pub(super) const NEW: Self = Self {
        window_end: None,
        last_round_min_rtt: INFINITY,
        current_round_min_rtt: INFINITY,
        rtt_sample_count: 0,
        css_rounds: 0,
        css_baseline_min_rtt: INFINITY,
        samples_min_rtt: INFINITY,
    };

    /// Takes an acknowledgement of a flow that its window limits: that grows by slow start, the first of which
    /// ends here, up to `ssthresh`. Returns the octets acknowledged that are left for congestion avoidance.
    #[inline]
    pub(super) fn slow_start(&mut self, ack: &Ack, cwnd: &mut u32, ssthresh: &mut u32) -> u32 {
        let (step, left) = if *ssthresh == u32::MAX {
            let Some(step) = self.grow(ack) else {
                *ssthresh = *cwnd;
                return 0;
            };
            (step, 0)
        } else {
            let step = ack.acked.min(ssthresh.saturating_sub(*cwnd));
            (step, ack.acked - step)
        };
        *cwnd = cwnd.saturating_add(step).min(u32::MAX / 2);
        left
    }

    /// Takes an acknowledgement in the first slow start. Returns what the window may grow by; `None` when that
    /// slow start is over (§4.2).
    fn grow(&mut self, ack: &Ack) -> Option<u32> {
        let past = |end: u32| ack.una.wrapping_sub(end) as i32 >= 0;
        if self.window_end.is_none_or(past) {
            self.window_end = Some(ack.nxt);
            self.begin_round();
        }
        if ack.rtt != 0 {
            let rtt = u32::try_from(ack.rtt / 1000).unwrap_or(INFINITY);
            if self.judge(rtt) {
                return None;
            }
        }
        if self.css_baseline_min_rtt == INFINITY {
            return Some(ack.acked);
        }
        (self.css_rounds <= CSS_ROUNDS).then_some(ack.acked / CSS_GROWTH_DIVISOR)
    }

    fn begin_round(&mut self) {
        self.last_round_min_rtt = self.current_round_min_rtt;
        self.current_round_min_rtt = INFINITY;
        self.samples_min_rtt = INFINITY;
        self.rtt_sample_count = 0;
        if self.css_baseline_min_rtt != INFINITY {
            self.css_rounds += 1;
        }
    }

    /// Takes a sample; of eight, judges. Returns whether slow start is over.
    fn judge(&mut self, rtt: u32) -> bool {
        self.current_round_min_rtt = self.current_round_min_rtt.min(rtt);
        self.samples_min_rtt = self.samples_min_rtt.min(rtt);
        self.rtt_sample_count = self.rtt_sample_count.saturating_add(1);
        if self.rtt_sample_count < N_RTT_SAMPLE || self.last_round_min_rtt == INFINITY {
            return false;
        }
        self.rtt_sample_count = 0;
        let least = core::mem::replace(&mut self.samples_min_rtt, INFINITY);
        let last = self.last_round_min_rtt;
        let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
        if self.css_baseline_min_rtt == INFINITY {
            if least >= last.saturating_add(threshold) {
                self.css_baseline_min_rtt = least;
                // What is left of this round counts as one.
                self.css_rounds = 1;
            }
            return false;
        }
        if least < self.css_baseline_min_rtt {
            self.css_baseline_min_rtt = INFINITY;
        }
        least >= self.css_baseline_min_rtt.saturating_add(threshold)
    }
}
