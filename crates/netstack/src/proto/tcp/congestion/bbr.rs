//! BBR version 3 (draft-ietf-ccwg-bbr): a model of the path, made of the rate that it delivers and its
//! least round-trip time, decides what is sent, and loss only where it exceeds 2 %.
//!
//! Names are the draft's, and sections cited its own. Amounts are in octets, rates in octets a
//! second, gains in percent, times in nanoseconds.

mod control;
mod filter;
mod loss;
mod model;
mod probe_bw;
mod probe_rtt;

use super::{Controller, LostPiece, Pacing, Parameters, RateSample, initial_window};
use crate::proto::Instant;

use filter::{ExtraAcked, MaxBw};
use loss::Undo;

/// BBR.StartupPacingGain: 4 ln 2.
const STARTUP_PACING_GAIN: u64 = 277;
/// BBR.DrainPacingGain.
const DRAIN_PACING_GAIN: u64 = 50;
/// BBR.DefaultCwndGain.
const DEFAULT_CWND_GAIN: u64 = 200;
/// BBR.ProbeRTTCwndGain.
const PROBE_RTT_CWND_GAIN: u64 = 50;
/// BBR.LossThresh, in percent.
const LOSS_THRESH: u64 = 2;
/// BBR.Beta, in percent.
const BETA: u64 = 70;
/// BBR.Headroom, in percent.
const HEADROOM: u64 = 15;
/// BBR.PacingMarginPercent.
const PACING_MARGIN: u64 = 1;
/// BBR.MinPipeCwnd, in segments.
const MIN_PIPE_CWND: u64 = 4;
/// No bound.
const INFINITY: u64 = u64::MAX;

/// BBR.state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    ProbeBwDown,
    ProbeBwCruise,
    ProbeBwRefill,
    ProbeBwUp,
    ProbeRtt,
}

/// BBR.ack_phase: what the acknowledgements at hand say of a probe for bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// BBR version 3.
#[derive(Clone, Debug)]
pub struct Bbr {
    // C.*: the connection, as of the last event.
    smss: u64,
    has_selective_acks: bool,
    /// BBR.LossThresh, in percent.
    loss_thresh: u64,
    initial_cwnd: u64,
    cwnd: u64,
    pacing_rate: u64,
    send_quantum: u64,
    delivered: u64,
    inflight: u64,
    is_cwnd_limited: bool,
    in_loss_recovery: bool,

    state: State,
    /// The pacing rate has been set from a round-trip time.
    has_seen_rtt: bool,
    round_count: u64,
    round_start: bool,
    next_round_delivered: u64,
    idle_restart: bool,
    drain_start_round: u64,

    max_bw_filter: MaxBw,
    bw: u64,
    bw_shortterm: u64,
    bw_latest: u64,
    inflight_longterm: u64,
    inflight_shortterm: u64,
    inflight_latest: u64,

    extra_acked_filter: ExtraAcked,
    extra_acked_interval_start: Instant,
    extra_acked_delivered: u64,

    full_bw_reached: bool,
    full_bw_now: bool,
    full_bw: u64,
    full_bw_count: u8,

    ack_phase: AckPhase,
    is_bw_probe_sample: bool,
    bw_probe_up_acked: u64,
    probe_up_acked_per_inc: u64,
    bw_probe_up_rounds: u8,
    rounds_since_probe_up: u64,
    bw_probe_wait: u64,
    cycle_stamp: Instant,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,

    is_loss_in_round: bool,
    loss_round_start: bool,
    loss_round_delivered: u64,
    /// Discontiguous ranges lost in this round trip, and where the last of them ended.
    lost_ranges: u32,
    lost_end: u32,
    prior_cwnd: u64,
    undo: Undo,

    min_rtt: u64,
    min_rtt_stamp: Instant,
    probe_rtt_min_delay: u64,
    probe_rtt_min_stamp: Instant,
    probe_rtt_expired: bool,
    probe_rtt_round_done: bool,
    probe_rtt_done_stamp: Option<Instant>,

    random: u64,
}

impl Bbr {
    /// A controller in Startup with the initial window (§5.2.1, OnInit).
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let initial_cwnd = u64::from(initial_window(parameters.smss));
        let min_rtt = match parameters.srtt {
            0 => INFINITY,
            srtt => srtt,
        };
        let mut bbr = Self {
            smss: parameters.smss.into(),
            has_selective_acks: parameters.selective_acks,
            loss_thresh: LOSS_THRESH,
            initial_cwnd,
            cwnd: initial_cwnd,
            pacing_rate: 0,
            send_quantum: 0,
            delivered: 0,
            inflight: 0,
            is_cwnd_limited: false,
            in_loss_recovery: false,
            state: State::Startup,
            has_seen_rtt: parameters.srtt != 0,
            round_count: 0,
            round_start: false,
            next_round_delivered: 0,
            idle_restart: false,
            drain_start_round: 0,
            max_bw_filter: MaxBw::default(),
            bw: 0,
            bw_shortterm: INFINITY,
            bw_latest: 0,
            inflight_longterm: INFINITY,
            inflight_shortterm: INFINITY,
            inflight_latest: 0,
            extra_acked_filter: ExtraAcked::default(),
            extra_acked_interval_start: parameters.now,
            extra_acked_delivered: 0,
            full_bw_reached: false,
            full_bw_now: false,
            full_bw: 0,
            full_bw_count: 0,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: INFINITY,
            bw_probe_up_rounds: 0,
            rounds_since_probe_up: 0,
            bw_probe_wait: 0,
            cycle_stamp: parameters.now,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            is_loss_in_round: false,
            loss_round_start: false,
            loss_round_delivered: 0,
            lost_ranges: 0,
            lost_end: 0,
            prior_cwnd: 0,
            undo: Undo::default(),
            min_rtt,
            min_rtt_stamp: parameters.now,
            probe_rtt_min_delay: min_rtt,
            probe_rtt_min_stamp: parameters.now,
            probe_rtt_expired: false,
            probe_rtt_round_done: false,
            probe_rtt_done_stamp: None,
            random: parameters.seed,
        };
        bbr.init_pacing_rate(parameters.srtt);
        bbr
    }

    /// For paths that are known to lose packets for other reasons than congestion, as some radio
    /// links do: takes up to `percent` of loss for no sign of it. This is not the draft's: there,
    /// BBR.LossThresh is 2 %, and outside of its probes each loss lowers the rate.
    #[must_use]
    pub fn with_loss_thresh(parameters: &Parameters, percent: u8) -> Self {
        Self {
            loss_thresh: percent.clamp(LOSS_THRESH as u8, 50).into(),
            ..Self::new(parameters)
        }
    }

    fn is_in_a_probe_bw_state(&self) -> bool {
        matches!(
            self.state,
            State::ProbeBwDown | State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeBwUp
        )
    }

    fn is_probing_bw(&self) -> bool {
        matches!(
            self.state,
            State::Startup | State::ProbeBwRefill | State::ProbeBwUp
        )
    }

    /// A number from 0 on, below `bound` (SplitMix64).
    fn random_below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Controller for Bbr {
    fn cwnd(&self) -> u32 {
        self.cwnd.min(u64::from(u32::MAX / 2)) as u32
    }

    /// There is none.
    fn ssthresh(&self) -> u32 {
        u32::MAX
    }

    fn on_ack(&mut self, _ack: &super::Ack) {}

    /// §5.6.4.4, OnEnterFastRecovery; also for a loss that a probe has repaired.
    fn on_congestion_event(&mut self, _now: Instant, _flight: u32) {
        self.save_cwnd();
        self.save_state_upon_loss();
        self.note_loss();
    }

    /// §5.6.4.4, OnEnterRTO.
    fn on_timeout(&mut self, _now: Instant, _flight: u32, _first: bool) {
        self.save_cwnd();
        self.save_state_upon_loss();
        self.in_loss_recovery = true;
        self.cwnd = self.inflight + self.smss;
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.handle_spurious_loss_detection();
    }

    /// §5.4.2: the window stays, the restart is paced.
    fn on_idle(&mut self) {}

    fn set_smss(&mut self, smss: u32) {
        self.smss = smss.into();
        self.set_send_quantum();
    }

    fn pacing(&self) -> Option<Pacing> {
        Some(Pacing {
            // One segment a second is slower than any path that carries TCP.
            rate: self.pacing_rate.max(self.smss),
            quantum: self.send_quantum.min(u64::from(u32::MAX)) as u32,
            // §5.3.4.3, HandleProbeRTT: MarkConnectionAppLimited.
            held_back: self.state == State::ProbeRtt,
        })
    }

    /// §5.2.3, UpdateOnACK.
    fn on_sample(&mut self, sample: &RateSample) {
        self.delivered = sample.total_delivered;
        self.inflight = sample.inflight.into();
        self.is_cwnd_limited = sample.cwnd_limited;
        self.in_loss_recovery = sample.in_recovery;
        if !self.has_seen_rtt
            && let Some(rtt) = sample.rtt
        {
            self.has_seen_rtt = true;
            self.init_pacing_rate(rtt);
        }
        self.update_latest_delivery_signals(sample);
        self.update_congestion_signals(sample);
        self.update_ack_aggregation(sample);
        self.check_full_bw_reached(sample);
        self.check_startup_done(sample);
        self.check_drain_done(sample.now);
        self.update_probe_bw_cycle_phase(sample);
        self.update_min_rtt(sample);
        self.check_probe_rtt(sample);
        self.advance_latest_delivery_signals(sample);
        self.bound_bw_for_model();
        self.set_pacing_rate();
        self.set_send_quantum();
        self.set_cwnd(sample);
    }

    fn on_lost(&mut self, lost: &LostPiece) {
        self.delivered = lost.delivered;
        self.inflight = lost.inflight.into();
        self.handle_lost_packet(lost);
    }

    fn on_ecn_echo(&mut self, now: Instant, inflight: u32) {
        self.inflight = inflight.into();
        self.handle_ecn_echo(now);
    }

    fn on_recovered(&mut self) {
        self.restore_cwnd();
    }

    fn on_restart(&mut self, now: Instant) {
        self.handle_restart_from_idle(now);
    }
}

/// `percent` of `amount`.
fn percent(amount: u64, percent: u64) -> u64 {
    (u128::from(amount) * u128::from(percent) / 100).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests;
