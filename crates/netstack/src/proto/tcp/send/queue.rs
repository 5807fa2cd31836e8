//! Octets that the user has sent, from SND.UNA to the last one queued.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use crate::proto::checksum::Sum;
use crate::proto::tcp::on_demand::{KEPT_CAPACITY, OnDemand, Part, Spares};
use crate::proto::tcp::pinned;
use crate::proto::tcp::wire::seq::Seq;

/// Capacities of the chunks that copied octets go to.
const SIZES: [usize; 3] = [2 << 10, 16 << 10, 32 << 10];
const SMALL: usize = SIZES[0];
/// Octets that are copied rather than shared, at most.
const SHORT: usize = SMALL / 2;
/// Chunks of each capacity that a pool keeps, at most.
const POOLED: usize = 64;
/// A queue that is such a part of its first chunk, or less, is moved to a smaller one.
const SPARSE: usize = 16;

/// Chunks to be used again, for all connections of an engine: why sending does not allocate in
/// steady state although an idle connection holds no chunk.
#[derive(Debug)]
pub(crate) struct ChunkPool {
    /// By size.
    chunks: [Vec<Vec<u8>>; SIZES.len()],
    /// How many of each it keeps, at most.
    kept: [usize; SIZES.len()],
    /// Octets of the memory that the chunks and their lists take.
    held: usize,
    lists: Spares<Chunks>,
}

impl ChunkPool {
    /// For a stack that may hold so many octets.
    pub(crate) fn new(memory: usize) -> Self {
        let kept = SIZES.map(|size| POOLED.min(memory / 8 / size));
        Self {
            chunks: Default::default(),
            kept,
            held: 0,
            lists: Spares::new(kept[0]),
        }
    }

    /// Octets of the memory that the pool takes, at most.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held + self.lists.held()
    }

    /// Frees all that it keeps.
    pub(crate) fn clear(&mut self) {
        self.held = 0;
        self.chunks = Default::default();
        self.lists.clear();
    }

    /// A chunk for `octets`, or a part of them.
    fn take(&mut self, octets: usize) -> Vec<u8> {
        let class = class(octets);
        match self.chunks[class].pop() {
            Some(chunk) => {
                self.held -= SIZES[class];
                chunk
            }
            None => Vec::with_capacity(SIZES[class]),
        }
    }

    fn give(&mut self, mut chunk: Vec<u8>) {
        let class = class(chunk.capacity());
        let chunks = &mut self.chunks[class];
        if chunks.len() < self.kept[class] {
            chunk.clear();
            let list = chunks.capacity();
            chunks.push(chunk);
            self.held += SIZES[class] + (chunks.capacity() - list) * size_of::<Vec<u8>>();
        }
    }
}

/// The index of the size for so many octets.
#[inline]
fn class(octets: usize) -> usize {
    usize::from(octets > SIZES[0]) + usize::from(octets > SIZES[1])
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
    /// Octets of the memory that it takes: of what the user has given all, until the last is gone, and as
    /// if it were part of a received frame.
    held: u32,
    octets: Octets,
}

impl Chunk {
    fn new(start: Seq, octets: Octets) -> Self {
        let held = match &octets {
            Octets::Copied(copy) => copy.capacity(),
            Octets::Shared(shared) => pinned::by_chunk(shared.len()),
        };
        Self {
            start,
            held: held as u32,
            octets,
        }
    }

    #[inline]
    fn end(&self) -> Seq {
        self.start + self.octets.as_slice().len() as u32
    }
}

/// The send buffer of a connection.
#[derive(Debug)]
pub(crate) struct SendQueue {
    chunks: OnDemand<Chunks>,
    /// Sequence number of the first octet that is not acknowledged.
    start: Seq,
    end: Seq,
    /// Octets that the chunks take, and their list.
    held: u32,
    list: u32,
    /// The chunk last read from: the next read nearly always starts there or in the one after.
    hint: u32,
}

type Chunks = VecDeque<Chunk>;

/// Octets of the memory that a list of chunks takes.
fn list_octets(chunks: &Chunks) -> u32 {
    (size_of::<Chunks>() + chunks.capacity() * size_of::<Chunk>()) as u32
}

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

    #[inline]
    fn kept(&self) -> usize {
        self.capacity() * size_of::<Chunk>()
    }
}

impl SendQueue {
    /// An empty queue whose first octet will have number `start`.
    pub(crate) fn new(start: Seq) -> Self {
        Self {
            chunks: OnDemand::default(),
            start,
            end: start,
            held: 0,
            list: 0,
            hint: 0,
        }
    }

    /// Octets in the queue.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Octets of the memory that the queue takes.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        (self.held + self.list) as usize
    }

    /// The number after the last octet.
    #[inline]
    pub(crate) fn end(&self) -> Seq {
        self.end
    }

    /// Appends a copy of `data`.
    #[inline]
    pub(crate) fn push_copy(&mut self, data: &[u8], pool: &mut ChunkPool) {
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
                // The more waits, the larger: what is unused is in proportion to what is used.
                let wanted = data.len().max(4 * (self.end - self.start) as usize);
                let chunk = Chunk::new(self.end, Octets::Copied(pool.take(wanted)));
                self.held += chunk.held;
                chunks.push_back(chunk);
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
        self.list = list_octets(chunks);
    }

    /// Appends `data` itself; or a copy if it is so short that it may be a small part of what it would
    /// keep from being freed.
    pub(crate) fn push_shared(&mut self, data: Bytes, pool: &mut ChunkPool) {
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
        let chunk = Chunk::new(start, octets);
        self.held += chunk.held;
        chunks.push_back(chunk);
        self.list = list_octets(chunks);
    }

    /// Drops what is before `una`.
    #[inline]
    pub(crate) fn acknowledge(&mut self, una: Seq, pool: &mut ChunkPool) {
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
                if chunk.held as usize > SMALL
                    && (self.end - una) as usize * SPARSE <= chunk.held as usize
                {
                    self.move_first(pool);
                }
                return;
            }
            self.hint = self.hint.saturating_sub(1);
            if let Some(chunk) = chunks.pop_front() {
                self.held -= chunk.held;
                if let Octets::Copied(octets) = chunk.octets {
                    pool.give(octets);
                }
            }
        }
        self.chunks.give_back(&mut pool.lists);
        self.list = 0;
    }

    /// Little is left of a large chunk and in the queue: moves it to one of its size.
    #[cold]
    fn move_first(&mut self, pool: &mut ChunkPool) {
        let Some(first) = self
            .chunks
            .allocated()
            .and_then(|chunks| chunks.front_mut())
        else {
            return;
        };
        let start = first.start.max(self.start);
        let left = &first.octets.as_slice()[(start - first.start) as usize..];
        let mut octets = pool.take(left.len());
        octets.extend_from_slice(left);
        let moved = Chunk::new(start, Octets::Copied(octets));
        self.held = self.held - first.held + moved.held;
        if let Octets::Copied(octets) = core::mem::replace(first, moved).octets {
            pool.give(octets);
        }
    }

    /// Copies the octets from `from` on to `to`, which they fill, and adds them to `sum`.
    // Never: the sum's loop is inlined here, which saves more than this call costs.
    #[inline(never)]
    pub(crate) fn copy(&mut self, from: Seq, to: &mut [u8], sum: Sum) -> Sum {
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

    /// The octets from `from` on that lie in one piece; none if it is the end of the queue.
    pub(super) fn ahead(&mut self, from: Seq) -> &[u8] {
        match self.seek(from) {
            Some(chunk) => &chunk.octets.as_slice()[(from - chunk.start) as usize..],
            None => &[],
        }
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
    pub(crate) fn clear(&mut self, pool: &mut ChunkPool) {
        self.acknowledge(self.end, pool);
    }
}

#[cfg(test)]
mod tests;
