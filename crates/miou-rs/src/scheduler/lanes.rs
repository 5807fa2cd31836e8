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
    /// By `Lane`.
    queues: [VecDeque<T>; 2],
    bound: u32,
    streak: u32,
    shuffle: Option<Shuffle>,
}

/// A lane keeps memory for so many tasks, however few there are.
const KEPT: usize = 256;

impl<T> Lanes<T> {
    pub(crate) fn new(bound: u32, seed: Option<u64>) -> Self {
        Self {
            queues: [VecDeque::new(), VecDeque::new()],
            bound,
            streak: 0,
            shuffle: seed.map(Shuffle::new),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, task: T, lane: Lane) {
        self.queues[lane as usize].push_back(task);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(T, Lane)> {
        let [normal, event] = &self.queues;
        let lane = if event.is_empty() {
            self.streak = 0;
            Lane::Normal
        } else if normal.is_empty() {
            self.streak = 0;
            Lane::Event
        } else if self.streak < self.bound {
            self.streak += 1;
            Lane::Event
        } else {
            self.streak = 0;
            Lane::Normal
        };
        if self.shuffle.is_some() {
            self.choose(lane);
        }
        let queue = &mut self.queues[lane as usize];
        if queue.capacity() > 4 * queue.len() + KEPT {
            shrink(queue);
        }
        queue.pop_front().map(|task| (task, lane))
    }

    /// Puts the task that is next by the seed in front.
    #[cold]
    fn choose(&mut self, lane: Lane) {
        let queue = &mut self.queues[lane as usize];
        if let Some(shuffle) = &mut self.shuffle
            && queue.len() > 1
        {
            let chosen = shuffle.below(queue.len());
            queue.swap(0, chosen);
        }
    }

    /// How many wait in the normal lane, and in the event lane.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.queues[0].len(), self.queues[1].len())
    }
}

/// Halves the memory of a queue that uses less than a quarter of it, after many
/// tasks were ready at once. At least as many were taken since it last changed
/// as have to be moved now.
#[cold]
fn shrink<T>(queue: &mut VecDeque<T>) {
    queue.shrink_to(queue.capacity() / 2);
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
