//! The pages that are kept, and which of their blocks are of what kind.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::Geometry;

/// What a page should have at least.
const PAGE: usize = 4096;

/// Some blocks that follow each other on the device. A bit stands for one of them, the lowest for the
/// first.
struct Page {
    number: u64,
    /// Those whose content is here.
    valid: u64,
    /// Those that the device does not have yet; all of them are valid.
    dirty: u64,
    /// Used since the hand came by.
    used: bool,
    bytes: Box<[u8]>,
}

pub(super) struct Pages {
    block_size: usize,
    page_size: usize,
    capacity: u64,
    most: usize,
    pages: Vec<Page>,
    /// Where the page of a number is.
    by_number: BTreeMap<u64, usize>,
    dirty_blocks: usize,
    hand: usize,
}

impl Pages {
    /// As many as `bytes` have, at least one.
    pub(super) fn new(geometry: Geometry, bytes: usize) -> Self {
        let block_size = geometry.block_size();
        let page_size = block_size * (PAGE / block_size).clamp(1, 64);
        Self {
            block_size,
            page_size,
            capacity: geometry.capacity(),
            most: (bytes / page_size).max(1),
            pages: Vec::new(),
            by_number: BTreeMap::new(),
            dirty_blocks: 0,
            hand: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.pages.len() * self.page_size
    }

    /// Bytes of as many pages as there may be.
    pub(super) fn most_bytes(&self) -> usize {
        self.most.saturating_mul(self.page_size)
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }

    pub(super) fn dirty_blocks(&self) -> usize {
        self.dirty_blocks
    }

    /// Bytes from `at` to the end of its page.
    pub(super) fn left(&self, at: u64) -> usize {
        self.page_size - self.within(at)
    }

    /// Bytes from the start of its page to `at`.
    fn within(&self, at: u64) -> usize {
        // Less than a page, whose size is a usize and a power of two.
        (at & (self.page_size as u64 - 1)) as usize
    }

    fn number(&self, at: u64) -> u64 {
        at / self.page_size as u64
    }

    /// The bits of `len` bytes at `at`, which lie in one page.
    fn bits(&self, at: u64, len: usize) -> u64 {
        let first = self.within(at) / self.block_size;
        let count = len / self.block_size;
        (u64::MAX >> (64 - count)) << first
    }

    /// Where the page of `at` is.
    pub(super) fn find(&self, at: u64) -> Option<usize> {
        self.by_number.get(&self.number(at)).copied()
    }

    /// How many of `most` bytes from `at` on are alike, to the end of the page at most, and where
    /// they are if they are here.
    pub(super) fn extent(&self, at: u64, most: usize) -> (Option<usize>, usize) {
        let most = most.min(self.left(at));
        let Some(slot) = self.find(at) else {
            return (None, most);
        };
        let valid = self.pages[slot].valid >> (self.within(at) / self.block_size);
        let (here, count) = if valid & 1 == 1 {
            (Some(slot), valid.trailing_ones())
        } else {
            (None, valid.trailing_zeros())
        };
        (here, most.min(count as usize * self.block_size))
    }

    /// How many of `most` bytes from `at` on, which end on the device, are not here up to the first
    /// that is.
    pub(super) fn missing(&self, at: u64, most: usize) -> usize {
        let mut missing = 0;
        while missing < most {
            let (here, len) = self.extent(at + missing as u64, most - missing);
            if here.is_some() {
                break;
            }
            missing += len;
        }
        missing
    }

    /// Reads what is here.
    pub(super) fn get(&mut self, slot: usize, at: u64, target: &mut [u8]) {
        let start = self.within(at);
        let page = &mut self.pages[slot];
        page.used = true;
        target.copy_from_slice(&page.bytes[start..start + target.len()]);
    }

    /// Puts blocks into the page at `slot`, which is theirs: as they are on the device, or dirty.
    pub(super) fn put(&mut self, slot: usize, at: u64, blocks: &[u8], dirty: bool) {
        let bits = self.bits(at, blocks.len());
        let start = self.within(at);
        let page = &mut self.pages[slot];
        page.used = true;
        page.bytes[start..start + blocks.len()].copy_from_slice(blocks);
        page.valid |= bits;
        let before = page.dirty.count_ones();
        page.dirty = if dirty {
            page.dirty | bits
        } else {
            page.dirty & !bits
        };
        self.dirty_blocks = self.dirty_blocks + page.dirty.count_ones() as usize - before as usize;
    }

    /// Blocks have been written to the device: those that are here become the same.
    pub(super) fn update(&mut self, offset: u64, blocks: &[u8]) {
        for (slot, range) in self.overlapping(offset, blocks.len() as u64) {
            let start = (range.start - offset) as usize;
            let end = (range.end - offset) as usize;
            self.put(slot, range.start, &blocks[start..end], false);
        }
    }

    /// These blocks are no longer known, nor to be written.
    pub(super) fn forget(&mut self, offset: u64, len: u64) {
        for (slot, range) in self.overlapping(offset, len) {
            let bits = self.bits(range.start, (range.end - range.start) as usize);
            let page = &mut self.pages[slot];
            self.dirty_blocks -= (page.dirty & bits).count_ones() as usize;
            page.valid &= !bits;
            page.dirty &= !bits;
        }
    }

    /// These blocks are no longer known, unless they are dirty.
    pub(super) fn forget_clean(&mut self, offset: u64, len: u64) {
        for (slot, range) in self.overlapping(offset, len) {
            let bits = self.bits(range.start, (range.end - range.start) as usize);
            let page = &mut self.pages[slot];
            page.valid &= !bits | page.dirty;
        }
    }

    /// The pages that have any of these bytes, and which.
    fn overlapping(&self, offset: u64, len: u64) -> Vec<(usize, Range<u64>)> {
        let end = offset + len;
        let numbers = self.number(offset)..end.div_ceil(self.page_size as u64);
        let pages = self.by_number.range(numbers);
        let size = self.page_size as u64;
        let cut = |(number, slot): (&u64, &usize)| {
            let start = number * size;
            (
                *slot,
                start.max(offset)..start.saturating_add(size).min(end),
            )
        };
        pages.map(cut).collect()
    }

    /// A new page for `at`, if there is room for one.
    pub(super) fn grow(&mut self, at: u64) -> Option<usize> {
        if self.pages.len() == self.most {
            return None;
        }
        let slot = self.pages.len();
        self.pages.push(Page {
            number: 0,
            valid: 0,
            dirty: 0,
            used: false,
            bytes: vec![0; self.page_size].into_boxed_slice(),
        });
        self.take(slot, at);
        Some(slot)
    }

    /// The hand goes on by one page: which it is, whether it was used since the last time, and
    /// whether it is dirty.
    pub(super) fn step(&mut self) -> (usize, bool, bool) {
        let slot = self.hand;
        self.hand = (self.hand + 1) % self.pages.len();
        let page = &mut self.pages[slot];
        let used = core::mem::take(&mut page.used);
        (slot, used, page.dirty != 0)
    }

    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// The clean page at `slot` becomes that of `at`.
    pub(super) fn reuse(&mut self, slot: usize, at: u64) {
        debug_assert_eq!(self.pages[slot].dirty, 0);
        self.by_number.remove(&self.pages[slot].number);
        self.take(slot, at);
    }

    fn take(&mut self, slot: usize, at: u64) {
        let number = self.number(at);
        let page = &mut self.pages[slot];
        page.number = number;
        page.valid = 0;
        self.by_number.insert(number, slot);
    }

    /// The first dirty bytes at or behind `at`, with those that follow, `most` at most.
    pub(super) fn dirty_run(&self, at: u64, most: usize) -> Option<Range<u64>> {
        let size = self.page_size as u64;
        let mut run: Option<Range<u64>> = None;
        for (number, slot) in self.by_number.range(self.number(at)..) {
            let mut dirty = self.pages[*slot].dirty;
            if *number == self.number(at) {
                let before = self.within(at) / self.block_size;
                dirty = dirty >> before << before;
            }
            while dirty != 0 {
                let first = dirty.trailing_zeros();
                let count = (dirty >> first).trailing_ones();
                let start = number * size + u64::from(first) * self.block_size as u64;
                let end = start + u64::from(count) * self.block_size as u64;
                dirty &= !(u64::MAX >> (64 - count) << first);
                match &mut run {
                    None => run = Some(start..end),
                    Some(run) if run.end == start => run.end = end,
                    Some(_) => return cut(run, most),
                }
            }
            let enough = |run: &Range<u64>| {
                run.end - run.start >= most as u64 || run.end != (number + 1).saturating_mul(size)
            };
            if run.as_ref().is_some_and(enough) {
                break;
            }
        }
        cut(run, most)
    }

    /// Where the dirty bytes begin that end with the dirty block at `at`, `most` at most.
    pub(super) fn dirty_start(&self, at: u64, most: usize) -> u64 {
        let block_size = self.block_size as u64;
        let mut start = at;
        while let Some(before) = start.checked_sub(block_size) {
            let bits = self.bits(before, self.block_size);
            let dirty = self
                .find(before)
                .is_some_and(|slot| self.pages[slot].dirty & bits != 0);
            if !dirty || at - before >= most as u64 {
                break;
            }
            start = before;
        }
        start
    }

    /// The first dirty byte of a page.
    pub(super) fn first_dirty(&self, slot: usize) -> Option<u64> {
        let page = &self.pages[slot];
        (page.dirty != 0).then(|| {
            let first = u64::from(page.dirty.trailing_zeros());
            page.number * self.page_size as u64 + first * self.block_size as u64
        })
    }

    /// The bytes of a run, if they lie in one page.
    pub(super) fn slice(&self, run: &Range<u64>) -> Option<&[u8]> {
        let len = usize::try_from(run.end - run.start).ok()?;
        let slot = self.find(run.start)?;
        let start = self.within(run.start);
        self.pages[slot].bytes.get(start..start + len)
    }

    /// Copies a run, all of which is here, to the end of `target`.
    pub(super) fn gather(&self, run: &Range<u64>, target: &mut Vec<u8>) {
        for (slot, range) in self.overlapping(run.start, run.end - run.start) {
            let start = self.within(range.start);
            let len = (range.end - range.start) as usize;
            target.extend_from_slice(&self.pages[slot].bytes[start..start + len]);
        }
    }

    /// The device has these blocks now.
    pub(super) fn clean(&mut self, run: &Range<u64>) {
        for (slot, range) in self.overlapping(run.start, run.end - run.start) {
            let bits = self.bits(range.start, (range.end - range.start) as usize);
            let page = &mut self.pages[slot];
            self.dirty_blocks -= (page.dirty & bits).count_ones() as usize;
            page.dirty &= !bits;
        }
    }

    /// Bytes from `at` to the end of the device, `most` at most.
    pub(super) fn to_end(&self, at: u64, most: usize) -> usize {
        let left = self.capacity.saturating_sub(at);
        usize::try_from(left).map_or(most, |left| left.min(most))
    }
}

/// The first `most` bytes of a run.
fn cut(run: Option<Range<u64>>, most: usize) -> Option<Range<u64>> {
    run.map(|run| run.start..run.end.min(run.start.saturating_add(most as u64)))
}
