//! Where a file's blocks are on the disk.

use std::collections::BTreeMap;

/// Consecutive blocks of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) disk: u64,
    pub(super) count: u64,
}

/// What is at a block of a file, and at so many from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    At(Run),
    /// Nothing.
    Hole(u64),
}

/// Runs, by the block of the file that each begins with.
#[derive(Default)]
pub(super) struct Extents {
    runs: BTreeMap<u64, Run>,
    blocks: u64,
}

impl Extents {
    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Blocks of all runs.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, Run)> {
        self.runs.iter().map(|(first, run)| (*first, *run))
    }

    fn before(&self, block: u64) -> Option<(u64, Run)> {
        let (first, run) = self.runs.range(..=block).next_back()?;
        Some((*first, *run))
    }

    pub(super) fn find(&self, block: u64) -> Found {
        if let Some((first, run)) = self.before(block)
            && block - first < run.count
        {
            let skipped = block - first;
            return Found::At(Run {
                disk: run.disk + skipped,
                count: run.count - skipped,
            });
        }
        let next = self.runs.range(block..).next();
        Found::Hole(next.map_or(u64::MAX, |(first, _)| *first) - block)
    }

    /// Where on the disk a block had best be.
    pub(super) fn best(&self, block: u64) -> Option<u64> {
        let (first, run) = self.before(block)?;
        (first + run.count == block).then_some(run.disk + run.count)
    }

    /// Puts blocks where there is a hole.
    pub(super) fn insert(&mut self, mut first: u64, mut run: Run) {
        self.blocks += run.count;
        if let Some((before, other)) = self.before(first)
            && before + other.count == first
            && other.disk + other.count == run.disk
        {
            first = before;
            run = Run {
                disk: other.disk,
                count: other.count + run.count,
            };
        }
        if let Some(next) = self.runs.get(&(first + run.count)).copied()
            && run.disk + run.count == next.disk
        {
            self.runs.remove(&(first + run.count));
            run.count += next.count;
        }
        self.runs.insert(first, run);
    }

    /// Takes out all blocks from `first` on.
    pub(super) fn split_off(&mut self, first: u64) -> Vec<Run> {
        let mut gone: Vec<Run> = Vec::new();
        if let Some((before, run)) = self.before(first)
            && before < first
            && first - before < run.count
        {
            let kept = first - before;
            self.runs.insert(before, Run { count: kept, ..run });
            gone.push(Run {
                disk: run.disk + kept,
                count: run.count - kept,
            });
        }
        gone.extend(self.runs.split_off(&first).into_values());
        self.blocks -= gone.iter().map(|run| run.count).sum::<u64>();
        gone
    }
}
