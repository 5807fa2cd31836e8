//! The model of the path: round trips, rates and aggregation (§5.5).

use super::{BETA, Bbr, INFINITY, LOSS_THRESH, percent};
use crate::proto::tcp::congestion::RateSample;

impl Bbr {
    /// §5.5.1, UpdateRound.
    fn update_round(&mut self, sample: &RateSample) {
        self.round_start = sample
            .prior_delivered
            .is_some_and(|delivered| delivered >= self.next_round_delivered);
        if self.round_start {
            self.start_round();
            self.round_count += 1;
            self.rounds_since_probe_up += 1;
        }
    }

    /// §5.5.1.
    pub(crate) fn start_round(&mut self) {
        self.next_round_delivered = self.delivered;
    }

    /// BBR.max_bw.
    pub(crate) fn max_bw(&self) -> u64 {
        self.max_bw_filter.max()
    }

    /// §5.5.5: samples that the application has limited count only if they are the largest. One that
    /// says nothing of the rate is below any maximum.
    fn update_max_bw(&mut self, sample: &RateSample) {
        self.update_round(sample);
        let rate = sample.delivery_rate;
        if rate >= self.max_bw() || !sample.is_app_limited {
            self.max_bw_filter.update(rate);
        }
    }

    /// §5.5.9.
    pub(crate) fn update_ack_aggregation(&mut self, sample: &RateSample) {
        let interval = sample.now.nanos_since(self.extra_acked_interval_start);
        let expected = u128::from(self.bw) * u128::from(interval) / 1_000_000_000;
        let mut expected = expected.min(u128::from(u64::MAX)) as u64;
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_interval_start = sample.now;
            expected = 0;
        }
        self.extra_acked_delivered += u64::from(sample.newly_acked);
        let extra = self.extra_acked_delivered.saturating_sub(expected);
        self.extra_acked_filter
            .update(self.round_count, extra.min(self.cwnd));
    }

    /// §5.5.10.3.
    pub(crate) fn update_latest_delivery_signals(&mut self, sample: &RateSample) {
        self.bw_latest = self.bw_latest.max(sample.delivery_rate);
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        self.loss_round_start = sample
            .prior_delivered
            .is_some_and(|delivered| delivered >= self.loss_round_delivered);
        if self.loss_round_start {
            self.loss_round_delivered = self.delivered;
        }
    }

    /// §5.5.10.3.
    pub(crate) fn advance_latest_delivery_signals(&mut self, sample: &RateSample) {
        if self.loss_round_start {
            self.bw_latest = sample.delivery_rate;
            self.inflight_latest = sample.delivered;
        }
    }

    /// §5.5.10.3.
    pub(crate) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    /// §5.5.10.3.
    pub(crate) fn update_congestion_signals(&mut self, sample: &RateSample) {
        self.update_max_bw(sample);
        if self.loss_round_start {
            self.adapt_lower_bounds_from_congestion(sample);
            self.is_loss_in_round = false;
        }
    }

    /// §5.5.10.3: once in a round trip with loss, when not probing for bandwidth.
    fn adapt_lower_bounds_from_congestion(&mut self, sample: &RateSample) {
        if self.is_probing_bw() || !self.is_loss_in_round || self.tolerates_losses_of(sample) {
            return;
        }
        // InitLowerBounds.
        if self.bw_shortterm == INFINITY {
            self.bw_shortterm = self.max_bw();
        }
        if self.inflight_shortterm == INFINITY {
            self.inflight_shortterm = self.cwnd;
        }
        // LossLowerBounds.
        self.bw_shortterm = self.bw_latest.max(percent(self.bw_shortterm, BETA));
        self.inflight_shortterm = self
            .inflight_latest
            .max(percent(self.inflight_shortterm, BETA));
    }

    /// Whether the losses of a round trip are within what the user has said is normal here.
    fn tolerates_losses_of(&self, sample: &RateSample) -> bool {
        self.loss_thresh > LOSS_THRESH
            && !self.is_inflight_too_high(sample.lost, sample.tx_in_flight.into())
    }

    /// §5.5.10.3.
    pub(crate) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = INFINITY;
        self.inflight_shortterm = INFINITY;
    }

    /// §5.5.10.3.
    pub(crate) fn bound_bw_for_model(&mut self) {
        self.bw = self.max_bw().min(self.bw_shortterm);
    }
}
