//! What an acknowledgement does to the sender: RFC 9293 §3.10.7.4 fifth step, RFC 5681, RFC 6582,
//! RFC 6675 and RFC 8985.

use super::shared::Shared;
use super::{RetransmitTimer, Tcb};
use crate::proto::Instant;
use crate::proto::tcp::api::Readiness;
use crate::proto::tcp::congestion::Ack;
use crate::proto::tcp::send::loss::{DUP_THRESH, Delivered, Recovery};
use crate::proto::tcp::wire::options::Timestamps;
use crate::proto::tcp::wire::segment::{Flags, Segment};
use crate::proto::tcp::wire::seq::Seq;

const MILLISECOND: u64 = 1_000_000;

/// What one acknowledgement has delivered.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Octets of sequence space that SND.UNA has advanced by.
    acked: u32,
    /// Octets delivered for the first time, cumulatively or selectively.
    delivered: u32,
    /// Whether a duplicate SACK came with it.
    dsack: bool,
    /// Octets in flight before.
    pipe: u32,
    /// SND.UNA to SND.NXT before.
    outstanding: u32,
}

impl Tcb {
    /// Octets in the network (RFC 6675's pipe).
    #[inline]
    pub(crate) fn pipe(&self) -> u32 {
        self.flight
            .pipe(self.snd.una, self.snd.nxt)
            .saturating_sub(self.loss.reno_sacked)
    }

    /// SRTT in nanoseconds, or what stands for it before there is a measurement.
    #[inline]
    pub(crate) fn srtt(&self) -> u64 {
        match self.rtt.srtt() {
            0 => crate::proto::tcp::send::rto::INITIAL.as_nanos() as u64,
            srtt => srtt,
        }
    }

    /// The least round-trip time seen, in nanoseconds.
    #[inline]
    pub(crate) fn min_rtt(&self) -> u64 {
        self.rtt.min().unwrap_or(0)
    }

    /// Takes an acknowledgement with SND.UNA =< SEG.ACK =< SND.NXT.
    pub(crate) fn take_ack(
        &mut self,
        now: Instant,
        segment: &Segment,
        duplicate: bool,
        shared: &mut Shared,
    ) {
        self.begin_sample(now);
        let mut delivered = Delivered::default();
        let progress = self.advance(now, segment, &mut delivered, shared);
        if progress.acked > 0 {
            self.snd.unacked_since = now;
            self.soft_error = None;
            self.rtt.progress();
            self.try_larger_segments(progress.acked);
        }
        let original = self.take_original(&progress, &delivered);
        let timestamps = segment.options.timestamps;
        self.measure(now, timestamps, progress.acked, &delivered, original);
        if self.loss.tlp.is_some() {
            self.settle_probe(now, segment.ack, &progress, shared);
        }
        if self.loss.recovery != Recovery::Open && progress.acked > 0 {
            self.leave_recovery(now, timestamps, original.is_some());
        }
        let wait = self.detect_loss(now, duplicate, &progress, shared);
        self.adjust_window(now, segment, &progress);
        if progress.acked > 0 || progress.delivered > 0 || wait.is_some() {
            self.arm_retransmit(now, wait);
        }
        if progress.acked > 0 {
            self.keep_marks_near();
        }
        if self.snd.una == self.snd.nxt {
            self.flight.give_back(&mut shared.flights);
        }
        self.transmit = true;
    }

    /// Moves SND.UNA and marks what was sacked.
    #[inline]
    fn advance(
        &mut self,
        now: Instant,
        segment: &Segment,
        told: &mut Delivered,
        shared: &mut Shared,
    ) -> Progress {
        let pipe = self.pipe();
        let outstanding = self.snd.nxt - self.snd.una;
        let acked = segment.ack - self.snd.una;
        let min_rtt = self.min_rtt();
        let offset = self.timestamps.map_or(0, |timestamps| timestamps.offset);
        let echo = segment
            .options
            .timestamps
            .filter(|_| self.timestamps.is_some())
            .map(|timestamps| timestamps.ecr);
        let (loss, flight) = (&mut self.loss, &mut self.flight);
        let mut deliver = |piece: &crate::proto::tcp::send::sent::Sent| {
            let original =
                || echo.is_some_and(|echo| Seq(echo).lt(Seq(Self::timestamp(offset, piece.time))));
            loss.deliver(piece, now, min_rtt, original, told);
        };
        let mut delivered = 0;
        if acked > 0 {
            self.progress = now;
            self.snd.una = segment.ack;
            self.snd.queue.acknowledge(segment.ack, &mut shared.pool);
            delivered += flight.acknowledge(segment.ack, &mut deliver);
        }
        let mut dsack = false;
        if self.sack && !segment.options.sack.is_empty() {
            let blocks = segment.options.sack.as_slice();
            dsack = is_dsack(segment.ack, blocks);
            for &(start, end) in &blocks[usize::from(dsack)..] {
                if start.lt(end) && start.ge(self.snd.una) && end.le(self.snd.nxt) {
                    delivered += flight.sack(start, end, &mut deliver);
                }
            }
        }
        if dsack {
            shared.counters.dsack_recv += 1;
            self.loss.dsack(self.snd.una, self.snd.nxt);
        }
        if acked > 0 {
            self.report_room(shared);
        }
        Progress {
            acked,
            delivered,
            dsack,
            pipe,
            outstanding,
        }
    }

    /// Tells the user of room in the send buffer, or that all was acknowledged.
    pub(crate) fn report_room(&mut self, shared: &Shared) {
        if self.wants_writable {
            let allowance = self.send_allowance(shared);
            let free = allowance.saturating_sub(self.snd.queue.len());
            // A third free, so that the user is not woken for each segment.
            if free * 3 >= allowance {
                self.wants_writable = false;
                self.raise(Readiness::WRITABLE);
            }
        }
        if self.wants_flushed && self.is_flushed() {
            self.wants_flushed = false;
            self.raise(Readiness::FLUSHED);
        }
    }

    /// Whether all that the user sent, and a FIN, is acknowledged.
    pub(crate) fn is_flushed(&self) -> bool {
        self.snd.queue.len() == 0 && (!self.snd.fin || self.snd.una.gt(self.snd.queue.end()))
    }

    /// Our SYN is acknowledged: a sample, if it was sent once, and here (a cookie's was not).
    pub(crate) fn measure_handshake(&mut self, now: Instant) {
        if self.rtt.timeouts() > 0 {
            // RFC 6298 §5.7.
            self.rtt
                .restart_from(crate::proto::tcp::send::rto::AFTER_SYN_LOSS);
        } else if self.deadlines.retransmit != Instant::FAR_FUTURE && !self.rtt.is_ambiguous() {
            self.rtt.sample(now.nanos_since(self.snd.last));
        }
    }

    /// Takes a round-trip time sample (RFC 6298 §3 and §4, RFC 7323 §4). `original` is when the
    /// segment was sent first that a time-out has sent again, if it is that which has arrived.
    #[inline]
    fn measure(
        &mut self,
        now: Instant,
        timestamps: Option<Timestamps>,
        acked: u32,
        told: &Delivered,
        original: Option<Instant>,
    ) {
        let rtt = match (told.sent_once, timestamps, self.timestamps) {
            (Some(sent), ..) if !told.retransmitted => now.nanos_since(sent),
            // With retransmissions among them, the echoed timestamp tells which arrived last.
            (_, Some(theirs), Some(ours)) if acked > 0 && theirs.ecr != 0 => {
                let millis = Self::timestamp(ours.offset, now).wrapping_sub(theirs.ecr);
                if millis > 600_000 {
                    return;
                }
                // Less than a tick is not nothing.
                u64::from(millis.max(1)) * MILLISECOND
            }
            _ => match original {
                Some(sent) => now.nanos_since(sent),
                None => return,
            },
        };
        self.rtt.sample(rtt);
    }

    /// RFC 8985 §7.4: has a tail-loss probe repaired a loss?
    fn settle_probe(&mut self, now: Instant, ack: Seq, progress: &Progress, shared: &mut Shared) {
        let Some((end, retransmission)) = self.loss.tlp else {
            return;
        };
        if ack.lt(end) {
            return;
        }
        let pure_duplicate = progress.acked == 0 && progress.delivered == 0;
        if !retransmission || progress.dsack || pure_duplicate {
            // New data, or the original and the probe have both arrived.
            self.loss.tlp = None;
        } else if ack.gt(end) {
            // No duplicate was reported: the probe has filled a hole, and that was a loss.
            self.loss.tlp = None;
            shared.counters.loss_probe_recovery += 1;
            if self.loss.recovery == Recovery::Open
                && let Some(congestion) = &mut self.congestion
            {
                congestion.on_congestion_event(now, progress.outstanding);
            }
        }
    }

    /// When the segment that a time-out has sent again was sent first, if the first acknowledgement
    /// since then comes sooner than any round trip was: it is that segment which has arrived, and its
    /// time is known.
    ///
    /// A path that has become shorter than it ever was looks the same, for one segment that was lost
    /// on it. That costs one reduction of the window; the next acknowledgement lowers the minimum.
    fn take_original(&mut self, progress: &Progress, told: &Delivered) -> Option<Instant> {
        if progress.acked == 0 {
            return None;
        }
        let episode = self.loss.episode.allocated()?;
        episode.original.take().filter(|_| told.original)
    }

    /// Ends a recovery that is complete, or that was spurious: timestamps tell (RFC 3522, RFC 4015), or
    /// `original` without them.
    fn leave_recovery(&mut self, now: Instant, timestamps: Option<Timestamps>, original: bool) {
        let spurious = match (self.loss.episode.first_retransmission, timestamps) {
            (Some(first), Some(timestamps)) => {
                timestamps.ecr != 0 && Seq(timestamps.ecr).lt(Seq(first))
            }
            _ => original,
        };
        if spurious {
            if let Some(congestion) = &mut self.congestion {
                congestion.on_spurious(now);
            }
            self.flight.undo_lost();
            self.loss.end();
        } else if self.snd.una.ge(self.loss.point) {
            self.loss.end();
            if let Some(congestion) = &mut self.congestion {
                congestion.on_recovered();
            }
        }
    }

    /// Finds what is lost and enters recovery; returns how long to wait for more.
    #[inline]
    fn detect_loss(
        &mut self,
        now: Instant,
        duplicate: bool,
        progress: &Progress,
        shared: &mut Shared,
    ) -> Option<u64> {
        if !self.sack {
            self.count_duplicates(now, duplicate, progress, shared);
            return None;
        }
        if self.flight.sacked() == 0 && self.loss.recovery == Recovery::Open {
            return None;
        }
        let (min_rtt, srtt) = (self.min_rtt(), self.srtt());
        let (lost, wait) = self.loss.detect(&mut self.flight, now, min_rtt, srtt);
        if lost && self.loss.recovery == Recovery::Open {
            shared.counters.sack_recovery += 1;
            self.enter_recovery(now, progress.outstanding);
        }
        wait
    }

    /// RFC 6582: counts duplicate acknowledgements of a peer without SACK.
    fn count_duplicates(
        &mut self,
        now: Instant,
        duplicate: bool,
        progress: &Progress,
        shared: &mut Shared,
    ) {
        let mss = u32::from(self.snd.mss);
        if progress.acked > 0 {
            self.loss.dup_acks = 0;
            if self.loss.recovery == Recovery::Fast {
                // §3.2 step 3, partial acknowledgement: the next hole is at SND.UNA.
                self.loss.reno_sacked = self
                    .loss
                    .reno_sacked
                    .saturating_sub(progress.acked.saturating_sub(mss));
                self.mark_first_lost();
            } else {
                self.loss.reno_sacked = 0;
            }
        } else if duplicate {
            self.loss.dup_acks = self.loss.dup_acks.saturating_add(1);
            // The pieces that these stand for are in the peer's hands (RFC 3042: limited transmit).
            let outstanding = self.snd.nxt - self.snd.una;
            self.loss.reno_sacked =
                (self.loss.reno_sacked + mss).min(outstanding.saturating_sub(mss));
            if self.loss.recovery == Recovery::Open
                && self.loss.dup_acks >= DUP_THRESH
                && self.snd.una.gt(self.loss.point)
            {
                shared.counters.reno_recovery += 1;
                self.mark_first_lost();
                self.enter_recovery(now, progress.outstanding);
            }
        }
    }

    fn mark_first_lost(&mut self) {
        let una = self.snd.una;
        self.flight
            .mark_lost(|piece| if piece.start == una { Some(true) } else { None });
    }

    /// Enters fast recovery.
    pub(crate) fn enter_recovery(&mut self, now: Instant, outstanding: u32) {
        self.report_lost(now);
        if let Some(congestion) = &mut self.congestion {
            congestion.on_congestion_event(now, outstanding);
        }
        self.ecn.cwr |= self.ecn.on;
        self.loss.begin(Recovery::Fast, self.snd.nxt, outstanding);
        self.permit_recovery(0);
    }

    /// Lets the window grow, or lets a recovery go on, or reacts to an ECN echo.
    #[inline]
    fn adjust_window(&mut self, now: Instant, segment: &Segment, progress: &Progress) {
        if self.pacer.is_some() {
            self.sample_rate(now, segment);
            return;
        }
        if self.loss.recovery == Recovery::Fast {
            if progress.acked > 0 || progress.delivered > 0 || self.loss.reno_sacked > 0 {
                let delivered = if self.sack {
                    progress.delivered
                } else {
                    progress.acked.max(self.snd.mss.into())
                };
                self.permit_recovery(delivered);
            }
            return;
        }
        if self.ecn.on && segment.flags.has(Flags::ECE) && self.loss.recovery == Recovery::Open {
            self.react_to_echo(now, progress);
            return;
        }
        if progress.acked == 0 {
            return;
        }
        let ack = self.ack_report(now, segment.ack, progress);
        if let Some(congestion) = &mut self.congestion {
            congestion.on_ack(&ack);
        }
    }

    /// What the congestion controller is told.
    #[inline]
    fn ack_report(&self, now: Instant, ack: Seq, progress: &Progress) -> Ack {
        Ack {
            now,
            acked: progress.delivered,
            flight: progress.pipe,
            cwnd_limited: ack.le(self.snd.cwnd_limited_until),
            srtt: self.srtt(),
        }
    }

    /// Says how much fast recovery may send now that so much was delivered.
    pub(crate) fn permit_recovery(&mut self, delivered: u32) {
        let (pipe, target) = (self.pipe(), self.cwnd());
        if self.pacer.is_some() {
            // Its rate and window are what limits it (draft-ietf-ccwg-bbr §5.6.4.4).
            self.loss.permit(pipe, target, self.snd.mss.into());
            return;
        }
        self.loss
            .reduce_proportionally(delivered, pipe, target, self.snd.mss.into());
    }

    /// RFC 3168 §6.1.2: an echo counts as a loss, once in each window.
    fn react_to_echo(&mut self, now: Instant, progress: &Progress) {
        if self
            .ecn
            .recover
            .is_some_and(|recover| self.snd.una.lt(recover))
        {
            return;
        }
        self.ecn.recover = Some(self.snd.nxt);
        self.ecn.cwr = true;
        if let Some(congestion) = &mut self.congestion {
            congestion.on_congestion_event(now, progress.outstanding);
        }
    }

    /// Starts the timer that fits what is in flight: the reordering timer when `wait` asks for it,
    /// a tail-loss probe, the retransmission time-out or the persist timer.
    #[inline]
    pub(crate) fn arm_retransmit(&mut self, now: Instant, wait: Option<u64>) {
        if self.snd.una == self.snd.nxt {
            self.deadlines.retransmit = Instant::FAR_FUTURE;
            return;
        }
        if self.snd.wnd == 0 {
            self.arm_persist(now);
            return;
        }
        let rto = self.rtt.timeout();
        let (kind, after) = match wait {
            Some(wait) => (RetransmitTimer::Reorder, wait.max(MILLISECOND)),
            None => match self.probe_timeout(rto) {
                Some(timeout) => (RetransmitTimer::Probe, timeout),
                None => (RetransmitTimer::Rto, rto),
            },
        };
        self.retransmit_kind = kind;
        self.deadlines.retransmit = now.after_nanos(after);
    }

    /// Starts the timer that probes the peer's window, closed or too small, whatever is in flight
    /// (RFC 9293 §3.8.6.1).
    pub(crate) fn arm_persist(&mut self, now: Instant) {
        self.retransmit_kind = RetransmitTimer::Persist;
        self.deadlines.retransmit = now.after_nanos(self.rtt.doubled(self.window_probes));
    }

    /// RFC 8985 §7.2: when a tail-loss probe is due, if one may be sent.
    #[inline]
    fn probe_timeout(&self, rto: u64) -> Option<u64> {
        let eligible = self.sack
            && self.loss.recovery == Recovery::Open
            && self.loss.tlp.is_none()
            && self.flight.sacked() == 0
            && !self.rtt.is_ambiguous();
        let srtt = self.rtt.srtt();
        if !eligible || srtt == 0 {
            return None;
        }
        let mut timeout = 2 * srtt + 2 * MILLISECOND;
        if self.snd.nxt - self.snd.una <= u32::from(self.snd.mss) {
            // The peer may hold back the acknowledgement of a single segment.
            timeout += 200 * MILLISECOND;
        }
        Some(timeout.min(rto))
    }
}

/// RFC 2883 §4: the first block is below the acknowledgement or within the second.
fn is_dsack(ack: Seq, blocks: &[(Seq, Seq)]) -> bool {
    let Some(&(start, end)) = blocks.first() else {
        return false;
    };
    if end.le(ack) {
        return true;
    }
    blocks
        .get(1)
        .is_some_and(|&(outer_start, outer_end)| outer_start.le(start) && end.le(outer_end))
}
