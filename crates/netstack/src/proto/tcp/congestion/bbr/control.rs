//! What follows from the model: pacing rate, send quantum and congestion window (§5.6).

use super::{
    Bbr, DEFAULT_CWND_GAIN, DRAIN_PACING_GAIN, HEADROOM, INFINITY, MIN_PIPE_CWND, PACING_MARGIN,
    PROBE_RTT_CWND_GAIN, STARTUP_PACING_GAIN, State, percent,
};
use crate::proto::tcp::congestion::RateSample;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
/// §5.6.3: the largest quantum of a path on which it lasts for 100 µs or longer.
const MAX_QUANTUM: u64 = 64 << 10;

impl Bbr {
    /// BBR.pacing_gain of the table in §5.6.1.
    pub(crate) fn pacing_gain(&self) -> u64 {
        match self.state {
            State::Startup => STARTUP_PACING_GAIN,
            State::Drain => DRAIN_PACING_GAIN,
            State::ProbeBwDown => 90,
            State::ProbeBwUp => 125,
            State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeRtt => 100,
        }
    }

    /// BBR.cwnd_gain of the table in §5.6.1.
    fn cwnd_gain(&self) -> u64 {
        match self.state {
            State::ProbeBwUp => 225,
            State::ProbeRtt => PROBE_RTT_CWND_GAIN,
            _ => DEFAULT_CWND_GAIN,
        }
    }

    /// §5.6.2, InitPacingRate; `srtt` is zero before there is one.
    pub(crate) fn init_pacing_rate(&mut self, srtt: u64) {
        let srtt = if srtt == 0 { MILLISECOND } else { srtt };
        let nominal_bandwidth = self.initial_cwnd * SECOND / srtt;
        self.pacing_rate = percent(nominal_bandwidth, STARTUP_PACING_GAIN);
        self.set_send_quantum();
    }

    /// §5.6.2.
    pub(crate) fn set_pacing_rate_with_gain(&mut self, pacing_gain: u64) {
        let rate = percent(percent(self.bw, pacing_gain), 100 - PACING_MARGIN);
        if self.full_bw_reached || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    pub(crate) fn set_pacing_rate(&mut self) {
        self.set_pacing_rate_with_gain(self.pacing_gain());
    }

    /// §5.6.3, and 100 µs worth of data where 64 KiB are less: each quantum costs a timer.
    pub(crate) fn set_send_quantum(&mut self) {
        let most = MAX_QUANTUM.max(self.pacing_rate / 10_000);
        self.send_quantum = (self.pacing_rate / 1000).min(most).max(2 * self.smss);
    }

    /// BBR.MinPipeCwnd.
    pub(crate) fn min_pipe_cwnd(&self) -> u64 {
        MIN_PIPE_CWND * self.smss
    }

    /// BBR.bdp at a rate of `bw`, times `gain` (§5.6.4.2, BDPMultiple).
    fn bdp_multiple(&self, bw: u64, gain: u64) -> u64 {
        if self.min_rtt == INFINITY {
            return self.initial_cwnd;
        }
        let bdp = u128::from(bw) * u128::from(self.min_rtt) / u128::from(SECOND);
        percent(bdp.min(u128::from(u32::MAX)) as u64, gain)
    }

    /// BBR.bdp.
    pub(crate) fn bdp(&self) -> u64 {
        self.bdp_multiple(self.bw, 100)
    }

    /// §5.6.4.2, with BBR.offload_budget of §5.5.8.1.
    fn quantization_budget(&self, inflight_cap: u64) -> u64 {
        let offload_budget = 3 * self.send_quantum;
        let cap = inflight_cap.max(offload_budget).max(self.min_pipe_cwnd());
        match self.state {
            State::ProbeBwUp => cap + 2 * self.smss,
            _ => cap,
        }
    }

    /// §5.6.4.2: the amount in flight at a rate of `bw`.
    pub(crate) fn inflight_at(&self, bw: u64) -> u64 {
        self.quantization_budget(self.bdp_multiple(bw, 100))
    }

    /// §5.6.4.2, UpdateMaxInflight.
    pub(crate) fn max_inflight(&self) -> u64 {
        let extra_acked = self.extra_acked_filter.max(!self.full_bw_reached);
        self.quantization_budget(self.bdp_multiple(self.bw, self.cwnd_gain()) + extra_acked)
    }

    /// §5.6.4.6.
    pub(crate) fn set_cwnd(&mut self, sample: &RateSample) {
        let newly_acked = u64::from(sample.newly_acked);
        let max_inflight = self.max_inflight();
        if self.full_bw_reached {
            self.cwnd = (self.cwnd + newly_acked).min(max_inflight);
        } else if self.cwnd < max_inflight || self.delivered < self.initial_cwnd {
            self.cwnd += newly_acked;
        }
        self.cwnd = self.cwnd.max(self.min_pipe_cwnd());
        // §5.6.4.5, BoundCwndForProbeRTT.
        if self.state == State::ProbeRtt {
            self.cwnd = self.cwnd.min(self.probe_rtt_cwnd());
        }
        self.bound_cwnd_for_model();
    }

    /// §5.6.4.5.
    pub(crate) fn probe_rtt_cwnd(&self) -> u64 {
        self.bdp_multiple(self.bw, PROBE_RTT_CWND_GAIN)
            .max(self.min_pipe_cwnd())
    }

    /// §5.6.4.7.
    fn bound_cwnd_for_model(&mut self) {
        let cap = match self.state {
            State::ProbeBwDown | State::ProbeBwRefill | State::ProbeBwUp => self.inflight_longterm,
            State::ProbeBwCruise | State::ProbeRtt => self.inflight_with_headroom(),
            State::Startup | State::Drain => INFINITY,
        };
        let cap = cap.min(self.inflight_shortterm).max(self.min_pipe_cwnd());
        self.cwnd = self.cwnd.min(cap);
    }

    /// §5.3.3.9.
    pub(crate) fn inflight_with_headroom(&self) -> u64 {
        if self.inflight_longterm == INFINITY {
            return INFINITY;
        }
        let headroom = percent(self.inflight_longterm, HEADROOM).max(self.smss);
        self.inflight_longterm
            .saturating_sub(headroom)
            .max(self.min_pipe_cwnd())
    }

    /// §5.6.4.4: remembers the last window that neither a recovery nor ProbeRTT has lowered.
    pub(crate) fn save_cwnd(&mut self) {
        self.prior_cwnd = if self.in_loss_recovery || self.state == State::ProbeRtt {
            self.prior_cwnd.max(self.cwnd)
        } else {
            self.cwnd
        };
    }

    /// §5.6.4.4.
    pub(crate) fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}
