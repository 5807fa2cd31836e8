//! Octets that the user has sent, from SND.UNA to the last one queued.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::on_demand::{KEPT_CAPACITY, OnDemand, Part, Spares};
use super::seq::Seq;
use crate::proto::checksum::Sum;

/// Capacities of the chunks that copied octets go to.
const SMALL: usize = 2 << 10;
const LARGE: usize = 32 << 10;
/// Octets that are copied rather than shared, at most.
const SHORT: usize = SMALL / 2;
/// Chunks of each capacity that a pool keeps, at most.
const POOLED: usize = 64;

/// Chunks to be used again, for all connections of an engine: why sending does not allocate in
/// steady state although an idle connection holds no chunk.
#[derive(Debug)]
pub(super) struct ChunkPool {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    lists: Spares<Chunks>,
    /// How many it keeps of either, at most.
    small_kept: usize,
    large_kept: usize,
}

impl ChunkPool {
    /// For a stack that may hold so many octets.
    pub(super) fn new(memory: usize) -> Self {
        Self {
            small: Vec::new(),
            large: Vec::new(),
            lists: Spares::new(POOLED.min(memory / 8 / SMALL)),
            small_kept: POOLED.min(memory / 8 / SMALL),
            large_kept: POOLED.min(memory / 8 / LARGE),
        }
    }

    fn take(&mut self, octets: usize) -> Vec<u8> {
        let (pool, capacity) = if octets <= SMALL {
            (&mut self.small, SMALL)
        } else {
            (&mut self.large, LARGE)
        };
        pool.pop().unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    fn give(&mut self, mut chunk: Vec<u8>) {
        let (pool, kept) = if chunk.capacity() <= SMALL {
            (&mut self.small, self.small_kept)
        } else {
            (&mut self.large, self.large_kept)
        };
        if pool.len() < kept {
            chunk.clear();
            pool.push(chunk);
        }
    }
}

#[derive(Debug)]
enum Octets {
    /// Copied from the user; grows up to its capacity.
    Copied(Vec<u8>),
    /// Given by the user.
    Shared(Bytes),
}

impl Octets {
    #[inline]
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Copied(octets) => octets,
            Self::Shared(octets) => octets,
        }
    }
}

#[derive(Debug)]
struct Chunk {
    /// Sequence number of the first octet.
    start: Seq,
    octets: Octets,
}

impl Chunk {
    #[inline]
    fn end(&self) -> Seq {
        self.start + self.octets.as_slice().len() as u32
    }
}

/// The send buffer of a connection.
#[derive(Debug)]
pub(super) struct SendQueue {
    chunks: OnDemand<Chunks>,
    /// Sequence number of the first octet that is not acknowledged.
    start: Seq,
    end: Seq,
    /// The chunk last read from: the next read nearly always starts there or in the one after.
    hint: u32,
}

type Chunks = VecDeque<Chunk>;

impl Part for Chunks {
    const INITIAL: Self = Self::new();

    #[inline]
    fn initial() -> &'static Self {
        static INITIAL: Chunks = Chunks::INITIAL;
        &INITIAL
    }

    #[inline]
    fn renew(&mut self) -> bool {
        self.clear();
        self.capacity() <= KEPT_CAPACITY
    }
}

impl SendQueue {
    /// An empty queue whose first octet will have number `start`.
    pub(super) fn new(start: Seq) -> Self {
        Self {
            chunks: OnDemand::default(),
            start,
            end: start,
            hint: 0,
        }
    }

    /// Octets in the queue.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// The number after the last octet.
    #[inline]
    pub(super) fn end(&self) -> Seq {
        self.end
    }

    /// Appends a copy of `data`.
    #[inline]
    pub(super) fn push_copy(&mut self, data: &[u8], pool: &mut ChunkPool) {
        // Nearly always the last chunk has room for all.
        if !self.append(data) {
            self.push_pieces(data, pool);
        }
    }

    /// Appends a copy to the last chunk, if that has room for all.
    #[inline]
    fn append(&mut self, data: &[u8]) -> bool {
        if let Some(Chunk {
            octets: Octets::Copied(octets),
            ..
        }) = self.chunks.allocated().and_then(|chunks| chunks.back_mut())
            && octets.capacity() - octets.len() >= data.len()
        {
            octets.extend_from_slice(data);
            self.end += data.len() as u32;
            return true;
        }
        false
    }

    fn push_pieces(&mut self, mut data: &[u8], pool: &mut ChunkPool) {
        let chunks = self.chunks.prepare(&mut pool.lists);
        while !data.is_empty() {
            let room = match chunks.back() {
                Some(Chunk {
                    octets: Octets::Copied(octets),
                    ..
                }) => octets.capacity() - octets.len(),
                _ => 0,
            };
            if room == 0 {
                // What follows other data is part of a stream: a large chunk.
                let wanted = if chunks.is_empty() { data.len() } else { LARGE };
                chunks.push_back(Chunk {
                    start: self.end,
                    octets: Octets::Copied(pool.take(wanted)),
                });
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            if let Some(Chunk {
                octets: Octets::Copied(octets),
                ..
            }) = chunks.back_mut()
            {
                octets.extend_from_slice(now);
            }
            self.end += now.len() as u32;
            data = later;
        }
    }

    /// Appends `data` itself; or a copy if it is so short that it may be a small part of what it would
    /// keep from being freed.
    pub(super) fn push_shared(&mut self, data: Bytes, pool: &mut ChunkPool) {
        if data.is_empty() || data.len() <= SHORT && self.append(&data) {
            return;
        }
        let start = self.end;
        self.end += data.len() as u32;
        let octets = if data.len() <= SHORT {
            let mut copy = pool.take(data.len());
            copy.extend_from_slice(&data);
            Octets::Copied(copy)
        } else {
            Octets::Shared(data)
        };
        let chunks = self.chunks.prepare(&mut pool.lists);
        chunks.push_back(Chunk { start, octets });
    }

    /// Drops what is before `una`.
    #[inline]
    pub(super) fn acknowledge(&mut self, una: Seq, pool: &mut ChunkPool) {
        let una = una.min(self.end);
        if una.le(self.start) {
            return;
        }
        self.start = una;
        let Some(chunks) = self.chunks.allocated() else {
            return;
        };
        while let Some(chunk) = chunks.front_mut() {
            if chunk.end().gt(una) {
                if let Octets::Shared(octets) = &mut chunk.octets {
                    octets.advance(una.since(chunk.start) as usize);
                    chunk.start = una.max(chunk.start);
                }
                return;
            }
            let chunk = chunks.pop_front();
            self.hint = self.hint.saturating_sub(1);
            if let Some(Chunk {
                octets: Octets::Copied(octets),
                ..
            }) = chunk
            {
                pool.give(octets);
            }
        }
        self.chunks.give_back(&mut pool.lists);
    }

    /// Copies the octets from `from` on to `to`, which they fill, and adds them to `sum`.
    // Never: the sum's loop is inlined here, which saves more than this call costs.
    #[inline(never)]
    pub(super) fn copy(&mut self, from: Seq, to: &mut [u8], sum: Sum) -> Sum {
        if to.is_empty() {
            return sum;
        }
        let Some(chunk) = self.seek(from) else {
            return sum;
        };
        let octets = &chunk.octets.as_slice()[(from - chunk.start) as usize..];
        if octets.len() >= to.len() {
            return sum.add_copy(&octets[..to.len()], to);
        }
        self.copy_pieces(from, to);
        // The pieces may begin at odd offsets, at which sums cannot be added up.
        sum.add_slice(to)
    }

    /// Copies the octets from `from` on to `to`, which they fill.
    pub(super) fn copy_unsummed(&mut self, from: Seq, to: &mut [u8]) {
        self.seek(from);
        self.copy_pieces(from, to);
    }

    /// Moves the hint to the chunk that holds `at`, which is in the queue.
    #[inline(always)]
    fn seek(&mut self, at: Seq) -> Option<&Chunk> {
        let chunks = &*self.chunks;
        let hinted = chunks.get(self.hint as usize);
        if hinted.is_some_and(|chunk| chunk.start.le(at) && at.lt(chunk.end())) {
            return hinted;
        }
        let index = chunks.partition_point(|chunk| chunk.end().le(at));
        self.hint = index as u32;
        chunks.get(index)
    }

    fn copy_pieces(&self, mut from: Seq, mut to: &mut [u8]) {
        for chunk in self.chunks.range(self.hint as usize..) {
            let octets = &chunk.octets.as_slice()[(from - chunk.start) as usize..];
            let (now, later) = to.split_at_mut(octets.len().min(to.len()));
            now.copy_from_slice(&octets[..now.len()]);
            from += now.len() as u32;
            to = later;
            if to.is_empty() {
                break;
            }
        }
    }

    /// Gives all chunks back.
    pub(super) fn clear(&mut self, pool: &mut ChunkPool) {
        self.acknowledge(self.end, pool);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ChunkPool, LARGE, SHORT, SMALL, SendQueue};
    use crate::proto::checksum::Sum;
    use crate::proto::tcp::seq::Seq;

    #[test]
    fn copies_across_chunks_and_sums_what_it_copies() {
        let mut pool = ChunkPool::new(1 << 20);
        let mut queue = SendQueue::new(Seq(u32::MAX - 10));
        let mut model = Vec::new();
        for round in 0..60_u8 {
            let data: Vec<u8> = (0..=round)
                .map(|octet| octet.wrapping_mul(7) ^ round)
                .collect();
            model.extend_from_slice(&data);
            if round % 3 == 0 {
                queue.push_shared(Bytes::from(data), &mut pool);
            } else {
                queue.push_copy(&data, &mut pool);
            }
        }
        assert_eq!(queue.len(), model.len());
        for (at, length) in [(0, 5), (3, 700), (1, model.len() - 1), (100, 1), (999, 333)] {
            let mut to = vec![0; length];
            let sum = queue.copy(Seq(u32::MAX - 10) + at as u32, &mut to, Sum::default());
            assert_eq!(to, model[at..at + length]);
            assert_eq!(sum.finish(), Sum::default().add_slice(&to).finish());
        }
        queue.acknowledge(Seq(u32::MAX - 10) + 1000, &mut pool);
        assert_eq!(queue.len(), model.len() - 1000);
        let mut to = vec![0; 100];
        let _ = queue.copy(Seq(u32::MAX - 10) + 1001, &mut to, Sum::default());
        assert_eq!(to, model[1001..1101]);
    }

    #[test]
    fn short_pieces_are_copied_and_long_ones_are_not() {
        let mut pool = ChunkPool::new(1 << 20);
        let mut queue = SendQueue::new(Seq(0));
        let whole = Bytes::from(vec![7; 8 * SHORT]);
        for piece in 0..100 {
            queue.push_shared(whole.slice(piece..2 * piece), &mut pool);
        }
        assert_eq!(queue.chunks.len(), 3, "two of {SMALL} octets are full");
        assert!(whole.is_unique());
        queue.push_shared(whole.slice(..=SHORT), &mut pool);
        assert_eq!(queue.chunks.len(), 4);
        assert!(!whole.is_unique());
        queue.push_shared(whole.slice(..1), &mut pool);
        assert_eq!(queue.len(), 99 * 100 / 2 + SHORT + 1 + 1);
    }

    #[test]
    fn chunks_are_used_again() {
        let mut pool = ChunkPool::new(1 << 20);
        let mut queue = SendQueue::new(Seq(0));
        let data = vec![1; 3 * LARGE];
        queue.push_copy(&data, &mut pool);
        queue.acknowledge(queue.end(), &mut pool);
        assert_eq!((queue.len(), pool.large.len()), (0, 3));
        queue.push_copy(&data, &mut pool);
        assert_eq!(pool.large.len(), 0);
        queue.clear(&mut pool);
        assert_eq!(pool.large.len(), 3);
    }
}
