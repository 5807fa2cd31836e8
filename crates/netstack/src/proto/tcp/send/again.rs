//! What a recovery has sent again, until duplicate SACKs tell that the peer had it (RFC 3708): of a
//! recovery of which that is all, nothing was lost.
//!
//! A peer that lies is sent to as if nothing was ever lost. So is one that acknowledges what it has not got, or
//! echoes older timestamps than it has: to trust a receiver's word is what all congestion control by senders does.

use super::loss::{Loss, Recovery};
use crate::proto::tcp::wire::seq::Seq;

/// So many pieces are remembered: of a recovery that has sent more again, nothing is concluded.
const MOST: usize = 64;
/// Recoveries that timestamps undo in a round trip, at most. Each goes through all that is in flight, and so may
/// finding the same losses again.
const UNDONE: u8 = 8;

/// Pieces that were sent again and that no duplicate SACK has told of.
#[derive(Debug)]
pub(super) struct Again {
    pieces: Vec<(Seq, Seq)>,
    /// Something was sent again in this recovery.
    any: bool,
    /// The window that this recovery has reduced may be restored.
    undoable: bool,
    /// There were more than fit.
    more: bool,
    /// After the recovery: nothing is concluded any more when this is acknowledged.
    until: Seq,
    /// Until this number is acknowledged, timestamps have undone so many recoveries.
    round: Seq,
    undone: u8,
}

impl Again {
    pub(super) const INITIAL: Self = Self {
        pieces: Vec::new(),
        any: false,
        undoable: false,
        more: false,
        until: Seq(0),
        round: Seq(0),
        undone: 0,
    };

    /// Octets of what it owns.
    pub(super) fn held(&self) -> usize {
        self.pieces.capacity() * size_of::<(Seq, Seq)>()
    }

    /// Another recovery begins at `una`. What an earlier one has sent again and is in flight may be
    /// duplicated as well: it has to be told of, too.
    pub(super) fn begin(&mut self, una: Seq) {
        self.pieces.retain(|piece| piece.1.gt(una));
        (self.any, self.undoable) = (false, true);
        self.more &= !self.pieces.is_empty();
    }

    /// Whether nothing is left to be told of.
    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether it says something of what comes after a recovery.
    pub(super) fn is_kept(&self) -> bool {
        !self.is_empty() || self.undone > 0
    }

    /// The recovery has ended: something may be told of until `until` is acknowledged.
    pub(super) fn end(&mut self, until: Seq) {
        self.until = until;
    }

    fn push(&mut self, start: Seq, end: Seq) {
        self.any = true;
        if self.pieces.len() < MOST {
            self.pieces.push((start, end));
        } else {
            self.more = true;
        }
    }

    /// Takes out what lies within a block, each number once; returns whether there was something.
    fn take(&mut self, (start, end): (Seq, Seq)) -> bool {
        let mut from = start;
        let before = self.pieces.len();
        self.pieces.retain(|piece| {
            let told = piece.0.ge(from) && piece.1.le(end);
            if told {
                from = piece.1;
            }
            !told
        });
        self.pieces.len() < before
    }
}

impl Loss {
    /// Timestamps tell that the recovery was not needed: whether it is undone.
    pub(super) fn may_undo(&mut self, una: Seq, nxt: Seq) -> bool {
        let again = &mut self.episode.again;
        if again.undone == 0 || una.ge(again.round) {
            (again.round, again.undone) = (nxt, 0);
        }
        again.undone = again.undone.saturating_add(1);
        again.undone <= UNDONE
    }

    /// A piece was sent again in a recovery.
    pub(super) fn note_again(&mut self, start: Seq, end: Seq) {
        if self.recovery != Recovery::Open {
            self.episode.again.push(start, end);
        }
    }

    /// RFC 8985 §6.2 step 4: a duplicate SACK arrived. If it tells of what a recovery has sent again, the
    /// reordering window was too small.
    pub(super) fn dsack(&mut self, block: (Seq, Seq), una: Seq, nxt: Seq) {
        if let Some(episode) = self.episode.allocated()
            && episode.again.take(block)
        {
            self.widen(una, nxt);
        }
    }

    /// Whether nothing of what the last recovery has sent again was needed.
    pub(super) fn was_spurious(&self) -> bool {
        let again = self.episode.get_allocated().map(|episode| &episode.again);
        again.is_some_and(|again| again.any && again.undoable && !again.more && again.is_empty())
    }

    /// Whether the last recovery has reduced what may be restored.
    pub(super) fn is_undoable(&self) -> bool {
        let episode = self.episode.get_allocated();
        episode.is_some_and(|episode| episode.again.undoable)
    }

    /// What the last recovery, if any, has reduced stays so, or is restored already.
    pub(super) fn settle(&mut self) {
        if let Some(episode) = self.episode.allocated() {
            episode.again.undoable = false;
        }
    }

    /// Forgets what was sent again in a recovery that is over.
    pub(super) fn forget_again(&mut self) {
        if self.recovery == Recovery::Open {
            self.episode = Default::default();
        }
    }

    /// SND.UNA has reached this number: of a recovery long ago nothing is concluded.
    #[inline]
    pub(super) fn expire_again(&mut self, una: Seq) {
        let over = self.episode.get_allocated();
        if over.is_some_and(|episode| una.ge(episode.again.until)) {
            self.forget_again();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Again, MOST};
    use crate::proto::tcp::wire::seq::Seq;

    #[test]
    fn rfc3708_3_each_time_that_a_piece_was_sent_again_is_told_of_once() {
        let mut again = Again::INITIAL;
        for start in [0, 100, 100, 200] {
            again.push(Seq(start), Seq(start + 100));
        }
        // A part, and what was never sent again.
        assert!(!again.take((Seq(0), Seq(99))) && !again.take((Seq(300), Seq(400))));
        assert!(again.take((Seq(0), Seq(200))));
        assert_eq!(again.pieces, [(Seq(100), Seq(200)), (Seq(200), Seq(300))]);
        assert!(again.take((Seq(100), Seq(300))));
        assert!(again.is_empty());
    }

    #[test]
    fn rfc3708_3_of_more_than_is_remembered_nothing_is_concluded() {
        let mut again = Again::INITIAL;
        for start in 0..=MOST as u32 {
            again.push(Seq(start), Seq(start + 1));
        }
        assert_eq!((again.pieces.len(), again.more), (MOST, true));
        again.begin(Seq(1));
        assert_eq!((again.pieces.len(), again.more), (MOST - 1, true));
        again.begin(Seq(MOST as u32));
        assert!(again.is_empty() && !again.more);
    }
}
