//! How a recovery begins, goes on and ends: RFC 5681, RFC 6582, RFC 6675, RFC 8985 and RFC 9937.

use super::Sender;
use super::acknowledgment::Progress;
use super::loss::{DUP_THRESH, Found, Recovery};
use crate::proto::Instant;
use crate::proto::tcp::counters::Counters;
use crate::proto::tcp::wire::options::Timestamps;
use crate::proto::tcp::wire::seq::Seq;

impl Sender {
    /// Ends a recovery that is complete, or that was spurious: timestamps tell (RFC 3522, RFC 4015), or
    /// `original` without them. `first_again`: the piece at SND.UNA was sent again in it.
    pub(super) fn leave_recovery(
        &mut self,
        now: Instant,
        timestamps: Option<Timestamps>,
        original: bool,
        first_again: bool,
    ) {
        let spurious = match (self.loss.episode.first_retransmission, timestamps) {
            (Some(first), Some(timestamps)) => {
                first_again && timestamps.ecr != 0 && Seq(timestamps.ecr).lt(Seq(first))
            }
            _ => original,
        };
        if spurious && self.loss.may_undo(self.una, self.nxt) {
            let began = self.loss.episode.began;
            let reordered = self.loss.recovery == Recovery::Fast;
            self.undo(now);
            if reordered {
                let missing = now.nanos_since(began);
                self.loss.widen_by(missing, self.min_rtt());
            }
        } else if self.una.ge(self.loss.point) {
            if self.is_by_rate() {
                // Its model is that of the path since then.
                self.loss.settle();
            }
            self.end_recovery();
            if let Some(congestion) = &mut self.congestion {
                congestion.on_recovered();
            }
        }
    }

    /// The recovery, or the last one, was not needed: nothing was lost.
    pub(super) fn undo(&mut self, now: Instant) {
        if self.loss.is_undoable()
            && let Some(congestion) = &mut self.congestion
        {
            congestion.on_spurious(now);
            self.note_restored();
        }
        self.loss.settle();
        if self.loss.recovery != Recovery::Open {
            self.flight.undo_lost();
            self.end_recovery();
        }
    }

    /// Ends a recovery. What is sent for two round trips from now on may still have duplicates before it
    /// of what the recovery has sent again.
    fn end_recovery(&mut self) {
        let until = self.nxt + self.cwnd().min(1 << 30);
        self.loss.end(until);
    }

    /// Finds what is lost, and enters recovery.
    #[inline]
    pub(super) fn detect_loss(
        &mut self,
        now: Instant,
        duplicate: bool,
        progress: &Progress,
        counters: &mut Counters,
    ) -> Found {
        if !self.sack {
            let lost = self.count_duplicates(now, duplicate, progress, counters);
            return Found {
                lost,
                ..Found::default()
            };
        }
        if self.flight.sacked() == 0 && self.loss.recovery == Recovery::Open {
            return Found::default();
        }
        let (min_rtt, srtt) = (self.min_rtt(), self.srtt());
        let found = self.loss.detect(&mut self.flight, now, min_rtt, srtt);
        self.act_on_loss(
            now,
            &found,
            (progress.outstanding, progress.unsacked),
            counters,
        );
        found
    }

    /// Enters recovery, or reduces again, for what was found. `sizes` are the octets from SND.UNA to
    /// SND.NXT, and those of them that were not sacked before.
    pub(super) fn act_on_loss(
        &mut self,
        now: Instant,
        found: &Found,
        sizes: (u32, u32),
        counters: &mut Counters,
    ) {
        if !found.lost {
            return;
        }
        match self.loss.recovery {
            Recovery::Open => {
                counters.sack_recovery += 1;
                self.enter_recovery(now, sizes);
            }
            Recovery::Fast | Recovery::Timeout
                if found.again >= Some(self.loss.episode.began) && !self.is_by_rate() =>
            {
                self.reduce_again(now, sizes);
            }
            Recovery::Fast | Recovery::Timeout => {}
        }
    }

    /// RFC 6582: counts duplicate acknowledgements of a peer without SACK; returns whether they tell of
    /// a loss.
    fn count_duplicates(
        &mut self,
        now: Instant,
        duplicate: bool,
        progress: &Progress,
        counters: &mut Counters,
    ) -> bool {
        let mss = u32::from(self.mss);
        if progress.acked > 0 {
            self.loss.dup_acks = 0;
            if self.loss.recovery == Recovery::Fast {
                // §3.2 step 3, partial acknowledgement: the next hole is at SND.UNA.
                self.loss.reno_sacked = self
                    .loss
                    .reno_sacked
                    .saturating_sub(progress.acked.saturating_sub(mss));
                self.mark_first_lost();
                return true;
            }
            self.loss.reno_sacked = 0;
        } else if duplicate {
            self.loss.dup_acks = self.loss.dup_acks.saturating_add(1);
            let begins = self.loss.recovery == Recovery::Open
                && u32::from(self.loss.dup_acks) >= DUP_THRESH
                && self.una.gt(self.loss.point);
            // The pieces that these stand for are in the peer's hands.
            let outstanding = self.nxt - self.una;
            let most = match self.loss.recovery {
                // RFC 3042 §2: two let something new go.
                Recovery::Open if !begins => (DUP_THRESH - 1) * mss,
                Recovery::Open | Recovery::Fast => outstanding,
                // RFC 5681 §3.1: what has arrived before is not in flight any more.
                Recovery::Timeout => 0,
            };
            let most = most.min(outstanding.saturating_sub(mss));
            self.loss.reno_sacked = (self.loss.reno_sacked + mss).min(most);
            if begins {
                counters.reno_recovery += 1;
                self.mark_first_lost();
                self.enter_recovery(now, (progress.outstanding, progress.unsacked));
                return true;
            }
        }
        false
    }

    fn mark_first_lost(&mut self) {
        let una = self.una;
        self.flight
            .mark_lost(|piece| if piece.start == una { Some(true) } else { None });
    }

    /// Enters fast recovery; `sizes` are as in [`Sender::act_on_loss`].
    fn enter_recovery(&mut self, now: Instant, sizes: (u32, u32)) {
        self.report_lost(now);
        let outstanding = (self.una, self.nxt);
        self.loss.begin(Recovery::Fast, now, outstanding, sizes.1);
        if self.is_marked() {
            self.loss.settle();
            self.permit_recovery(0, false);
        } else {
            self.reduce(now, sizes.0);
        }
    }

    /// RFC 5681 §4.3: the loss of a retransmission is a second sign of congestion. Once in a round
    /// trip, as only what was sent since the last reduction counts.
    fn reduce_again(&mut self, now: Instant, sizes: (u32, u32)) {
        self.loss.begin_again(now, self.nxt, sizes.1);
        self.reduce(now, sizes.0);
    }

    fn reduce(&mut self, now: Instant, outstanding: u32) {
        if let Some(congestion) = &mut self.congestion {
            congestion.on_congestion_event(now, outstanding);
        }
        self.note_reduced();
        self.permit_recovery(0, false);
    }

    /// RFC 3168 §6.1.2: whether the window that is in flight was reduced for a mark.
    pub(super) fn is_marked(&self) -> bool {
        !self.is_by_rate() && self.ecn.recover.is_some_and(|recover| self.una.lt(recover))
    }

    /// RFC 3168 §6.1.2: whether an echo tells of a window for which it was reduced already. Drops and marks
    /// count once in each; CWR is not there before something beyond it is acknowledged.
    pub(super) fn has_heard_echo(&self) -> bool {
        self.ecn.recover.is_some_and(|recover| self.una.le(recover))
    }

    /// A loss has reduced the window: the peer is told, and its echoes of that window are no news.
    pub(super) fn note_reduced(&mut self) {
        self.ecn.cwr |= self.ecn.on;
        if self.ecn.on && !self.is_by_rate() {
            self.ecn.recover = Some(self.nxt);
        }
    }

    /// That is undone: a mark or a loss of that window is news after all.
    fn note_restored(&mut self) {
        if !self.is_by_rate() {
            (self.ecn.cwr, self.ecn.recover) = (false, None);
        }
    }

    /// Says how much fast recovery may send now that so much was delivered. An acknowledgement is
    /// `safe` that tells of progress and of no further loss.
    pub(super) fn permit_recovery(&mut self, delivered: u32, safe: bool) {
        let (pipe, target) = (self.pipe(), self.cwnd());
        if self.is_by_rate() {
            // Its rate and window are what limits it (draft-ietf-ccwg-bbr §5.6.4.4).
            self.loss.permit(pipe, target, self.mss.into());
            return;
        }
        let mss = self.mss.into();
        self.loss
            .reduce_proportionally(delivered, pipe, target, mss, safe);
    }
}
