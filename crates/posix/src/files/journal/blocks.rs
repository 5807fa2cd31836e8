//! Which blocks of the disk are in use.

use libc::ENOMEM;

use super::extents::Run;
use crate::error::{Errno, Result};

const BITS: u64 = u64::BITS as u64;

/// A bit for each block.
pub(super) struct Blocks {
    used: Vec<u64>,
    /// Blocks before it are not for files, and it is how many there are.
    first: u64,
    count: u64,
    free: u64,
    /// Where to look next.
    next: u64,
}

impl Blocks {
    /// Blocks from `first` to `count`, all free.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(first: u64, count: u64) -> Result<Self> {
        let words = usize::try_from(count.div_ceil(BITS)).map_err(|_| Errno(ENOMEM))?;
        let mut used = Vec::new();
        used.try_reserve_exact(words).map_err(|_| Errno(ENOMEM))?;
        used.resize(words, 0);
        Ok(Self {
            used,
            first,
            count,
            free: count - first,
            next: first,
        })
    }

    pub(super) fn free(&self) -> u64 {
        self.free
    }

    pub(super) fn all(&self) -> u64 {
        self.count - self.first
    }

    fn is_free(&self, block: u64) -> bool {
        let word = self.used[(block / BITS) as usize];
        (self.first..self.count).contains(&block) && word & 1 << (block % BITS) == 0
    }

    fn set(&mut self, run: Run, used: bool) {
        for block in run.disk..run.disk + run.count {
            let bit = 1 << (block % BITS);
            let word = &mut self.used[(block / BITS) as usize];
            *word = if used { *word | bit } else { *word & !bit };
        }
    }

    /// Says of blocks that a file has them; false if they are not for files, or another has one.
    pub(super) fn mark(&mut self, run: Run) -> bool {
        let end = run.disk.checked_add(run.count);
        let lies = run.disk >= self.first && end.is_some_and(|end| end <= self.count);
        if !lies || !(run.disk..run.disk + run.count).all(|block| self.is_free(block)) {
            return false;
        }
        self.set(run, true);
        self.free -= run.count;
        true
    }

    /// Takes blocks in a row, `most` at most, at `best` if that is free.
    pub(super) fn take(&mut self, best: Option<u64>, most: u64) -> Option<Run> {
        let best = best.filter(|block| *block < self.count && self.is_free(*block));
        let disk = best
            .or_else(|| self.find(self.next, self.count))
            .or_else(|| self.find(self.first, self.next))?;
        let end = disk.saturating_add(most).min(self.count);
        let count = (disk + 1..end).take_while(|block| self.is_free(*block));
        let run = Run {
            disk,
            count: 1 + count.count() as u64,
        };
        self.set(run, true);
        self.free -= run.count;
        self.next = run.disk + run.count;
        Some(run)
    }

    /// The first free block from one to another.
    fn find(&self, from: u64, to: u64) -> Option<u64> {
        let mut block = from;
        while block < to {
            if block.is_multiple_of(BITS) && self.used[(block / BITS) as usize] == u64::MAX {
                block += BITS;
            } else if self.is_free(block) {
                return Some(block);
            } else {
                block += 1;
            }
        }
        None
    }

    pub(super) fn give_back(&mut self, run: Run) {
        self.set(run, false);
        self.free += run.count;
    }
}
