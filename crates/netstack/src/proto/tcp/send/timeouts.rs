//! What a time-out does to the sender (RFC 6298 §5, RFC 8985 §6.3 and §7.3).

use core::time::Duration;

use super::loss::Recovery;
use super::{Probe, RetransmitTimer, Sender};
use crate::proto::Instant;
use crate::proto::tcp::counters::Counters;

impl Sender {
    /// When the retransmission timer expires; [`Instant::FAR_FUTURE`] when it does not run.
    #[inline]
    pub(crate) fn retransmit_at(&self) -> Instant {
        self.retransmit
    }

    /// When the first of the sender's timers expires.
    #[inline]
    pub(crate) fn next_deadline(&self) -> Instant {
        self.retransmit.min(self.pacing)
    }

    /// Stops all timers.
    pub(crate) fn stop_timers(&mut self) {
        self.retransmit = Instant::FAR_FUTURE;
        self.pacing = Instant::FAR_FUTURE;
        self.retransmit_kind = RetransmitTimer::Rto;
    }

    /// The next burst may go, if its time has come; returns whether it has.
    pub(crate) fn end_pause(&mut self, now: Instant) -> bool {
        let due = self.pacing <= now;
        if due {
            self.pacing = Instant::FAR_FUTURE;
        }
        due
    }

    /// The retransmission timer has expired; returns what it was for.
    pub(crate) fn expire(&mut self) -> RetransmitTimer {
        self.retransmit = Instant::FAR_FUTURE;
        self.check_app_limited();
        self.retransmit_kind
    }

    /// Starts the retransmission time-out.
    pub(crate) fn arm_rto(&mut self, now: Instant) {
        self.retransmit_kind = RetransmitTimer::Rto;
        self.retransmit = now.after_nanos(self.rtt.timeout());
    }

    /// Doubles the time-out.
    pub(crate) fn back_off(&mut self) {
        self.rtt.back_off();
    }

    /// Time-outs in a row.
    pub(crate) fn timeouts(&self) -> u8 {
        self.rtt.timeouts()
    }

    /// A tail-loss probe is due.
    pub(crate) fn probe_tail(&mut self, now: Instant) {
        self.probe_due = Some(Probe::Tail);
        // RFC 8985 §7.3: the time-out runs from the probe on.
        self.arm_rto(now);
    }

    /// Probes of the peer's window since it closed.
    pub(crate) fn window_probes(&self) -> u8 {
        self.window_probes
    }

    /// Whether there is something that the peer's window keeps back.
    pub(crate) fn has_pending(&self) -> bool {
        self.unsent() > 0 || self.fin_unsent() || self.una != self.nxt
    }

    /// A probe of the peer's window is due.
    pub(crate) fn probe_window(&mut self, now: Instant) {
        self.probe_due = Some(Probe::Window);
        if self.wnd == 0 {
            self.window_probes = self.window_probes.saturating_add(1);
        }
        self.arm_persist(now);
    }

    /// A keep-alive probe is due.
    pub(crate) fn probe_peer(&mut self) {
        self.probe_due = Some(Probe::KeepAlive);
    }

    /// RFC 6298 §5.4 to §5.6, RFC 5681 §3.1, RFC 8985 §6.3.
    pub(crate) fn retransmission_timeout(
        &mut self,
        now: Instant,
        user_timeout: Option<Duration>,
        counters: &mut Counters,
    ) {
        counters.timeouts += 1;
        if self.flight.first().is_some_and(|piece| piece.sacked) {
            // The peer has dropped what it had said it has.
            self.flight.forget_sacked();
        }
        let (una, min_rtt, srtt) = (self.una, self.min_rtt(), self.srtt());
        let (loss, sack) = (&self.loss, self.sack);
        self.flight.mark_lost(|piece| {
            Some(!sack || piece.start == una || loss.outlived(piece, now, min_rtt, srtt))
        });
        let first = self.loss.recovery != Recovery::Timeout;
        let outstanding = self.nxt - self.una;
        self.report_lost(now);
        if let Some(congestion) = &mut self.congestion {
            congestion.on_timeout(now, outstanding, first);
        }
        self.note_reduced();
        self.loss.end(self.nxt);
        let original = self.flight.first().filter(|piece| !piece.retransmitted);
        let original = original.map(|piece| piece.time);
        self.loss
            .begin(Recovery::Timeout, now, (una, self.nxt), outstanding);
        self.loss.episode.original = original;
        self.rtt.back_off();
        self.suspect_black_hole(counters);
        self.retransmit_kind = RetransmitTimer::Rto;
        self.retransmit = self.next_timeout(now, user_timeout);
    }

    /// The time-out from now, at most the end of the user time-out.
    fn next_timeout(&self, now: Instant, user_timeout: Option<Duration>) -> Instant {
        let timeout = now.after_nanos(self.rtt.timeout());
        match user_timeout {
            Some(user) => timeout
                .min(self.unacked_since + user)
                .max(now + Duration::from_millis(1)),
            None => timeout,
        }
    }

    /// RFC 8985 §6.2 step 5: the reordering window has passed.
    pub(crate) fn reordering_timeout(&mut self, now: Instant, counters: &mut Counters) {
        let (min_rtt, srtt) = (self.min_rtt(), self.srtt());
        let found = self.loss.detect(&mut self.flight, now, min_rtt, srtt);
        self.report_lost(now);
        let outstanding = self.nxt - self.una;
        let sizes = (outstanding, outstanding - self.flight.sacked());
        self.act_on_loss(now, &found, sizes, counters);
        if found.lost && self.loss.recovery == Recovery::Fast {
            self.permit_recovery(0, false);
        }
        self.arm_retransmit(now, found.wait);
    }
}
