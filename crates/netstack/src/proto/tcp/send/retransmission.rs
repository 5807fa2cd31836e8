//! The retransmission queue: what is in flight, when each piece was sent and what is known of it
//! (RFC 9293 §3.8.1, RFC 6675 §3, RFC 8985 §5).

use std::collections::{BTreeMap, VecDeque};

use super::delivery_rate::DeliveryRate;
use super::sent::Sent;
use crate::proto::Instant;
use crate::proto::tcp::on_demand::{KEPT_CAPACITY, OnDemand, Part, Spares};
use crate::proto::tcp::wire::seq::{Seq, Start};

mod by_time;

pub(super) use by_time::sent_after;
use by_time::{Moment, Resent};

/// Pieces in flight, in order.
pub(super) type Flight = VecDeque<Sent>;

impl Part for Flight {
    const INITIAL: Self = Self::new();

    #[inline]
    fn initial() -> &'static Self {
        static INITIAL: Flight = Flight::INITIAL;
        &INITIAL
    }

    #[inline]
    fn renew(&mut self) -> bool {
        self.clear();
        self.capacity() <= KEPT_CAPACITY
    }

    #[inline]
    fn kept(&self) -> usize {
        self.capacity() * size_of::<Sent>()
    }
}

/// What shortens searches among pieces of which something is known, until nothing is in flight.
#[derive(Debug, Default)]
struct Index {
    /// Where runs of sacked pieces begin and end: no two touch. A block that is told again and
    /// again, or grows, costs the search for what is new in it.
    runs: BTreeMap<Start, Seq>,
    /// All pieces before this one are sacked, lost or were sent again.
    decided: usize,
    /// Pieces that were sent again.
    resent: Resent,
}

impl Index {
    /// Octets of the memory that it takes, at most.
    fn held(&self) -> usize {
        let runs = match self.runs.len() {
            0 => 0,
            // The nodes of a tree with eleven entries each are at least half full, but for the root.
            runs => (20 + 3 * runs) * size_of::<(Start, Seq)>(),
        };
        size_of::<Self>() + runs + self.resent.capacity() * size_of::<Moment>()
    }
}

/// The pieces from SND.UNA to SND.NXT, in order.
#[derive(Debug, Default)]
pub(super) struct RetransmissionQueue {
    sent: OnDemand<Flight>,
    /// Octets sacked, and octets lost: both are not in flight.
    sacked: u32,
    lost: u32,
    sacked_pieces: u32,
    /// What shortens searches: most connections never need it.
    index: Option<Box<Index>>,
    /// No piece before this index is lost: where the search for the next one begins.
    hint: u32,
    /// Delivery rate samples, for a controller that asks for them.
    pub(crate) rate: Option<Box<DeliveryRate>>,
}

impl RetransmissionQueue {
    /// A first piece will be sent: its list comes from `spares`.
    #[inline]
    pub(crate) fn prepare(&mut self, spares: &mut Spares<Flight>) {
        self.sent.prepare(spares);
    }

    /// Nothing is in flight any more: the list is not needed.
    #[inline]
    pub(crate) fn give_back(&mut self, spares: &mut Spares<Flight>) {
        debug_assert!(self.sent.is_empty());
        self.hint = 0;
        self.index = None;
        self.sent.give_back(spares);
    }

    /// Notes a piece sent for the first time; it follows those that there are.
    #[inline]
    pub(crate) fn push(&mut self, start: Seq, end: Seq, time: Instant) {
        self.sent.push_back(Sent::new(start, end, time));
        if self.rate.is_some() {
            self.note_rate(start, end, time);
        }
    }

    /// As [`RetransmissionQueue::push`], for `count` pieces of `len` octets each.
    pub(super) fn push_run(&mut self, start: Seq, len: u32, count: usize, time: Instant) {
        let starts = (0..count as u32).map(|number| start + number * len);
        if self.rate.is_some() {
            return starts.for_each(|start| self.push(start, start + len, time));
        }
        self.sent
            .extend(starts.map(|start| Sent::new(start, start + len, time)));
    }

    // Never: nothing of it where there is no such controller.
    #[inline(never)]
    fn note_rate(&mut self, start: Seq, end: Seq, time: Instant) {
        let inflight = self.inflight();
        if let Some(rate) = &mut self.rate {
            rate.sent(time, inflight, end - start);
        }
    }

    /// Octets in flight, as [`RetransmissionQueue::pipe`] without a caller that knows SND.UNA and
    /// SND.NXT.
    fn inflight(&self) -> u32 {
        match (self.sent.front(), self.sent.back()) {
            (Some(first), Some(last)) => self.pipe(first.start, last.end),
            _ => 0,
        }
    }

    /// Octets that are in the network as far as is known: `pipe` of RFC 6675 §4, kept up to date
    /// instead of counted.
    #[inline]
    pub(crate) fn pipe(&self, una: Seq, nxt: Seq) -> u32 {
        (nxt - una)
            .saturating_sub(self.sacked)
            .saturating_sub(self.lost)
    }

    #[inline]
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    #[inline]
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    pub(super) fn sacked_pieces(&self) -> u32 {
        self.sacked_pieces
    }

    /// Pieces in the queue.
    #[inline]
    pub(crate) fn pieces(&self) -> usize {
        self.sent.len()
    }

    /// Octets of the memory that the queue takes: of the runs, at most.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        let sent = self.sent.get_allocated().map_or(0, |sent| {
            size_of::<Flight>() + sent.capacity() * size_of::<Sent>()
        });
        let index = self.index.as_ref().map_or(0, |index| index.held());
        let rate = self.rate.as_ref().map_or(0, |rate| rate.held());
        sent + index + rate
    }

    pub(crate) fn first(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// Takes out what is before `una` and shows each piece that was not sacked before to
    /// `delivered`. Returns how many octets those were.
    #[inline]
    pub(crate) fn acknowledge(&mut self, una: Seq, mut delivered: impl FnMut(&Sent)) -> u32 {
        let (mut octets, mut pieces) = (0, 0);
        let Some(sent) = self.sent.allocated() else {
            return 0;
        };
        while let Some(piece) = sent.front_mut() {
            if piece.start.ge(una) {
                break;
            }
            let acked = una.min(piece.end) - piece.start;
            if piece.sacked {
                self.sacked -= acked;
            } else {
                octets += acked;
                if piece.lost {
                    self.lost -= acked;
                }
            }
            if piece.end.gt(una) {
                // Part of a piece: what is left keeps its state.
                piece.start = una;
                if let (Some(rate), false) = (&mut self.rate, piece.sacked) {
                    rate.partly_acknowledged(acked);
                }
                break;
            }
            if piece.sacked {
                self.sacked_pieces -= 1;
            } else {
                delivered(piece);
            }
            if let Some(rate) = &mut self.rate {
                rate.acknowledged((!piece.sacked).then_some(&*piece));
            }
            sent.pop_front();
            pieces += 1;
        }
        self.hint = self.hint.saturating_sub(pieces);
        if let Some(index) = &mut self.index {
            index.decided = index.decided.saturating_sub(pieces as usize);
            self.cut_runs(una);
        }
        octets
    }

    /// Forgets runs before `una`.
    #[cold]
    fn cut_runs(&mut self, una: Seq) {
        let Some(Index { runs, .. }) = self.index.as_deref_mut() else {
            return;
        };
        while let Some(first) = runs.first_entry()
            && first.key().0.lt(una)
        {
            let (_, end) = first.remove_entry();
            if end.gt(una) {
                runs.insert(Start(una), end);
            }
        }
    }

    /// Notes that all pieces from `start` to `end` are sacked; joins the runs that they touch.
    fn add_run(&mut self, mut start: Seq, mut end: Seq) {
        let runs = &mut self.index.get_or_insert_default().runs;
        while let Some((last, last_end)) = runs.range(..=Start(end)).next_back()
            && last_end.ge(start)
        {
            let last = *last;
            start = start.min(last.0);
            end = end.max(*last_end);
            runs.remove(&last);
        }
        runs.insert(Start(start), end);
    }

    /// The start of the run that a sacked piece belongs to, and its end.
    fn run_start(&self, piece: &Sent) -> Seq {
        self.run(piece).map_or(piece.start, |(start, _)| start)
    }

    fn run_end(&self, piece: &Sent) -> Seq {
        self.run(piece)
            .map_or(piece.end, |(_, end)| end.max(piece.end))
    }

    fn run(&self, piece: &Sent) -> Option<(Seq, Seq)> {
        let runs = &self.index.as_ref()?.runs;
        let (start, end) = runs.range(..=Start(piece.start)).next_back()?;
        Some((start.0, *end))
    }

    /// Marks the pieces that lie within a SACK block and shows each that is new to `delivered`.
    /// Returns how many octets those were.
    pub(crate) fn sack(&mut self, start: Seq, end: Seq, mut delivered: impl FnMut(&Sent)) -> u32 {
        let mut octets = 0;
        let mut index = self.sent.partition_point(|piece| piece.start.lt(start));
        let Some(first) = self.sent.get(index).map(|piece| piece.start) else {
            return 0;
        };
        let mut last = first;
        while let Some(piece) = self.sent.get(index)
            && piece.end.le(end)
        {
            if piece.sacked {
                // One run is passed for each that is joined below.
                last = self.run_end(piece);
                index = self.sent.partition_point(|piece| piece.start.lt(last));
                continue;
            }
            last = piece.end;
            octets += self.mark_sacked(index, &mut delivered);
            index += 1;
        }
        if octets > 0 {
            self.add_run(first, last);
        }
        octets
    }

    fn mark_sacked(&mut self, index: usize, delivered: &mut impl FnMut(&Sent)) -> u32 {
        let Some(piece) = self.sent.allocated().and_then(|sent| sent.get_mut(index)) else {
            return 0;
        };
        let octets = piece.len();
        if core::mem::take(&mut piece.lost) {
            self.lost -= octets;
        }
        piece.sacked = true;
        self.sacked += octets;
        self.sacked_pieces += 1;
        delivered(piece);
        if let Some(rate) = &mut self.rate {
            rate.sacked(index, piece);
        }
        octets
    }

    /// Marks pieces that are neither sacked nor lost yet for which `test` says so, until it says
    /// to stop with `None`. Returns how many octets became lost.
    pub(super) fn mark_lost(&mut self, mut test: impl FnMut(&Sent) -> Option<bool>) -> u32 {
        let before = self.lost;
        for index in 0..self.sent.len() {
            let Some(piece) = self.sent.get(index) else {
                break;
            };
            if piece.sacked || piece.lost {
                continue;
            }
            match test(piece) {
                None => break,
                Some(false) => {}
                Some(true) => self.mark(index),
            }
        }
        self.lost - before
    }

    /// A piece that is neither sacked nor lost is lost.
    fn mark(&mut self, index: usize) {
        let Some(piece) = self.sent.allocated().and_then(|sent| sent.get_mut(index)) else {
            return;
        };
        piece.lost = true;
        self.lost += piece.len();
        self.hint = self.hint.min(index as u32);
        if let Some(rate) = &mut self.rate {
            rate.lost(index, piece);
        }
    }

    /// What was just marked as lost is no sign of congestion.
    pub(super) fn excuse_lost(&mut self) {
        if let Some(rate) = &mut self.rate {
            rate.excuse_lost();
        }
    }

    /// The first lost piece, cut so that it has at most `max` octets of the data, which ends at `end`
    /// and may be followed by a FIN (the path's MTU may be smaller than when it was sent).
    pub(super) fn next_lost(&mut self, max: u32, end: Seq) -> Option<(usize, Sent)> {
        if self.lost == 0 {
            return None;
        }
        let hint = self.hint as usize;
        let index = self.sent.range(hint..).position(|piece| piece.lost)? + hint;
        self.hint = index as u32;
        let piece = self.sent.get(index)?;
        let fin = u32::from(piece.end.gt(end));
        if piece.len() - fin > max {
            self.split(index, max);
        }
        self.sent.get(index).map(|piece| (index, *piece))
    }

    /// The first or last piece, cut to `max` octets: what a probe sends again.
    pub(crate) fn probe(&mut self, last: bool, max: u32) -> Option<(usize, Sent)> {
        let index = if last {
            self.sent.len().checked_sub(1)?
        } else {
            0
        };
        if index < self.sent.len() {
            self.split(index, max);
        }
        self.sent.get(index).map(|piece| (index, *piece))
    }

    /// Cuts a piece to `max` octets; `None` when that leaves nothing.
    pub(crate) fn cut(&mut self, index: usize, max: u32) -> Option<Sent> {
        if max == 0 {
            return None;
        }
        self.split(index, max);
        self.sent.get(index).copied()
    }

    fn split(&mut self, index: usize, max: u32) {
        let Some(piece) = self.sent.allocated().and_then(|sent| sent.get_mut(index)) else {
            return;
        };
        if piece.len() <= max {
            return;
        }
        let mut rest = *piece;
        piece.end = piece.start + max;
        rest.start = piece.end;
        if rest.sacked {
            self.sacked_pieces += 1;
        }
        self.sent.insert(index + 1, rest);
        if let Some(known) = &mut self.index
            && index < known.decided
        {
            known.decided += 1;
        }
        if rest.retransmitted {
            self.note_resent(rest.time, rest.start);
        }
        if let Some(rate) = &mut self.rate {
            rate.split(index);
        }
    }

    /// The piece at `index` was sent again.
    pub(crate) fn retransmitted(&mut self, index: usize, now: Instant) {
        let Some(piece) = self.sent.allocated().and_then(|sent| sent.get_mut(index)) else {
            return;
        };
        if piece.lost {
            piece.lost = false;
            self.lost -= piece.len();
        }
        piece.retransmitted = true;
        piece.time = now;
        let (start, len) = (piece.start, piece.len());
        self.note_resent(now, start);
        let inflight = self.inflight();
        if let Some(rate) = &mut self.rate {
            rate.sent_again(index, now, inflight, len);
        }
    }

    /// What was taken to be lost was only late (RFC 4015): nothing is lost.
    pub(super) fn undo_lost(&mut self) {
        if self.lost == 0 {
            return;
        }
        for piece in self.sent.allocated().into_iter().flatten() {
            piece.lost = false;
        }
        self.lost = 0;
        self.decide_anew();
    }

    /// Forgets what was sacked (RFC 2018 §8: the receiver may have dropped it).
    pub(super) fn forget_sacked(&mut self) {
        for piece in self.sent.allocated().into_iter().flatten() {
            piece.sacked = false;
        }
        self.sacked = 0;
        self.sacked_pieces = 0;
        if let Some(index) = &mut self.index {
            index.runs.clear();
        }
        self.decide_anew();
    }

    /// Frees what samples of an empty queue still hold.
    pub(crate) fn shrink(&mut self) {
        if self.sent.is_empty()
            && let Some(rate) = &mut self.rate
        {
            rate.shrink();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, spares: &mut Spares<Flight>) {
        self.sent.give_back(spares);
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
