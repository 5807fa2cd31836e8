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
    normal: Queue<T>,
    event: Queue<T>,
    bound: u32,
    streak: u32,
    shuffle: Option<Shuffle>,
}

impl<T> Lanes<T> {
    pub(crate) fn new(bound: u32, seed: Option<u64>) -> Self {
        Self {
            normal: Queue::new(),
            event: Queue::new(),
            bound,
            streak: 0,
            shuffle: seed.map(Shuffle::new),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, task: T, lane: Lane) {
        match lane {
            Lane::Normal => self.normal.push(task),
            Lane::Event => self.event.push(task),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<(T, Lane)> {
        let lane = if self.event.tasks.is_empty() {
            self.streak = 0;
            Lane::Normal
        } else if self.normal.tasks.is_empty() {
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
            && queue.tasks.len() > 1
        {
            let chosen = shuffle.below(queue.tasks.len());
            queue.tasks.swap(0, chosen);
        }
        queue.pop().map(|task| (task, lane))
    }

    /// How many wait in the normal lane, and in the event lane.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.normal.tasks.len(), self.event.tasks.len())
    }
}

/// A queue whose memory is bounded by what is in it: after many tasks were ready
/// at once it gives back what it no longer needs.
struct Queue<T> {
    tasks: VecDeque<T>,
    /// When fewer are left than that, the memory is halved.
    few: usize,
}

/// So little memory is always kept, in tasks.
const KEPT: usize = 256;

impl<T> Queue<T> {
    const fn new() -> Self {
        Self {
            tasks: VecDeque::new(),
            few: 0,
        }
    }

    #[inline]
    fn push(&mut self, task: T) {
        if self.tasks.len() == self.tasks.capacity() {
            self.grow();
        }
        self.tasks.push_back(task);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        if self.tasks.len() < self.few {
            self.shrink();
        }
        self.tasks.pop_front()
    }

    #[cold]
    fn grow(&mut self) {
        self.tasks.reserve(self.tasks.len().max(4));
        self.set_few();
    }

    /// Three quarters of the memory are empty, so many were taken since it was
    /// last changed that moving the rest costs less than one step for each.
    #[cold]
    fn shrink(&mut self) {
        self.tasks.shrink_to(self.tasks.capacity() / 2);
        self.set_few();
    }

    fn set_few(&mut self) {
        let capacity = self.tasks.capacity();
        self.few = if capacity > KEPT { capacity / 4 } else { 0 };
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
