//! Segments received out of order, and the SACK blocks that tell the sender of them (RFC 2018).

use core::iter;
use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};

use super::piece::Piece;
use super::timestamps::Window;
use crate::proto::tcp::wire::options::SackBlocks;
use crate::proto::tcp::wire::seq::{Seq, Start};

/// Octets without a gap between them.
#[derive(Debug)]
struct Range {
    /// The number after the last.
    end: Seq,
    /// Octets that the pieces keep from being freed.
    held: usize,
    pieces: VecDeque<Piece>,
}

/// Octets of a leaf of the tree, at most: eleven keys and values, and its links. What a range adds to
/// the tree is at most a fifth of that, and as much of the inner nodes: all but the root are
/// half full.
const LEAF: usize = 11 * (size_of::<Start>() + size_of::<Box<Range>>()) + 16;
const TREE_ENTRY: usize = (LEAF + (LEAF + 12 * size_of::<usize>()) / 5) / 5;

impl Range {
    fn new(end: Seq) -> Box<Self> {
        // Most ranges of a sender that leaves many gaps have one piece.
        Box::new(Self {
            end,
            held: 0,
            pieces: VecDeque::with_capacity(1),
        })
    }

    /// Octets of the memory that the range takes.
    fn held(&self) -> usize {
        self.held + size_of::<Self>() + self.pieces.capacity() * size_of::<Piece>()
    }

    /// Appends what follows the last octet: to a copy, if it is to be copied and the last piece is.
    fn push(&mut self, octets: Bytes, pinned: usize) {
        self.end += octets.len() as u32;
        self.push_piece(Piece::new(octets, pinned));
    }

    fn push_piece(&mut self, piece: Piece) {
        if let (Some(last), Piece::Copied(..)) = (self.pieces.back_mut(), &piece) {
            let before = last.held();
            if last.append(piece.as_slice()) {
                self.held += last.held() - before;
                return;
            }
        }
        self.held += piece.held();
        self.pieces.push_back(piece);
    }

    fn push_piece_front(&mut self, piece: Piece) {
        if let (Some(first), Piece::Copied(..)) = (self.pieces.front_mut(), &piece) {
            let before = first.held();
            if first.prepend(piece.as_slice()) {
                self.held += first.held() - before;
                return;
            }
        }
        self.held += piece.held();
        self.pieces.push_front(piece);
    }

    /// Appends the range that follows: the fewer pieces move to the more, so that a piece moves
    /// log n times at most.
    fn join(&mut self, mut following: Self) {
        self.end = following.end;
        if following.pieces.len() > self.pieces.len() {
            core::mem::swap(&mut self.pieces, &mut following.pieces);
            core::mem::swap(&mut self.held, &mut following.held);
            for piece in following.pieces.drain(..).rev() {
                self.push_piece_front(piece);
            }
        } else {
            for piece in following.pieces.drain(..) {
                self.push_piece(piece);
            }
        }
    }
}

/// Octets beyond RCV.NXT that have gaps before them.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    /// No two overlap or touch.
    ranges: BTreeMap<Start, Box<Range>>,
    len: usize,
    /// Octets that the ranges take.
    held: usize,
    /// Ranges received, the one with the latest segment first (RFC 2018 §4).
    recent: [(Seq, Seq); 4],
    recent_len: usize,
    /// Which timestamps are not outdated.
    pub(super) window: Window,
}

impl Reassembly {
    /// Nothing is out of order yet.
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            ..Self::default()
        }
    }

    /// Octets kept.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Octets of the memory that it takes. What the nodes of the tree take is their worst case.
    pub(crate) fn held(&self) -> usize {
        let tree = match self.ranges.len() {
            0 => 0,
            ranges => LEAF + ranges * TREE_ENTRY,
        };
        size_of::<Self>() + self.held + tree
    }

    /// Keeps what of `octets`, which came in a frame whose buffer has `pinned` octets, is new; returns
    /// how many octets that was. `None` if it would be one range more than `limit`.
    pub(crate) fn insert(
        &mut self,
        seq: Seq,
        octets: Bytes,
        pinned: usize,
        limit: usize,
    ) -> Option<usize> {
        if octets.is_empty() {
            return Some(0);
        }
        let home = self.home(seq, limit)?;
        let before = self.len;
        let end = self.fill(home, seq, octets, pinned);
        self.remember(home.0, end);
        Some(self.len - before)
    }

    /// The range that octets from `seq` on belong to: one that ends at or after it, or a new one.
    fn home(&mut self, seq: Seq, limit: usize) -> Option<Start> {
        // Nearly always the segment follows the last one.
        if let Some((start, last)) = self.ranges.last_key_value()
            && last.end == seq
        {
            return Some(*start);
        }
        let before = self.ranges.range(..=Start(seq)).next_back();
        if let Some((start, range)) = before
            && range.end.ge(seq)
        {
            return Some(*start);
        }
        if self.ranges.len() >= limit {
            return None;
        }
        let range = Range::new(seq);
        self.held += range.held();
        self.ranges.insert(Start(seq), range);
        Some(Start(seq))
    }

    /// Adds to the range `home` what it and those that follow do not have, and joins it with those
    /// that it then touches; returns its end. All but one of these are gone afterwards, so the
    /// loop's effort was paid for by their insertion.
    fn fill(&mut self, home: Start, mut seq: Seq, mut octets: Bytes, pinned: usize) -> Seq {
        let stop = seq + octets.len() as u32;
        loop {
            let following = self
                .ranges
                .range(Start(home.0 + 1)..)
                .next()
                .map(|(start, _)| *start)
                .filter(|start| start.0.le(stop));
            let Some(range) = self.ranges.get_mut(&home) else {
                return stop;
            };
            self.held -= range.held();
            let known = (range.end.since(seq) as usize).min(octets.len());
            octets.advance(known);
            seq += known as u32;
            let gap = following.map_or(octets.len(), |start| start.0.since(seq) as usize);
            if gap > 0 {
                range.push(octets.split_to(gap), pinned);
                seq += gap as u32;
                self.len += gap;
            }
            self.held += range.held();
            let Some(following) = following.and_then(|start| self.ranges.remove(&start)) else {
                return self.ranges.get(&home).map_or(stop, |range| range.end);
            };
            if let Some(range) = self.ranges.get_mut(&home) {
                self.held -= range.held() + following.held();
                range.join(*following);
                self.held += range.held();
            }
        }
    }

    /// Takes the pieces of the range that begins at or before `rcv_nxt`, without what is before it.
    pub(crate) fn take(&mut self, rcv_nxt: Seq) -> Option<impl Iterator<Item = Piece> + use<>> {
        let first = self.ranges.first_entry()?;
        if first.key().0.gt(rcv_nxt) {
            return None;
        }
        let (start, mut range) = first.remove_entry();
        if self.ranges.is_empty() {
            // It keeps a node otherwise.
            self.ranges = BTreeMap::new();
        }
        self.len -= (range.end - start.0) as usize;
        self.held -= range.held();
        let mut passed = rcv_nxt.since(start.0) as usize;
        Some(iter::from_fn(move || {
            loop {
                let mut piece = range.pieces.pop_front()?;
                let known = passed.min(piece.len());
                passed -= known;
                if known < piece.len() {
                    piece.advance(known);
                    return Some(piece);
                }
            }
        }))
    }

    /// Drops the pieces with the highest numbers until at most `limit` octets are kept, and
    /// forgets what was said of them: RFC 2018 §8 permits to renege. Returns how many it dropped.
    pub(crate) fn prune(&mut self, limit: usize) -> usize {
        let before = self.len;
        while self.len > limit
            && let Some(mut last) = self.ranges.last_entry()
        {
            let range = last.get_mut();
            self.held -= range.held();
            if let Some(piece) = range.pieces.pop_back() {
                range.held -= piece.held();
                range.end = range.end - piece.len() as u32;
                self.len -= piece.len();
            }
            if range.pieces.is_empty() {
                last.remove();
            } else {
                self.held += range.held();
            }
        }
        match self.ranges.last_key_value() {
            Some((_, last)) => {
                let end = last.end;
                for block in &mut self.recent[..self.recent_len] {
                    block.1 = block.1.min(end);
                }
                self.forget(|(start, end)| start.ge(end));
            }
            None => {
                self.ranges = BTreeMap::new();
                self.recent_len = 0;
            }
        }
        before - self.len
    }

    fn forget(&mut self, gone: impl Fn((Seq, Seq)) -> bool) {
        let mut kept = 0;
        for index in 0..self.recent_len {
            if !gone(self.recent[index]) {
                self.recent[kept] = self.recent[index];
                kept += 1;
            }
        }
        self.recent_len = kept;
    }

    /// Notes that the latest segment belongs to a range: what was said of its parts is old.
    fn remember(&mut self, start: Seq, stop: Seq) {
        self.forget(|block| start.le(block.0) && block.1.le(stop));
        let kept = self.recent_len.min(self.recent.len() - 1);
        self.recent.copy_within(..kept, 1);
        self.recent[0] = (start, stop);
        self.recent_len = kept + 1;
    }

    /// The blocks to report, at most `max`, without what RCV.NXT has passed.
    pub(crate) fn sack_blocks(&self, rcv_nxt: Seq, max: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        for block in self.recent[..self.recent_len]
            .iter()
            .filter(|block| block.0.gt(rcv_nxt))
            .take(max)
        {
            blocks.push(*block);
        }
        blocks
    }

    /// RCV.NXT has advanced: forgets blocks that it has passed.
    pub(crate) fn advance(&mut self, rcv_nxt: Seq) {
        self.forget(|(_, stop)| stop.le(rcv_nxt));
    }
}

#[cfg(test)]
mod tests;
