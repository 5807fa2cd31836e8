//! The retransmission queue: what is in flight, when each piece was sent and what is known of it
//! (RFC 9293 §3.8.1, RFC 6675 §3, RFC 8985 §5).

use std::collections::VecDeque;

use super::delivery_rate::DeliveryRate;
use super::on_demand::{KEPT_CAPACITY, OnDemand, Part, Spares};
use super::seq::Seq;
use crate::proto::Instant;

/// A piece of the sequence space that was sent as one segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) start: Seq,
    pub(super) end: Seq,
    /// When it was last sent.
    pub(super) time: Instant,
    /// The peer has it, as a SACK block said.
    pub(super) sacked: bool,
    /// It is taken to be lost and was not sent again since.
    pub(super) lost: bool,
    /// It was sent more than once.
    pub(super) retransmitted: bool,
}

impl Sent {
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.end - self.start
    }
}

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
}

/// The pieces from SND.UNA to SND.NXT, in order.
#[derive(Debug, Default)]
pub(super) struct RetransmissionQueue {
    sent: OnDemand<Flight>,
    /// Octets sacked, and octets lost: both are not in flight.
    sacked: u32,
    lost: u32,
    sacked_pieces: u32,
    /// No piece before this index is lost: where the search for the next one begins.
    hint: u32,
    /// Delivery rate samples, for a controller that asks for them.
    pub(super) rate: Option<Box<DeliveryRate>>,
}

impl RetransmissionQueue {
    /// A first piece will be sent: its list comes from `spares`.
    #[inline]
    pub(super) fn prepare(&mut self, spares: &mut Spares<Flight>) {
        self.sent.prepare(spares);
    }

    /// Nothing is in flight any more: the list is not needed.
    #[inline]
    pub(super) fn give_back(&mut self, spares: &mut Spares<Flight>) {
        debug_assert!(self.sent.is_empty());
        self.hint = 0;
        self.sent.give_back(spares);
    }

    /// Notes a piece sent for the first time; it follows those that there are.
    #[inline]
    pub(super) fn push(&mut self, start: Seq, end: Seq, time: Instant) {
        self.sent.push_back(Sent {
            start,
            end,
            time,
            sacked: false,
            lost: false,
            retransmitted: false,
        });
        if self.rate.is_some() {
            let inflight = self.inflight();
            if let Some(rate) = &mut self.rate {
                rate.sent(time, inflight, end - start);
            }
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
    pub(super) fn pipe(&self, una: Seq, nxt: Seq) -> u32 {
        (nxt - una)
            .saturating_sub(self.sacked)
            .saturating_sub(self.lost)
    }

    #[inline]
    pub(super) fn lost(&self) -> u32 {
        self.lost
    }

    #[inline]
    pub(super) fn sacked(&self) -> u32 {
        self.sacked
    }

    pub(super) fn sacked_pieces(&self) -> u32 {
        self.sacked_pieces
    }

    pub(super) fn first(&self) -> Option<&Sent> {
        self.sent.front()
    }

    /// Takes out what is before `una` and shows each piece that was not sacked before to
    /// `delivered`. Returns how many octets those were.
    #[inline]
    pub(super) fn acknowledge(&mut self, una: Seq, mut delivered: impl FnMut(&Sent)) -> u32 {
        let mut octets = 0;
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
            self.hint = self.hint.saturating_sub(1);
        }
        octets
    }

    /// Marks the pieces that lie within a SACK block and shows each that is new to `delivered`.
    /// Returns how many octets those were.
    pub(super) fn sack(&mut self, start: Seq, end: Seq, mut delivered: impl FnMut(&Sent)) -> u32 {
        let mut octets = 0;
        let Some(sent) = self.sent.allocated() else {
            return 0;
        };
        let first = sent.partition_point(|piece| piece.start.lt(start));
        for (offset, piece) in sent.range_mut(first..).enumerate() {
            if piece.end.gt(end) {
                break;
            }
            if piece.sacked {
                continue;
            }
            if piece.lost {
                piece.lost = false;
                self.lost -= piece.len();
            }
            piece.sacked = true;
            self.sacked += piece.len();
            self.sacked_pieces += 1;
            octets += piece.len();
            delivered(piece);
            if let Some(rate) = &mut self.rate {
                rate.sacked(first + offset, piece);
            }
        }
        octets
    }

    /// Marks pieces that are neither sacked nor lost yet for which `test` says so, until it says
    /// to stop with `None`. Returns how many octets became lost.
    pub(super) fn mark_lost(&mut self, mut test: impl FnMut(&Sent) -> Option<bool>) -> u32 {
        let before = self.lost;
        let pieces = self.sent.allocated().into_iter().flatten();
        for (index, piece) in pieces.enumerate() {
            if piece.sacked || piece.lost {
                continue;
            }
            match test(piece) {
                None => break,
                Some(false) => {}
                Some(true) => {
                    piece.lost = true;
                    self.lost += piece.len();
                    self.hint = self.hint.min(index as u32);
                    if let Some(rate) = &mut self.rate {
                        rate.lost(index, piece);
                    }
                }
            }
        }
        self.lost - before
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
    pub(super) fn probe(&mut self, last: bool, max: u32) -> Option<(usize, Sent)> {
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
    pub(super) fn cut(&mut self, index: usize, max: u32) -> Option<Sent> {
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
        if let Some(rate) = &mut self.rate {
            rate.split(index);
        }
    }

    /// The piece at `index` was sent again.
    pub(super) fn retransmitted(&mut self, index: usize, now: Instant) {
        let Some(piece) = self.sent.allocated().and_then(|sent| sent.get_mut(index)) else {
            return;
        };
        if piece.lost {
            piece.lost = false;
            self.lost -= piece.len();
        }
        piece.retransmitted = true;
        piece.time = now;
        let len = piece.len();
        let inflight = self.inflight();
        if let Some(rate) = &mut self.rate {
            rate.sent_again(index, now, inflight, len);
        }
    }

    /// What was taken to be lost was only late (RFC 4015): nothing is lost.
    pub(super) fn undo_lost(&mut self) {
        for piece in self.sent.allocated().into_iter().flatten() {
            piece.lost = false;
        }
        self.lost = 0;
    }

    /// Forgets what was sacked (RFC 2018 §8: the receiver may have dropped it).
    pub(super) fn forget_sacked(&mut self) {
        for piece in self.sent.allocated().into_iter().flatten() {
            piece.sacked = false;
        }
        self.sacked = 0;
        self.sacked_pieces = 0;
    }

    /// Frees what samples of an empty queue still hold.
    pub(super) fn shrink(&mut self) {
        if self.sent.is_empty()
            && let Some(rate) = &mut self.rate
        {
            rate.shrink();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, spares: &mut Spares<Flight>) {
        self.sent.give_back(spares);
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::RetransmissionQueue;
    use crate::proto::Instant;
    use crate::proto::tcp::seq::Seq;

    fn queue() -> RetransmissionQueue {
        let mut queue = RetransmissionQueue::default();
        for piece in 0..5 {
            queue.push(
                Seq(100 * piece),
                Seq(100 * piece + 100),
                Instant::from_nanos(piece.into()),
            );
        }
        queue
    }

    #[test]
    fn rfc6675_4_pipe_leaves_out_what_is_sacked_or_lost() {
        let mut queue = queue();
        assert_eq!(queue.pipe(Seq(0), Seq(500)), 500);
        assert_eq!(queue.sack(Seq(200), Seq(350), |_| ()), 100);
        assert_eq!(queue.sack(Seq(200), Seq(400), |_| ()), 100);
        assert_eq!((queue.sacked(), queue.sacked_pieces()), (200, 2));
        assert_eq!(queue.mark_lost(|piece| Some(piece.start.lt(Seq(200)))), 200);
        assert_eq!(queue.pipe(Seq(0), Seq(500)), 100);
        let (index, piece) = queue.next_lost(1000, Seq(500)).unwrap();
        assert_eq!((index, piece.start), (0, Seq(0)));
        queue.retransmitted(index, Instant::from_nanos(9));
        assert_eq!(queue.pipe(Seq(0), Seq(500)), 200);
        assert_eq!(queue.next_lost(1000, Seq(500)).unwrap().1.start, Seq(100));
        assert_eq!(queue.acknowledge(Seq(400), |_| ()), 200);
        assert_eq!(
            (queue.pipe(Seq(400), Seq(500)), queue.sacked(), queue.lost()),
            (100, 0, 0)
        );
    }

    #[test]
    fn a_partial_acknowledgement_leaves_the_rest() {
        let mut queue = queue();
        queue.mark_lost(|_| Some(true));
        assert_eq!(queue.acknowledge(Seq(150), |_| ()), 150);
        assert_eq!(
            (queue.lost(), queue.first().unwrap().start),
            (350, Seq(150))
        );
    }

    #[test]
    fn lost_pieces_are_cut_to_the_maximum_segment() {
        let mut queue = queue();
        queue.mark_lost(|_| Some(true));
        let mut starts = Vec::new();
        while let Some((index, piece)) = queue.next_lost(60, Seq(500)) {
            assert!(piece.len() <= 60);
            starts.push(piece.start.0);
            queue.retransmitted(index, Instant::from_nanos(9));
        }
        assert_eq!(starts, [0, 60, 100, 160, 200, 260, 300, 360, 400, 460]);
        assert_eq!((queue.lost(), queue.pipe(Seq(0), Seq(500))), (0, 500));
    }

    #[test]
    fn a_fin_needs_no_room_in_the_segment() {
        let mut queue = RetransmissionQueue::default();
        queue.push(Seq(0), Seq(101), Instant::from_nanos(0));
        queue.mark_lost(|_| Some(true));
        assert_eq!(queue.next_lost(100, Seq(100)).unwrap().1.end, Seq(101));
        assert_eq!(queue.next_lost(99, Seq(100)).unwrap().1.end, Seq(99));
    }
}
