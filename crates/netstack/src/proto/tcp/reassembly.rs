//! Segments received out of order, and the SACK blocks that tell the sender of them (RFC 2018).

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::options::SackBlocks;
use super::seq::Seq;

/// Octets from RCV.NXT on that have gaps before them.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// Ordered by sequence number, without overlap.
    slices: VecDeque<(Seq, Bytes)>,
    len: usize,
    /// Ranges received, the one with the latest segment first (RFC 2018 §4).
    recent: [(Seq, Seq); 4],
    recent_len: usize,
}

fn end((start, octets): &(Seq, Bytes)) -> Seq {
    *start + octets.len() as u32
}

impl Reassembly {
    /// Octets kept.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Slices kept.
    pub(super) fn slices(&self) -> usize {
        self.slices.len()
    }

    /// Keeps what of `octets` is new and returns how many octets that was.
    pub(super) fn insert(&mut self, mut seq: Seq, mut octets: Bytes) -> usize {
        self.remember(seq, seq + octets.len() as u32);
        // Nearly always the segment is after all others.
        let mut at = match self.slices.back() {
            Some(last) if last.0.gt(seq) => self.slices.partition_point(|(start, _)| start.le(seq)),
            _ => self.slices.len(),
        };
        if let Some(before) = at.checked_sub(1).and_then(|index| self.slices.get(index)) {
            let overlap = (end(before).since(seq) as usize).min(octets.len());
            octets.advance(overlap);
            seq += overlap as u32;
        }
        let mut added = 0;
        // Between the slices that there are: bounded by their number.
        while !octets.is_empty() {
            let gap = match self.slices.get(at) {
                Some((start, _)) => (start.since(seq) as usize).min(octets.len()),
                None => octets.len(),
            };
            if gap > 0 {
                self.slices.insert(at, (seq, octets.split_to(gap)));
                added += gap;
                seq += gap as u32;
                at += 1;
            }
            let covered = self
                .slices
                .get(at)
                .map_or(0, |slice| end(slice).since(seq) as usize)
                .min(octets.len());
            octets.advance(covered);
            seq += covered as u32;
            at += 1;
        }
        self.len += added;
        added
    }

    /// Whether all octets of a range are kept already.
    pub(super) fn contains(&self, start: Seq, stop: Seq) -> bool {
        let mut at = start;
        let first = self.slices.partition_point(|slice| end(slice).le(start));
        for slice in self.slices.range(first..) {
            if slice.0.gt(at) {
                return false;
            }
            at = end(slice);
            if at.ge(stop) {
                return true;
            }
        }
        false
    }

    /// Takes the slice that begins at or before `rcv_nxt`, without what is before it.
    #[inline]
    pub(super) fn pop(&mut self, rcv_nxt: Seq) -> Option<Bytes> {
        while let Some((start, _)) = self.slices.front() {
            if start.gt(rcv_nxt) {
                return None;
            }
            let (start, mut octets) = self.slices.pop_front()?;
            self.len -= octets.len();
            octets.advance((rcv_nxt.since(start) as usize).min(octets.len()));
            if !octets.is_empty() {
                return Some(octets);
            }
        }
        None
    }

    /// Drops the slices with the highest numbers until at most `limit` octets are kept, and
    /// forgets what was said of them: RFC 2018 §8 permits to renege. Returns how many it dropped.
    pub(super) fn prune(&mut self, limit: usize) -> usize {
        let before = self.len;
        while self.len > limit
            && let Some((start, octets)) = self.slices.pop_back()
        {
            self.len -= octets.len();
            for block in &mut self.recent[..self.recent_len] {
                block.1 = block.1.min(start);
            }
        }
        self.forget(|(start, end)| start.ge(end));
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

    /// Notes that a range was received; joins it with those that it touches.
    fn remember(&mut self, mut start: Seq, mut stop: Seq) {
        let mut kept = 0;
        for index in 0..self.recent_len {
            let block = self.recent[index];
            if block.0.le(stop) && start.le(block.1) {
                start = start.min(block.0);
                stop = stop.max(block.1);
            } else {
                self.recent[kept] = block;
                kept += 1;
            }
        }
        kept = kept.min(self.recent.len() - 1);
        self.recent.copy_within(..kept, 1);
        self.recent[0] = (start, stop);
        self.recent_len = kept + 1;
    }

    /// The blocks to report, at most `max`, without what RCV.NXT has passed.
    pub(super) fn sack_blocks(&self, rcv_nxt: Seq, max: usize) -> SackBlocks {
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
    pub(super) fn advance(&mut self, rcv_nxt: Seq) {
        self.forget(|(_, stop)| stop.le(rcv_nxt));
    }
}

#[cfg(test)]
mod tests;
