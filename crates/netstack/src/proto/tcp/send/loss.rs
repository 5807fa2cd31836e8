//! Loss detection and recovery: RACK-TLP (RFC 8985), NewReno for peers without SACK (RFC 6582) and
//! proportional rate reduction (RFC 9937).

use super::again::Again;
use super::retransmission::{RetransmissionQueue, sent_after};
use super::sent::Sent;
use crate::proto::Instant;
use crate::proto::tcp::on_demand::{OnDemand, Part};
use crate::proto::tcp::wire::seq::Seq;

/// DupThresh of RFC 5681 and RFC 6675.
pub(super) const DUP_THRESH: u32 = 3;
/// RFC 8985 §6.2 step 4: recoveries for which a widened reordering window is kept.
const REO_WND_PERSIST: u8 = 16;

/// What the sender is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing is known to be lost.
    #[default]
    Open,
    /// Fast recovery (RFC 5681 §3.2, RFC 6675 §5).
    Fast,
    /// After a time-out, until all that was in flight then is acknowledged.
    Timeout,
}

/// What there is to know of a recovery, only while it lasts.
#[derive(Debug)]
pub(super) struct Episode {
    /// Our timestamp of the first retransmission of this recovery: an echo of an older one, by what fills
    /// a gap that was sent again since it began, tells that it was not needed (RFC 3522).
    pub(super) first_retransmission: Option<u32>,
    /// When the segment at SND.UNA was sent first, after one time-out.
    pub(super) original: Option<Instant>,
    /// When the window was last reduced.
    pub(super) began: Instant,
    /// RFC 9937: octets delivered and sent since recovery began, and in flight when it did.
    prr_delivered: u32,
    prr_out: u32,
    recover_fs: u32,
    /// Octets that fast recovery may send now.
    pub(crate) budget: u32,
    pub(super) again: Again,
}

impl Part for Episode {
    const INITIAL: Self = Self {
        first_retransmission: None,
        original: None,
        began: Instant::from_nanos(0),
        prr_delivered: 0,
        prr_out: 0,
        recover_fs: 1,
        budget: 0,
        again: Again::INITIAL,
    };

    fn initial() -> &'static Self {
        static INITIAL: Episode = Episode::INITIAL;
        &INITIAL
    }

    fn renew(&mut self) -> bool {
        let again = core::mem::replace(&mut self.again, Again::INITIAL);
        *self = Self::INITIAL;
        self.again = again;
        true
    }

    fn kept(&self) -> usize {
        0
    }
}

/// State of loss detection and recovery of a connection.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) recovery: Recovery,
    /// RecoveryPoint of RFC 6675, `recover` of RFC 6582: SND.NXT when recovery began.
    pub(crate) point: Seq,
    pub(super) episode: OnDemand<Episode>,
    /// Duplicate acknowledgements in a row, and the octets that they say have left the network: for
    /// peers without SACK.
    pub(super) dup_acks: u16,
    pub(super) reno_sacked: u32,
    /// RFC 8985 §5.2.
    rack_time: Instant,
    rack_end: Seq,
    rack_rtt: u64,
    fack: Seq,
    reordering_seen: bool,
    reo_wnd_mult: u8,
    reo_wnd_persist: u8,
    dsack_round: Option<Seq>,
    /// The outstanding tail-loss probe.
    pub(super) tlp: Option<TailProbe>,
}

/// A tail-loss probe (RFC 8985 §7.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct TailProbe {
    /// TLP.end_seq.
    pub(super) end: Seq,
    /// TLP.is_retrans.
    pub(super) retransmission: bool,
    /// A mark has reduced the window that a loss would be of.
    pub(super) reduced: bool,
}

/// What loss detection has found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Something is lost.
    pub(super) lost: bool,
    /// When the latest of it was sent that had been sent again.
    pub(super) again: Option<Instant>,
    /// How long to wait until more may be lost, in nanoseconds.
    pub(super) wait: Option<u64>,
}

/// What the pieces that an acknowledgement delivers tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivered {
    /// When the latest of them that was sent once was sent.
    pub(super) sent_once: Option<Instant>,
    /// Some were sent again: the others may have arrived long ago, and only the gap before them
    /// kept the acknowledgement back.
    pub(crate) retransmitted: bool,
    /// One that was sent again was acknowledged sooner than any round trip was: its original has
    /// arrived.
    pub(super) original: bool,
    /// The echo is older than the last sending of one of them: of an original, or of what came before a
    /// retransmission that the peer had no use for (RFC 7323 §5.3, R2), however long ago.
    pub(super) stale: bool,
}

impl Loss {
    /// Octets of what it owns.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        let episode = self.episode.get_allocated();
        episode.map_or(0, |episode| size_of_val(episode) + episode.again.held())
    }

    pub(crate) fn new(iss: Seq) -> Self {
        Self {
            recovery: Recovery::Open,
            point: iss,
            episode: OnDemand::default(),
            dup_acks: 0,
            reno_sacked: 0,
            rack_time: Instant::default(),
            rack_end: iss,
            rack_rtt: 0,
            fack: iss,
            reordering_seen: false,
            reo_wnd_mult: 1,
            reo_wnd_persist: 0,
            dsack_round: None,
            tlp: None,
        }
    }

    /// RFC 8985 §6.2 steps 1 to 3 for one piece. `echoes_original` says that the timestamp echoed
    /// is older than the piece's retransmission.
    #[inline]
    pub(crate) fn deliver(
        &mut self,
        piece: &Sent,
        now: Instant,
        min_rtt: u64,
        echoes_original: impl FnOnce() -> bool,
        delivered: &mut Delivered,
    ) {
        if piece.end.lt(self.fack) {
            if !piece.retransmitted {
                self.reordering_seen = true;
            }
        } else {
            self.fack = piece.end;
        }
        let rtt = now.nanos_since(piece.time);
        if piece.retransmitted {
            delivered.retransmitted = true;
            // Step 2: the acknowledgement of an original says nothing of its retransmission.
            delivered.original |= rtt < min_rtt;
            let stale = echoes_original();
            delivered.stale |= stale;
            if rtt < min_rtt || stale {
                return;
            }
        } else {
            delivered.sent_once = Some(
                delivered
                    .sent_once
                    .map_or(piece.time, |time| time.max(piece.time)),
            );
        }
        if sent_after((piece.time, piece.end), (self.rack_time, self.rack_end)) {
            self.rack_time = piece.time;
            self.rack_end = piece.end;
            self.rack_rtt = rtt;
        }
    }

    /// The network reorders by more than the reordering window: widens it, once in a round trip.
    pub(super) fn widen(&mut self, una: Seq, nxt: Seq) {
        // What was sent again before it arrived is below `fack` as well.
        self.reordering_seen = true;
        self.reo_wnd_persist = REO_WND_PERSIST;
        if self.dsack_round.is_none_or(|round| una.ge(round)) {
            self.dsack_round = Some(nxt);
            self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1);
        }
    }

    /// A recovery was not needed: with a reordering window so much longer, in nanoseconds, there had been
    /// none.
    pub(super) fn widen_by(&mut self, missing: u64, min_rtt: u64) {
        self.reordering_seen = true;
        self.reo_wnd_persist = REO_WND_PERSIST;
        let quarters = missing / (min_rtt / 4).max(1) + 1;
        let quarters = u8::try_from(quarters).unwrap_or(u8::MAX);
        self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(quarters);
    }

    /// Whether segments were seen to overtake others.
    #[inline]
    pub(super) fn sees_reordering(&self) -> bool {
        self.reordering_seen
    }

    /// SND.UNA has passed this number: older marks follow it.
    #[inline]
    pub(super) fn keep_marks_near(&mut self, passed: Seq) {
        self.point = self.point.max(passed);
        if self.dsack_round.is_some_and(|round| round.le(passed)) {
            self.dsack_round = None;
        }
    }

    /// RFC 8985 §6.2 step 4: the reordering window, at most two round trips. One, as the RFC has it, is
    /// too little for what is late by one while a queue drains, and only what was seen widens it so far.
    fn reo_wnd(&self, sacked_pieces: u32, min_rtt: u64, srtt: u64) -> u64 {
        if !self.reordering_seen && (self.recovery != Recovery::Open || sacked_pieces >= DUP_THRESH)
        {
            return 0;
        }
        (min_rtt / 4 * u64::from(self.reo_wnd_mult)).min(2 * srtt)
    }

    /// RFC 8985 §6.2 step 5: marks what is lost.
    pub(super) fn detect(
        &self,
        flight: &mut RetransmissionQueue,
        now: Instant,
        min_rtt: u64,
        srtt: u64,
    ) -> Found {
        let patience = self.rack_rtt + self.reo_wnd(flight.sacked_pieces(), min_rtt, srtt);
        flight.mark_overdue((self.rack_time, self.rack_end), now, patience)
    }

    /// RFC 8985 §6.3: after a time-out, whether a piece is old enough to be taken for lost.
    pub(super) fn outlived(&self, piece: &Sent, now: Instant, min_rtt: u64, srtt: u64) -> bool {
        piece
            .time
            .after_nanos(self.rack_rtt + self.reo_wnd(DUP_THRESH, min_rtt, srtt))
            <= now
    }

    /// Begins a recovery of what lies from SND.UNA to SND.NXT, with `flight` octets that were not sacked
    /// before.
    pub(crate) fn begin(
        &mut self,
        recovery: Recovery,
        now: Instant,
        (una, nxt): (Seq, Seq),
        flight: u32,
    ) {
        self.recovery = recovery;
        self.episode.renew();
        self.episode.again.begin(una);
        self.tlp = None;
        self.begin_again(now, nxt, flight);
    }

    /// The window is reduced, at first or anew in the same recovery (RFC 9937 §6).
    pub(super) fn begin_again(&mut self, now: Instant, nxt: Seq, flight: u32) {
        self.point = nxt;
        let episode = &mut *self.episode;
        episode.began = now;
        (episode.prr_delivered, episode.prr_out) = (0, 0);
        episode.recover_fs = flight.max(1);
    }

    /// Ends a recovery. Until `until` is acknowledged it may be found that it was not needed.
    pub(crate) fn end(&mut self, until: Seq) {
        self.recovery = Recovery::Open;
        match self.episode.allocated() {
            Some(episode) if episode.again.is_kept() => {
                episode.renew();
                episode.again.end(until);
            }
            _ => self.episode = OnDemand::default(),
        }
        self.dup_acks = 0;
        self.reno_sacked = 0;
        if self.reo_wnd_persist > 0 {
            self.reo_wnd_persist -= 1;
            if self.reo_wnd_persist == 0 {
                self.reo_wnd_mult = 1;
            }
        }
    }

    /// RFC 9937 §6: how much an acknowledgement of `delivered` octets permits to send, with `pipe`
    /// octets in flight. One that is `safe` permits a segment more while the window is below the
    /// threshold (slow start bound); else no more leaves than has arrived (conservative bound).
    pub(super) fn reduce_proportionally(
        &mut self,
        delivered: u32,
        pipe: u32,
        ssthresh: u32,
        smss: u32,
        safe: bool,
    ) {
        let episode = &mut *self.episode;
        episode.prr_delivered = episode.prr_delivered.saturating_add(delivered);
        episode.budget = if pipe > ssthresh {
            let target = (u64::from(episode.prr_delivered) * u64::from(ssthresh))
                .div_ceil(u64::from(episode.recover_fs));
            // Of little that was not sacked before, more may have been delivered since.
            let target = target.min(episode.prr_delivered.into()) as u32;
            target.saturating_sub(episode.prr_out)
        } else {
            let limit = episode
                .prr_delivered
                .saturating_sub(episode.prr_out)
                .max(delivered)
                + if safe { smss } else { 0 };
            (ssthresh - pipe).min(limit)
        };
        if episode.prr_out == 0 {
            // RFC 6675 §5 step 4.3: the first retransmission goes out at once.
            episode.budget = episode.budget.max(smss);
        }
    }

    /// Octets of what was in flight when recovery began that were not delivered since.
    pub(super) fn undelivered(&self) -> u32 {
        let episode = self.episode.get_allocated();
        episode.map_or(0, |it| it.recover_fs.saturating_sub(it.prr_delivered))
    }

    /// As [`Loss::reduce_proportionally`] where only the window limits what is in flight.
    pub(crate) fn permit(&mut self, pipe: u32, cwnd: u32, smss: u32) {
        let episode = &mut *self.episode;
        episode.budget = cwnd.saturating_sub(pipe);
        if episode.prr_out == 0 {
            episode.budget = episode.budget.max(smss);
        }
    }

    /// Octets were sent in fast recovery.
    pub(crate) fn sent(&mut self, octets: u32) {
        let episode = &mut *self.episode;
        episode.prr_out = episode.prr_out.saturating_add(octets);
        episode.budget = episode.budget.saturating_sub(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::{Loss, REO_WND_PERSIST, Recovery};
    use crate::proto::Instant;
    use crate::proto::tcp::wire::seq::Seq;

    #[test]
    fn rfc9937_6_no_more_leaves_than_has_arrived_however_little_was_in_flight_before() {
        let mut loss = Loss::new(Seq(0));
        let now = Instant::from_nanos(0);
        // All but two segments of forty were sacked.
        loss.begin(Recovery::Fast, now, (Seq(0), Seq(40_000)), 2000);
        let mut sent = 0;
        for delivered in 1..=100 {
            loss.reduce_proportionally(1000, 29_000, 28_000, 1000, true);
            let budget = loss.episode.budget;
            loss.sent(budget);
            sent += budget;
            assert!(sent <= 1000 * delivered, "{sent} for {delivered}");
        }
    }

    #[test]
    fn rfc8985_6_2_step_4_a_widened_reordering_window_lasts_for_sixteen_recoveries() {
        let mut loss = Loss::new(Seq(0));
        loss.reordering_seen = true;
        let window = |loss: &Loss| loss.reo_wnd(0, 40, 1000);
        assert_eq!(window(&loss), 10);
        let now = Instant::from_nanos(0);
        loss.begin(Recovery::Fast, now, (Seq(0), Seq(400)), 400);
        let blocks = [0, 100, 200, 300].map(|start| (Seq(start), Seq(start + 100)));
        for (start, end) in &blocks[1..] {
            loss.note_again(*start, *end);
        }
        // Of what was never sent again the network has made a duplicate.
        loss.dsack(blocks[0], Seq(100), Seq(200));
        assert_eq!(window(&loss), 10);
        loss.dsack(blocks[1], Seq(100), Seq(200));
        // Once for each round trip.
        loss.dsack(blocks[2], Seq(150), Seq(250));
        assert_eq!(window(&loss), 20);
        loss.dsack(blocks[3], Seq(200), Seq(300));
        for _ in 0..REO_WND_PERSIST {
            assert_eq!(window(&loss), 30);
            loss.end(Seq(400));
        }
        assert_eq!(window(&loss), 10);
    }
}
