//! Startup, Drain and ProbeBW (§5.3.1 to §5.3.3).

use super::{AckPhase, Bbr, INFINITY, State};
use crate::proto::Instant;
use crate::proto::tcp::congestion::RateSample;

/// BBRStartupFullLossCnt of §5.3.1.3.
const STARTUP_FULL_LOSS_CNT: u32 = 6;
/// §5.3.3.8: round trips between probes, at most.
const T_RENO_BOUND: u64 = 63;
const SECOND: u64 = 1_000_000_000;

impl Bbr {
    /// §5.3.1.1.
    pub(crate) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    /// §5.3.1.2.
    pub(crate) fn reset_full_bw(&mut self) {
        self.full_bw = 0;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// §5.3.1.2: three round trips in which the rate grew by less than a quarter.
    pub(crate) fn check_full_bw_reached(&mut self, sample: &RateSample) {
        if self.full_bw_now || !self.round_start || sample.is_app_limited {
            return;
        }
        if sample.delivery_rate >= self.full_bw + self.full_bw / 4 {
            self.reset_full_bw();
            self.full_bw = sample.delivery_rate;
            return;
        }
        self.full_bw_count += 1;
        self.full_bw_now = self.full_bw_count >= 3;
        self.full_bw_reached |= self.full_bw_now;
    }

    /// §5.3.1.1.
    pub(crate) fn check_startup_done(&mut self, sample: &RateSample) {
        if self.state == State::Startup {
            self.check_startup_high_loss(sample);
        }
        if self.loss_round_start {
            self.lost_ranges = 0;
        }
        if self.state == State::Startup && self.full_bw_reached {
            // §5.3.2, EnterDrain.
            self.state = State::Drain;
            self.drain_start_round = self.round_count;
        }
    }

    /// §5.3.1.3: a whole round trip of recovery, with losses above the threshold in six places.
    fn check_startup_high_loss(&mut self, sample: &RateSample) {
        if self.full_bw_reached || !sample.in_recovery {
            return;
        }
        let too_high = if self.has_selective_acks {
            self.loss_round_start
                && self.lost_ranges >= STARTUP_FULL_LOSS_CNT
                && self.is_inflight_too_high(sample.lost, sample.tx_in_flight.into())
        } else {
            self.lost_ranges > 0
        };
        if too_high {
            self.leave_startup_on_loss();
        }
    }

    /// §5.3.2.
    pub(crate) fn check_drain_done(&mut self, now: Instant) {
        if self.state == State::Drain
            && (self.inflight <= self.inflight_at(self.bw)
                || self.round_count > self.drain_start_round + 3)
        {
            // EnterProbeBW.
            self.start_probe_bw_down(now);
        }
    }

    pub(crate) fn start_probe_bw_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = INFINITY;
        self.pick_probe_wait();
        self.cycle_stamp = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round();
        self.state = State::ProbeBwDown;
    }

    pub(crate) fn start_probe_bw_cruise(&mut self) {
        self.state = State::ProbeBwCruise;
    }

    pub(crate) fn start_probe_bw_refill(&mut self) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = State::ProbeBwRefill;
    }

    fn start_probe_bw_up(&mut self, sample: &RateSample) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round();
        self.reset_full_bw();
        self.full_bw = sample.delivery_rate;
        self.state = State::ProbeBwUp;
        self.raise_inflight_longterm_slope();
    }

    /// §5.3.3.9.
    pub(crate) fn update_probe_bw_cycle_phase(&mut self, sample: &RateSample) {
        if !self.full_bw_reached || self.adapt_long_term_model(sample) {
            return;
        }
        match self.state {
            State::ProbeBwDown => {
                if !self.is_time_to_probe_bw(sample.now) && self.is_time_to_cruise() {
                    self.start_probe_bw_cruise();
                }
            }
            State::ProbeBwCruise => {
                self.is_time_to_probe_bw(sample.now);
            }
            State::ProbeBwRefill => {
                if self.round_start {
                    self.is_bw_probe_sample = true;
                    self.start_probe_bw_up(sample);
                }
            }
            State::ProbeBwUp => {
                if self.is_time_to_go_down(sample) {
                    self.prev_probe_too_high = false;
                    self.start_probe_bw_down(sample.now);
                }
            }
            State::Startup | State::Drain | State::ProbeRtt => {}
        }
    }

    /// §5.3.3.8: starts to refill the pipe when it is time to probe.
    fn is_time_to_probe_bw(&mut self, now: Instant) -> bool {
        let elapsed = now > self.cycle_stamp.after_nanos(self.bw_probe_wait);
        // IsRenoCoexistenceProbeTime.
        let rounds = (self.target_inflight() / self.smss).min(T_RENO_BOUND);
        if elapsed || self.rounds_since_probe_up >= rounds {
            self.start_probe_bw_refill();
            return true;
        }
        false
    }

    /// §5.3.3.8: 62 or 63 round trips, and two to three seconds.
    fn pick_probe_wait(&mut self) {
        self.rounds_since_probe_up = self.random_below(2);
        self.bw_probe_wait = 2 * SECOND + self.random_below(SECOND);
    }

    fn is_time_to_cruise(&self) -> bool {
        self.inflight <= self.inflight_with_headroom()
            && self.inflight <= self.inflight_at(self.max_bw())
    }

    fn is_time_to_go_down(&mut self, sample: &RateSample) -> bool {
        // §5.3.3.6, deceleration.
        if self.prev_probe_too_high && self.inflight >= self.inflight_longterm {
            self.prev_probe_precautionary = true;
            return true;
        }
        if self.is_cwnd_limited && self.cwnd >= self.inflight_longterm {
            self.reset_full_bw();
            self.full_bw = sample.delivery_rate;
            return false;
        }
        self.full_bw_now
    }

    fn raise_inflight_longterm_slope(&mut self) {
        let growth_this_round = 1 << self.bw_probe_up_rounds;
        self.bw_probe_up_rounds = (self.bw_probe_up_rounds + 1).min(30);
        self.probe_up_acked_per_inc = (self.cwnd / growth_this_round).max(self.smss);
    }

    fn probe_inflight_longterm_upward(&mut self, sample: &RateSample) {
        if !self.is_cwnd_limited || self.cwnd < self.inflight_longterm {
            return;
        }
        self.bw_probe_up_acked += u64::from(sample.newly_acked);
        let delta = self.bw_probe_up_acked / self.probe_up_acked_per_inc;
        self.bw_probe_up_acked -= delta * self.probe_up_acked_per_inc;
        self.inflight_longterm += delta * self.smss;
        if self.round_start {
            self.raise_inflight_longterm_slope();
        }
    }

    /// §5.3.3.9; whether it has decided a state transition.
    fn adapt_long_term_model(&mut self, sample: &RateSample) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round_start {
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round_start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            if self.is_in_a_probe_bw_state() && !sample.is_app_limited {
                self.max_bw_filter.advance();
            }
            // §5.3.3.6, acceleration.
            if self.is_in_a_probe_bw_state()
                && self.prev_probe_precautionary
                && !self.prev_probe_too_high
            {
                self.start_probe_bw_refill();
                return true;
            }
        }
        let tx_in_flight = u64::from(sample.tx_in_flight);
        if self.inflight_longterm != INFINITY
            && !self.is_inflight_too_high(sample.lost, tx_in_flight)
        {
            self.inflight_longterm = self.inflight_longterm.max(tx_in_flight);
            if self.state == State::ProbeBwUp {
                self.probe_inflight_longterm_upward(sample);
            }
        }
        false
    }
}
