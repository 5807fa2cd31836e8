//! What an acknowledgement does to the sender: RFC 9293 §3.10.7.4 fifth step, RFC 5681, RFC 6582,
//! RFC 6675 and RFC 8985.

use super::loss::{Delivered, Recovery};
use super::rto::{AFTER_SYN_LOSS, INITIAL};
use super::sent::Sent;
use super::{RetransmitTimer, Sender, Stock};
use crate::proto::Instant;
use crate::proto::tcp::congestion::Ack;
use crate::proto::tcp::counters::Counters;
use crate::proto::tcp::wire::options::{Timestamps, timestamp};
use crate::proto::tcp::wire::segment::{Flags, Segment};
use crate::proto::tcp::wire::seq::Seq;

const MILLISECOND: u64 = 1_000_000;
/// L of RFC 9406 §4.3 where a window is not paced.
const L: u32 = 8;

/// What one acknowledgement has delivered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Octets of sequence space that SND.UNA has advanced by.
    pub(super) acked: u32,
    /// Octets delivered for the first time, cumulatively or selectively.
    delivered: u32,
    /// Whether a duplicate SACK came with it.
    dsack: bool,
    /// Octets in flight before.
    pipe: u32,
    /// SND.UNA to SND.NXT before.
    pub(super) outstanding: u32,
    /// What of it was not sacked before.
    pub(super) unsacked: u32,
    /// Octets that duplicate acknowledgements had told of, without SACK.
    reno_sacked: u32,
    /// A time-out was being recovered from.
    timed_out: bool,
    /// The piece at SND.UNA was sent again in this recovery.
    pub(super) first_again: bool,
}

impl Sender {
    /// Octets in the network (RFC 6675's pipe).
    #[inline]
    pub(super) fn pipe(&self) -> u32 {
        self.flight
            .pipe(self.una, self.nxt)
            .saturating_sub(self.loss.reno_sacked)
    }

    /// SRTT in nanoseconds, or what stands for it before there is a measurement.
    #[inline]
    pub(crate) fn srtt(&self) -> u64 {
        match self.rtt.srtt() {
            0 => INITIAL.as_nanos() as u64,
            srtt => srtt,
        }
    }

    /// The least round-trip time seen, in nanoseconds.
    #[inline]
    pub(super) fn min_rtt(&self) -> u64 {
        self.rtt.min().unwrap_or(0)
    }

    /// Takes an acknowledgement with SND.UNA =< SEG.ACK =< SND.NXT. Returns whether it is one of
    /// something new.
    pub(crate) fn take_ack(
        &mut self,
        now: Instant,
        segment: &Segment,
        duplicate: bool,
        stock: &mut Stock,
        counters: &mut Counters,
    ) -> bool {
        self.begin_sample(now);
        let mut delivered = Delivered::default();
        let progress = self.advance(now, segment, &mut delivered, stock, counters);
        if progress.acked > 0 {
            self.unacked_since = now;
            self.rtt.progress();
            self.keep_marks_near();
            self.try_larger_segments(progress.acked);
        }
        let original = self.take_original(&progress, &delivered);
        let timestamps = segment.options.timestamps;
        let rtt = self.measure(now, timestamps, progress.acked, &delivered, original);
        if self.loss.tlp.is_some() {
            self.settle_probe(now, segment.ack, &progress, counters);
        }
        if progress.dsack && self.flight.lost() == 0 && self.loss.was_spurious() {
            self.undo(now);
        }
        if self.loss.recovery != Recovery::Open && progress.acked > 0 {
            self.leave_recovery(now, timestamps, original.is_some(), progress.first_again);
        }
        let found = self.detect_loss(now, duplicate, &progress, counters);
        self.adjust_window(now, segment, &progress, found.lost, rtt);
        self.pace_window(now);
        let wait = found.wait;
        if progress.acked > 0 || progress.delivered > 0 || wait.is_some() {
            self.arm_retransmit(now, wait);
        }
        if self.una == self.nxt {
            self.flight.give_back(&mut stock.flights);
        }
        progress.acked > 0
    }

    /// Moves SND.UNA and marks what was sacked.
    #[inline]
    fn advance(
        &mut self,
        now: Instant,
        segment: &Segment,
        told: &mut Delivered,
        stock: &mut Stock,
        counters: &mut Counters,
    ) -> Progress {
        let pipe = self.pipe();
        let outstanding = self.nxt - self.una;
        let unsacked = outstanding.saturating_sub(self.flight.sacked());
        let acked = segment.ack - self.una;
        let reno_sacked = self.loss.reno_sacked;
        let timed_out = self.loss.recovery == Recovery::Timeout;
        let first_again = self.loss.recovery != Recovery::Open
            && self
                .flight
                .first()
                .is_some_and(|piece| piece.retransmitted && piece.time >= self.loss.episode.began);
        let min_rtt = self.min_rtt();
        let offset = self.clock.unwrap_or(0);
        let echo = segment
            .options
            .timestamps
            .filter(|_| self.clock.is_some())
            .map(|timestamps| timestamps.ecr);
        let (loss, flight) = (&mut self.loss, &mut self.flight);
        let mut deliver = |piece: &Sent| {
            let original =
                || echo.is_some_and(|echo| Seq(echo).lt(Seq(timestamp(offset, piece.time))));
            loss.deliver(piece, now, min_rtt, original, told);
        };
        let mut delivered = 0;
        if acked > 0 {
            self.una = segment.ack;
            self.queue.acknowledge(segment.ack, &mut stock.pool);
            delivered += flight.acknowledge(segment.ack, &mut deliver);
        }
        let mut dsack = false;
        if self.sack && !segment.options.sack.is_empty() {
            let blocks = segment.options.sack.as_slice();
            dsack = is_dsack(segment.ack, blocks);
            for &(start, end) in &blocks[usize::from(dsack)..] {
                if start.lt(end) && start.ge(self.una) && end.le(self.nxt) {
                    delivered += flight.sack(start, end, &mut deliver);
                }
            }
            if dsack {
                counters.dsack_recv += 1;
                self.loss.dsack(blocks[0], self.una, self.nxt);
            }
        }
        Progress {
            acked,
            delivered,
            dsack,
            pipe,
            outstanding,
            unsacked,
            reno_sacked,
            timed_out,
            first_again,
        }
    }

    /// Whether all that the user sent, and a FIN, is acknowledged.
    pub(crate) fn is_flushed(&self) -> bool {
        self.queue.len() == 0 && (!self.fin || self.una.gt(self.queue.end()))
    }

    /// Our SYN is acknowledged.
    pub(crate) fn take_syn_ack(&mut self, now: Instant) {
        self.una = self.iss + 1;
        self.measure_handshake(now);
    }

    /// Our SYN is acknowledged: a sample, if it was sent once, and here (a cookie's was not).
    fn measure_handshake(&mut self, now: Instant) {
        if self.rtt.timeouts() > 0 {
            // RFC 6298 §5.7.
            self.rtt.restart_from(AFTER_SYN_LOSS);
        } else if self.retransmit != Instant::FAR_FUTURE && !self.rtt.is_ambiguous() {
            self.rtt.sample(now.nanos_since(self.last));
        }
    }

    /// Takes a round-trip time sample (RFC 6298 §3 and §4, RFC 7323 §4). `original` is when the
    /// segment was sent first that a time-out has sent again, if it is that which has arrived. Returns
    /// the sample, 0 if there is none.
    #[inline]
    fn measure(
        &mut self,
        now: Instant,
        timestamps: Option<Timestamps>,
        acked: u32,
        told: &Delivered,
        original: Option<Instant>,
    ) -> u64 {
        let rtt = match (told.sent_once, timestamps, self.clock) {
            (Some(sent), ..) if !told.retransmitted => now.nanos_since(sent),
            // With retransmissions among them, the echoed timestamp tells which arrived last.
            (_, Some(theirs), Some(offset)) if acked > 0 && theirs.ecr != 0 && !told.stale => {
                let millis = timestamp(offset, now).wrapping_sub(theirs.ecr);
                if millis > 600_000 {
                    return 0;
                }
                // Less than a tick is not nothing.
                u64::from(millis.max(1)) * MILLISECOND
            }
            _ => match original {
                Some(sent) => now.nanos_since(sent),
                None => return 0,
            },
        };
        self.rtt.sample(rtt);
        rtt
    }

    /// RFC 8985 §7.4: has a tail-loss probe repaired a loss?
    fn settle_probe(
        &mut self,
        now: Instant,
        ack: Seq,
        progress: &Progress,
        counters: &mut Counters,
    ) {
        let Some(probe) = self.loss.tlp else {
            return;
        };
        if ack.lt(probe.end) {
            return;
        }
        let pure_duplicate = progress.acked == 0 && progress.delivered == 0;
        if !probe.retransmission || progress.dsack || pure_duplicate {
            // New data, or the original and the probe have both arrived.
            self.loss.tlp = None;
        } else if ack.gt(probe.end) {
            // No duplicate was reported: the probe has filled a hole, and that was a loss.
            self.loss.tlp = None;
            counters.loss_probe_recovery += 1;
            if self.loss.recovery == Recovery::Open
                && !probe.reduced
                && let Some(congestion) = &mut self.congestion
            {
                congestion.on_congestion_event(now, progress.outstanding);
                congestion.on_recovered();
                self.loss.settle();
                self.note_reduced();
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

    /// Lets the window grow, or lets a recovery go on, or reacts to an ECN echo.
    #[inline]
    fn adjust_window(
        &mut self,
        now: Instant,
        segment: &Segment,
        progress: &Progress,
        lost: bool,
        rtt: u64,
    ) {
        if self.is_by_rate() {
            self.sample_rate(now, segment);
            return;
        }
        if self.loss.recovery == Recovery::Fast {
            let delivered = if self.sack {
                progress.delivered
            } else {
                self.delivered_without_sack(progress)
            };
            if progress.acked > 0 || delivered > 0 {
                // RFC 9937 §6: a safe acknowledgement.
                self.permit_recovery(delivered, progress.acked > 0 && !lost);
            }
            return;
        }
        if self.ecn.on && segment.flags.has(Flags::ECE) && self.loss.recovery == Recovery::Open {
            self.react_to_echo(now, progress);
            return;
        }
        // Where segments overtake others, most acknowledgements tell of progress by SACK alone.
        let reordered = progress.delivered > 0 && self.loss.sees_reordering();
        if progress.acked == 0 && !reordered {
            return;
        }
        let ack = self.ack_report(now, segment.ack, progress, rtt);
        if let Some(congestion) = &mut self.congestion {
            congestion.on_ack(&ack);
        }
    }

    /// DeliveredData of RFC 9937 §5 where the peer has no SACK: a segment for each duplicate, and of what
    /// SND.UNA has passed that of which no duplicate had told. Duplicates may be made up: all together
    /// deliver what was in flight.
    fn delivered_without_sack(&self, progress: &Progress) -> u32 {
        let (before, after) = (progress.reno_sacked, self.loss.reno_sacked);
        if progress.acked > 0 {
            return progress.acked.saturating_sub(before.saturating_sub(after));
        }
        after.saturating_sub(before).min(self.loss.undelivered())
    }

    /// What the congestion controller is told.
    #[inline]
    fn ack_report(&self, now: Instant, ack: Seq, progress: &Progress, rtt: u64) -> Ack {
        let mut acked = progress.delivered;
        if progress.timed_out && self.pacer.is_none() {
            // Most of it may have arrived before (RFC 3465 §2.3), and what it lets go leaves at once.
            acked = acked.min(L * u32::from(self.mss));
        }
        Ack {
            now,
            acked,
            flight: progress.pipe,
            cwnd_limited: ack.le(self.cwnd_limited_until),
            srtt: self.srtt(),
            rtt,
            una: ack.0,
            nxt: self.nxt.0,
        }
    }

    /// RFC 3168 §6.1.2: an echo counts as a loss, once in each window.
    fn react_to_echo(&mut self, now: Instant, progress: &Progress) {
        if self.has_heard_echo() {
            return;
        }
        self.ecn.recover = Some(self.nxt);
        self.ecn.cwr = true;
        if let Some(probe) = &mut self.loss.tlp {
            probe.reduced = true;
        }
        if let Some(congestion) = &mut self.congestion {
            congestion.on_congestion_event(now, progress.outstanding);
            // An echo is never spurious.
            congestion.on_recovered();
            self.loss.settle();
        }
    }

    /// Starts the timer that fits what is in flight: the reordering timer when `wait` asks for it,
    /// a tail-loss probe, the retransmission time-out or the persist timer.
    #[inline]
    pub(super) fn arm_retransmit(&mut self, now: Instant, wait: Option<u64>) {
        if self.una == self.nxt {
            self.retransmit = Instant::FAR_FUTURE;
            return;
        }
        if self.wnd == 0 {
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
        self.retransmit = now.after_nanos(after);
    }

    /// Starts the timer that probes the peer's window, closed or too small, whatever is in flight
    /// (RFC 9293 §3.8.6.1).
    pub(super) fn arm_persist(&mut self, now: Instant) {
        self.retransmit_kind = RetransmitTimer::Persist;
        self.retransmit = now.after_nanos(self.rtt.doubled(self.window_probes));
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
        if self.nxt - self.una <= u32::from(self.mss) {
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
