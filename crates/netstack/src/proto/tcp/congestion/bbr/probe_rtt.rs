//! The least round-trip time, ProbeRTT and restarts after idle time (§5.3.4 and §5.4).

use super::{AckPhase, Bbr, State};
use crate::proto::Instant;
use crate::proto::tcp::congestion::RateSample;

const SECOND: u64 = 1_000_000_000;
/// BBR.MinRTTFilterLen.
const MIN_RTT_FILTER_LEN: u64 = 10 * SECOND;
/// BBR.ProbeRTTDuration.
const PROBE_RTT_DURATION: u64 = SECOND / 5;
/// BBR.ProbeRTTInterval.
const PROBE_RTT_INTERVAL: u64 = 5 * SECOND;

impl Bbr {
    /// §5.3.4.3.
    pub(crate) fn update_min_rtt(&mut self, sample: &RateSample) {
        let now = sample.now;
        self.probe_rtt_expired = now > self.probe_rtt_min_stamp.after_nanos(PROBE_RTT_INTERVAL);
        if let Some(rtt) = sample.rtt
            && (rtt < self.probe_rtt_min_delay || self.probe_rtt_expired)
        {
            self.probe_rtt_min_delay = rtt;
            self.probe_rtt_min_stamp = now;
        }
        let min_rtt_expired = now > self.min_rtt_stamp.after_nanos(MIN_RTT_FILTER_LEN);
        if self.probe_rtt_min_delay < self.min_rtt || min_rtt_expired {
            self.min_rtt = self.probe_rtt_min_delay;
            self.min_rtt_stamp = self.probe_rtt_min_stamp;
        }
    }

    /// §5.3.4.3.
    pub(crate) fn check_probe_rtt(&mut self, sample: &RateSample) {
        if self.state != State::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            self.save_cwnd();
            // EnterProbeRTT.
            self.state = State::ProbeRtt;
            self.probe_rtt_done_stamp = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round();
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(sample.now);
        }
        if sample.delivered > 0 {
            self.idle_restart = false;
        }
    }

    fn handle_probe_rtt(&mut self, now: Instant) {
        if self.probe_rtt_done_stamp.is_none() {
            if self.inflight <= self.probe_rtt_cwnd() {
                self.probe_rtt_done_stamp = Some(now.after_nanos(PROBE_RTT_DURATION));
                self.probe_rtt_round_done = false;
                self.start_round();
            }
            return;
        }
        self.probe_rtt_round_done |= self.round_start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(now);
        }
    }

    fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done_stamp.is_none_or(|done| now <= done) {
            return;
        }
        self.probe_rtt_min_stamp = now;
        self.restore_cwnd();
        self.exit_probe_rtt(now);
    }

    /// §5.3.4.4.
    fn exit_probe_rtt(&mut self, now: Instant) {
        self.reset_short_term_model();
        if self.full_bw_reached {
            self.start_probe_bw_down(now);
            self.start_probe_bw_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// §5.4.1; the engine has seen that nothing is in flight and the application had nothing to send.
    pub(crate) fn handle_restart_from_idle(&mut self, now: Instant) {
        self.idle_restart = true;
        self.extra_acked_interval_start = now;
        if self.is_in_a_probe_bw_state() {
            self.set_pacing_rate_with_gain(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}
