//! Which pieces are overdue (RFC 8985 §6.2 step 5), found in the order in which they were sent: the
//! search stops at the first that is not, and begins where the last one found nothing left to
//! decide.
//!
//! What was sent once was sent in the order of its numbers. What was sent again is listed by its time.

use std::collections::{BinaryHeap, VecDeque};

use super::{RetransmissionQueue, Sent};
use crate::proto::Instant;
use crate::proto::tcp::send::loss::Found;
use crate::proto::tcp::wire::seq::Seq;

/// A segment that was sent, by its time and its end.
pub(super) type Moment = (Instant, Seq);

/// More entries than so many for each piece, and these, are looked through for old ones.
const ENTRIES: usize = 2;
const FEW: usize = 16;

/// Pieces that were sent again, by time: entries of pieces that were delivered, taken for lost or
/// sent once more since stay until they are met.
pub(super) type Resent = VecDeque<(Instant, Seq)>;

/// RACK_sent_after of RFC 8985 §6.1.
#[inline]
pub(in crate::proto::tcp::send) fn sent_after(one: Moment, other: Moment) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1.gt(other.1))
}

impl RetransmissionQueue {
    /// Marks what was sent before `latest`, which has arrived, and waits for longer than
    /// `patience`, in nanoseconds. The wait that is returned is that until more will have waited long
    /// enough: all, unless pieces that were sent again lie between them.
    pub(in crate::proto::tcp::send) fn mark_overdue(
        &mut self,
        latest: Moment,
        now: Instant,
        patience: u64,
    ) -> Found {
        let before = self.lost;
        let mut found = Found::default();
        let once = self.mark_overdue_once(latest, now, patience);
        let again = self.mark_overdue_again(latest, now, patience, &mut found.again);
        let remaining = once.max(again).map(|last| last.after_nanos(patience));
        found.wait = remaining.map(|deadline| deadline.nanos_since(now));
        found.lost = self.lost > before;
        found
    }

    /// Of the pieces sent once. Returns when the last was sent that waits.
    fn mark_overdue_once(
        &mut self,
        latest: Moment,
        now: Instant,
        patience: u64,
    ) -> Option<Instant> {
        loop {
            let index = self.decided();
            let piece = self.sent.get(index)?;
            let next = if piece.sacked {
                let end = self.run_end(piece);
                self.sent.partition_point(|piece| piece.start.lt(end))
            } else if piece.lost || piece.retransmitted {
                index + 1
            } else if !sent_after(latest, (piece.time, piece.end)) {
                return None;
            } else if piece.time.after_nanos(patience) <= now {
                self.mark(index);
                index + 1
            } else {
                return self.last_once_before(latest);
            };
            self.index.get_or_insert_default().decided = next;
        }
    }

    fn decided(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.decided)
    }

    /// When the last piece before `latest` was sent that was sent once and of which nothing is known.
    fn last_once_before(&self, latest: Moment) -> Option<Instant> {
        let decided = self.sent.get(self.decided())?.start;
        let mut index = self.sent.partition_point(|piece| {
            piece.start.lt(decided)
                || !piece.retransmitted && sent_after(latest, (piece.time, piece.end))
        });
        while let Some(piece) = index.checked_sub(1).and_then(|last| self.sent.get(last)) {
            if !(piece.sacked || piece.lost || piece.retransmitted) {
                return Some(piece.time);
            }
            index = if piece.sacked {
                let start = self.run_start(piece);
                self.sent.partition_point(|piece| piece.start.lt(start))
            } else {
                index - 1
            };
        }
        None
    }

    /// Of the pieces sent again; `lost` is when the latest was sent of those that are. Returns when the
    /// last was sent that waits.
    fn mark_overdue_again(
        &mut self,
        latest: Moment,
        now: Instant,
        patience: u64,
        lost: &mut Option<Instant>,
    ) -> Option<Instant> {
        while let Some(&(time, start)) = self.index.as_ref()?.resent.front() {
            if let Some(index) = self.find_resent(time, start) {
                let end = self.sent.get(index)?.end;
                if !sent_after(latest, (time, end)) {
                    return None;
                }
                if time.after_nanos(patience) > now {
                    let resent = &self.index.as_ref()?.resent;
                    let after = resent.partition_point(|entry| entry.0 <= latest.0);
                    return resent.get(after.checked_sub(1)?).map(|entry| entry.0);
                }
                self.mark(index);
                *lost = Some(time);
            }
            self.index.as_mut()?.resent.pop_front();
        }
        None
    }

    /// The piece of an entry, unless more is known of it since.
    fn find_resent(&self, time: Instant, start: Seq) -> Option<usize> {
        // Its start may have been acknowledged.
        let index = self.sent.partition_point(|piece| piece.end.le(start));
        let piece = self.sent.get(index)?;
        let waits = piece.retransmitted && !piece.sacked && !piece.lost && piece.time == time;
        waits.then_some(index)
    }

    /// A piece was sent again.
    pub(super) fn note_resent(&mut self, time: Instant, start: Seq) {
        let resent = &mut self.index.get_or_insert_default().resent;
        // In the order of RACK_sent_after: several may have been sent at one time, in any order.
        let before = |entry: &Moment| entry.0 < time || (entry.0 == time && entry.1.le(start));
        let after = resent.partition_point(before);
        resent.insert(after, (time, start));
        if resent.len() > ENTRIES * self.sent.len() + FEW {
            self.list_resent();
        }
    }

    /// Begins anew, after what is known of pieces was forgotten.
    pub(super) fn decide_anew(&mut self) {
        if let Some(index) = &mut self.index {
            index.decided = 0;
            self.list_resent();
        }
    }

    fn list_resent(&mut self) {
        let waits = |piece: &Sent| piece.retransmitted && !piece.sacked && !piece.lost;
        let waiting = (0..)
            .zip(self.sent.iter())
            .filter(|(_, piece)| waits(piece));
        // A heap sorts too, in a tenth of the code of `sort`.
        let waiting: BinaryHeap<(Instant, usize)> = waiting
            .map(|(number, piece)| (piece.time, number))
            .collect();
        let sorted = waiting.into_sorted_vec().into_iter();
        let resent = sorted.map(|(time, number)| (time, self.sent[number].start));
        self.index.get_or_insert_default().resent = resent.collect();
    }
}

#[cfg(test)]
mod tests;
