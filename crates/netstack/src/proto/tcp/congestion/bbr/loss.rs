//! Loss while probing, and recoveries that were spurious (§5.5.10.2 and §5.5.11).

use super::{BETA, Bbr, State, percent};
use crate::proto::Instant;
use crate::proto::tcp::congestion::LostPiece;

/// What a recovery that turns out spurious restores (§2.14, BBR.undo_*).
#[derive(Clone, Debug, Default)]
pub(crate) struct Undo {
    state: Option<State>,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

impl Bbr {
    /// IsInflightTooHigh, for what was lost of `tx_in_flight` octets.
    pub(crate) fn is_inflight_too_high(&self, lost: u64, tx_in_flight: u64) -> bool {
        lost > percent(tx_in_flight, self.loss_thresh) || (lost > 0 && !self.has_selective_acks)
    }

    /// TargetInflight of §5.3.3.8.
    pub(crate) fn target_inflight(&self) -> u64 {
        self.bdp().min(self.cwnd)
    }

    fn handle_inflight_too_high(&mut self, now: Instant, tx_in_flight: u64, is_app_limited: bool) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !is_app_limited {
            self.inflight_longterm = tx_in_flight.max(percent(self.target_inflight(), BETA));
        }
        if self.state == State::ProbeBwUp {
            self.undo.state = Some(State::ProbeBwUp);
            self.start_probe_bw_down(now);
        }
    }

    /// NoteLoss.
    pub(crate) fn note_loss(&mut self) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = self.delivered;
            self.save_cwnd();
            self.save_state_upon_loss();
        }
        self.is_loss_in_round = true;
    }

    /// HandleLostPacket.
    pub(crate) fn handle_lost_packet(&mut self, lost: &LostPiece) {
        if self.lost_ranges == 0 || self.lost_end != lost.start {
            self.lost_ranges += 1;
        }
        self.lost_end = lost.start.wrapping_add(lost.size);
        self.note_loss();
        if !self.is_bw_probe_sample {
            return;
        }
        let tx_in_flight = u64::from(lost.tx_in_flight);
        if self.is_inflight_too_high(lost.lost, tx_in_flight) {
            let at_loss =
                inflight_at_loss(tx_in_flight, lost.lost, lost.size.into(), self.loss_thresh);
            self.handle_inflight_too_high(lost.now, at_loss, lost.is_app_limited);
        }
    }

    /// An echo of congestion experienced counts as a loss that was too high. The draft leaves the
    /// response open (§3.6) as long as there is one.
    pub(crate) fn handle_ecn_echo(&mut self, now: Instant) {
        self.note_loss();
        if self.state == State::Startup {
            self.leave_startup_on_loss();
        } else if self.is_bw_probe_sample {
            self.handle_inflight_too_high(now, self.inflight, false);
        }
    }

    /// §5.3.1.3: the steps of CheckStartupHighLoss once the losses are too high.
    pub(crate) fn leave_startup_on_loss(&mut self) {
        self.undo.state = Some(State::Startup);
        self.full_bw_reached = true;
        self.inflight_longterm = self.bdp().max(self.inflight_latest);
    }

    /// §5.5.11.1.
    pub(crate) fn save_state_upon_loss(&mut self) {
        self.undo = Undo {
            state: None,
            bw_shortterm: self.bw_shortterm,
            inflight_shortterm: self.inflight_shortterm,
            inflight_longterm: self.inflight_longterm,
        };
    }

    /// §5.5.11.2.
    pub(crate) fn handle_spurious_loss_detection(&mut self) {
        let undo = core::mem::take(&mut self.undo);
        self.restore_cwnd();
        self.is_loss_in_round = false;
        self.reset_full_bw();
        self.bw_shortterm = self.bw_shortterm.max(undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(undo.inflight_longterm);
        match undo.state {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_bw_reached = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::ProbeBwUp) if !matches!(self.state, State::ProbeBwUp | State::ProbeRtt) => {
                self.start_probe_bw_refill();
            }
            _ => {}
        }
    }
}

/// InflightAtLoss: what was in flight when losses crossed the threshold, which may have been within
/// a piece of `size` octets.
pub(crate) fn inflight_at_loss(tx_in_flight: u64, lost: u64, size: u64, loss_thresh: u64) -> u64 {
    let inflight_prev = tx_in_flight.saturating_sub(size);
    let lost_prev = lost.saturating_sub(size);
    let lost_prefix =
        percent(inflight_prev, loss_thresh).saturating_sub(lost_prev) * 100 / (100 - loss_thresh);
    inflight_prev + lost_prefix
}
