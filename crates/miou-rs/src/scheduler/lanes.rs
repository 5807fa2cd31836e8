//! The run queue: two FIFO lanes, and the rule between them.

use core::cell::Cell;
use core::hint::cold_path;

use super::ring::Ring;
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
    queues: [Ring<T>; 2],
    bound: u32,
    streak: Cell<u32>,
    /// Where what is ready now goes: to the lane of the task that is polled.
    current: Cell<Lane>,
    /// The next is the first of the normal lane, as was the last: there are no
    /// event tasks, and no seed says which is next.
    is_plain: Cell<bool>,
    shuffle: Option<Cell<Shuffle>>,
}

impl<T: Copy> Lanes<T> {
    pub(crate) fn new(bound: u32, seed: Option<u64>) -> Self {
        Self {
            queues: [Ring::new(), Ring::new()],
            bound,
            streak: Cell::new(0),
            current: Cell::new(Lane::Normal),
            is_plain: Cell::new(false),
            shuffle: seed.map(|seed| Cell::new(Shuffle::new(seed))),
        }
    }

    /// Sets the current lane.
    pub(crate) fn switch(&self, lane: Lane) {
        self.is_plain.set(false);
        self.current.set(lane);
    }

    #[inline]
    pub(crate) fn current(&self) -> Lane {
        self.current.get()
    }

    #[inline]
    pub(crate) fn push(&self, task: T, lane: Lane) {
        if lane == Lane::Event {
            self.is_plain.set(false);
        }
        self.queues[lane as usize].push(task);
    }

    /// Takes the next task, whose lane becomes the current one.
    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_plain.get() {
            self.queues[Lane::Normal as usize].pop()
        } else {
            cold_path();
            self.pop_by_rule()
        }
    }

    #[inline(never)]
    fn pop_by_rule(&self) -> Option<T> {
        let [normal, event] = &self.queues;
        let streak = self.streak.replace(0);
        let lane = if event.is_empty() {
            Lane::Normal
        } else if normal.is_empty() {
            Lane::Event
        } else if streak < self.bound {
            self.streak.set(streak + 1);
            Lane::Event
        } else {
            Lane::Normal
        };
        let queue = &self.queues[lane as usize];
        if let Some(shuffle) = &self.shuffle
            && queue.len() > 1
        {
            let mut choice = shuffle.get();
            queue.swap_front(choice.below(queue.len()));
            shuffle.set(choice);
        }
        self.current.set(lane);
        let is_plain = lane == Lane::Normal && event.is_empty() && self.shuffle.is_none();
        self.is_plain.set(is_plain);
        queue.pop()
    }

    /// Gives back memory, a part of it at a time, after many tasks were ready
    /// at once.
    pub(crate) fn trim(&self) {
        self.queues.iter().for_each(Ring::trim);
    }

    /// How many wait in the normal lane, and in the event lane.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.queues[0].len(), self.queues[1].len())
    }
}

/// A seeded choice: SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
#[derive(Clone, Copy)]
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
