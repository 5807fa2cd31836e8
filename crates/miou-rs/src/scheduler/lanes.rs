//! The run queue: two FIFO lanes, and the rule between them.

use std::collections::VecDeque;

use crate::task::TaskRef;

/// Which lane a task waits in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Tasks that yielded, and those spawned or woken by tasks of this lane.
    Normal,
    /// Tasks woken by an event, and those spawned or woken by tasks of this
    /// lane.
    Event,
}

/// The tasks to be polled.
///
/// Event tasks go first; but after `bound` of them in a row, one normal task is
/// polled if there is one.
pub(crate) struct Lanes<T = TaskRef> {
    normal: VecDeque<T>,
    event: VecDeque<T>,
    bound: u32,
    streak: u32,
    shuffle: Option<Shuffle>,
}

impl<T> Lanes<T> {
    pub(crate) fn new(bound: u32, seed: Option<u64>) -> Self {
        Self {
            normal: VecDeque::new(),
            event: VecDeque::new(),
            bound,
            streak: 0,
            shuffle: seed.map(Shuffle::new),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, task: T, lane: Lane) {
        match lane {
            Lane::Normal => self.normal.push_back(task),
            Lane::Event => self.event.push_back(task),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(T, Lane)> {
        let lane = if self.event.is_empty() {
            self.streak = 0;
            Lane::Normal
        } else if self.normal.is_empty() {
            self.streak = 0;
            Lane::Event
        } else if self.streak < self.bound {
            self.streak += 1;
            Lane::Event
        } else {
            self.streak = 0;
            Lane::Normal
        };
        let queue = match lane {
            Lane::Normal => &mut self.normal,
            Lane::Event => &mut self.event,
        };
        if let Some(shuffle) = &mut self.shuffle
            && queue.len() > 1
        {
            let chosen = shuffle.below(queue.len());
            queue.swap(0, chosen);
        }
        queue.pop_front().map(|task| (task, lane))
    }

    /// How many wait in the normal lane, and in the event lane.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.normal.len(), self.event.len())
    }
}

/// A seeded choice: SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
pub(crate) struct Shuffle(u64);

impl Shuffle {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The high half of the product: no division, and a bias below 2^-32
        // for any queue that fits in memory.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests;
