//! The timers: a hierarchical wheel.
//!
//! G. Varghese and A. Lauck, "Hashed and hierarchical timing wheels" (1987),
//! scheme 7. A timer lies on the lowest level on which its deadline and the
//! present are in the same turn, in the slot of its deadline; when the wheel
//! comes to a slot of a higher level, the timers in it move down. Inserting
//! and cancelling are O(1); firing is O(levels), and sorts what is due within
//! one slot of the lowest level, so that timers fire in the order of their
//! deadlines to the nanosecond, and among equal ones in the order in which
//! they were inserted. (The order in a slot is that of insertion, also when
//! timers move down: they do so before anything can be inserted directly.)

use core::task::Waker;
use std::mem;

use slab::Slab;

use crate::Instant;

/// Slots on a level: one bit each in a word.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// A slot of the lowest level spans 2^16 ns = 65.5 µs.
const LOWEST_SHIFT: u32 = 16;
/// Levels enough for 64 bits: 16 + 8 × 6.
const LEVELS: usize = 8;
/// Beyond so many timers in the first slot of a higher level, the start of the
/// slot serves as the next deadline, instead of the earliest of them.
const EXACT: usize = 64;

/// Names a timer until it fires or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(u32);

const NONE: u32 = u32::MAX;

struct Timer {
    deadline: u64,
    waker: Waker,
    next: u32,
    previous: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    first: u32,
    last: u32,
}

struct Level {
    /// Bit n is set when slot n has timers.
    occupied: u64,
    slots: [Slot; SLOTS],
}

pub(crate) struct Wheel {
    /// Timers up to here have fired.
    elapsed: u64,
    /// No timer is due before this; kept from one look to the next.
    earliest: u64,
    timers: Slab<Timer>,
    levels: Box<[Level; LEVELS]>,
    /// Reused by `advance`.
    due: Vec<Waker>,
    sorted: Vec<(u64, u32)>,
}

/// A list of wakers longer than this is not kept for reuse.
const KEPT: usize = 4096;

impl Wheel {
    pub(crate) fn new(now: Instant) -> Self {
        const EMPTY: Level = Level {
            occupied: 0,
            slots: [Slot {
                first: NONE,
                last: NONE,
            }; SLOTS],
        };
        Self {
            elapsed: now.as_nanos(),
            earliest: u64::MAX,
            timers: Slab::new(),
            levels: Box::new([EMPTY; LEVELS]),
            due: Vec::new(),
            sorted: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    /// Whether a timer with this deadline, if it was inserted, has fired.
    pub(crate) fn has_fired(&self, deadline: Instant) -> bool {
        deadline.as_nanos() <= self.elapsed
    }

    /// Inserts a timer that [has not fired](Self::has_fired).
    ///
    /// # Panics
    ///
    /// With 2^32 - 1 timers.
    pub(crate) fn insert(&mut self, deadline: Instant, waker: Waker) -> Key {
        debug_assert!(!self.has_fired(deadline));
        let deadline = deadline.as_nanos();
        let key = u32::try_from(self.timers.vacant_key())
            .ok()
            .filter(|key| *key != NONE)
            .expect("fewer than 2^32 - 1 timers");
        self.timers.insert(Timer {
            deadline,
            waker,
            next: NONE,
            previous: NONE,
        });
        self.earliest = self.earliest.min(deadline);
        self.append(key);
        Key(key)
    }

    /// Whether a timer that has not fired wakes what `waker` wakes.
    pub(crate) fn wakes(&self, key: Key, waker: &Waker) -> bool {
        self.timers[key.0 as usize].waker.will_wake(waker)
    }

    /// Changes whom a timer that has not fired wakes; gives back the former.
    pub(crate) fn set_waker(&mut self, key: Key, waker: Waker) -> Waker {
        mem::replace(&mut self.timers[key.0 as usize].waker, waker)
    }

    /// Removes a timer unless it has fired; gives back its waker.
    pub(crate) fn remove(&mut self, key: Key, deadline: Instant) -> Option<Waker> {
        if self.has_fired(deadline) {
            return None;
        }
        self.unlink(key)
    }

    /// Takes a timer out of its slot; `None` if all were cleared.
    fn unlink(&mut self, key: Key) -> Option<Waker> {
        let timer = self.timers.try_remove(key.0 as usize)?;
        let (level, slot) = self.position(timer.deadline);
        let slot_of = &mut self.levels[level].slots[slot];
        match timer.previous {
            NONE => slot_of.first = timer.next,
            previous => self.timers[previous as usize].next = timer.next,
        }
        match timer.next {
            NONE => slot_of.last = timer.previous,
            next => self.timers[next as usize].previous = timer.previous,
        }
        if slot_of.first == NONE {
            self.levels[level].occupied &= !(1 << slot);
        }
        Some(timer.waker)
    }

    /// When to call [`advance`](Self::advance) again at the latest: never after
    /// the earliest deadline, and rarely before it. `None` without timers.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        let (level, slot) = self.first_slot()?;
        let exact = if level == 0 { usize::MAX } else { EXACT };
        let mut earliest = u64::MAX;
        let mut key = self.levels[level].slots[slot].first;
        let mut seen = 0;
        while key != NONE && seen < exact {
            let timer = &self.timers[key as usize];
            earliest = earliest.min(timer.deadline);
            key = timer.next;
            seen += 1;
        }
        if key != NONE {
            earliest = self.start_of(level, slot);
        }
        self.earliest = earliest;
        Some(Instant::from_nanos(earliest))
    }

    /// Whether [`advance`](Self::advance) has nothing to do. Cheap.
    #[inline]
    pub(crate) fn is_idle_until(&self, now: Instant) -> bool {
        now.as_nanos() < self.earliest
    }

    /// Fires the timers that are due at `now`: gives the wakers, in order. The
    /// vector is to be [given back](Self::give_back).
    pub(crate) fn advance(&mut self, now: Instant) -> Vec<Waker> {
        let now = now.as_nanos();
        let mut due = mem::take(&mut self.due);
        // Bounded: each turn empties a slot, by firing its timers or by moving
        // them down a level, or ends the loop.
        while let Some((level, slot)) = self.first_slot() {
            let start = self.start_of(level, slot);
            if start > now {
                break;
            }
            if level == 0 {
                self.fire(slot, now, &mut due);
                if self.levels[0].occupied & (1 << slot) != 0 {
                    break;
                }
            } else {
                self.elapsed = self.elapsed.max(start);
                self.move_down(level, slot);
            }
        }
        self.elapsed = self.elapsed.max(now);
        if self.next_deadline().is_none() {
            self.earliest = u64::MAX;
        }
        due
    }

    pub(crate) fn give_back(&mut self, mut due: Vec<Waker>) {
        due.clear();
        if due.capacity() <= KEPT {
            self.due = due;
        }
    }

    /// Removes all timers; gives back their wakers.
    pub(crate) fn clear(&mut self) -> Vec<Waker> {
        for level in self.levels.iter_mut() {
            if level.occupied != 0 {
                level.occupied = 0;
                level.slots.fill(Slot {
                    first: NONE,
                    last: NONE,
                });
            }
        }
        self.earliest = u64::MAX;
        let timers = mem::take(&mut self.timers);
        timers.into_iter().map(|(_, timer)| timer.waker).collect()
    }

    /// Takes what is due out of a slot of the lowest level.
    fn fire(&mut self, slot: usize, now: u64, due: &mut Vec<Waker>) {
        let mut sorted = mem::take(&mut self.sorted);
        let mut key = self.levels[0].slots[slot].first;
        while key != NONE {
            let timer = &self.timers[key as usize];
            if timer.deadline <= now {
                sorted.push((timer.deadline, key));
            }
            key = timer.next;
        }
        // Stable: the list is in the order of insertion.
        sorted.sort_by_key(|(deadline, _)| *deadline);
        due.reserve(sorted.len());
        for (_, key) in sorted.drain(..) {
            due.extend(self.unlink(Key(key)));
        }
        if sorted.capacity() <= KEPT {
            self.sorted = sorted;
        }
    }

    /// Moves the timers of a slot, which `elapsed` has come to, to where they
    /// now belong.
    fn move_down(&mut self, level: usize, slot: usize) {
        let slots = &mut self.levels[level];
        slots.occupied &= !(1 << slot);
        let mut key = mem::replace(&mut slots.slots[slot].first, NONE);
        slots.slots[slot].last = NONE;
        while key != NONE {
            let next = self.timers[key as usize].next;
            self.append(key);
            key = next;
        }
    }

    /// Appends a timer to the slot where it belongs.
    fn append(&mut self, key: u32) {
        let (level, slot) = self.position(self.timers[key as usize].deadline);
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        let slot = &mut level.slots[slot];
        let last = mem::replace(&mut slot.last, key);
        match last {
            NONE => slot.first = key,
            last => self.timers[last as usize].next = key,
        }
        let timer = &mut self.timers[key as usize];
        timer.previous = last;
        timer.next = NONE;
    }

    /// Level and slot of a deadline that is not before `elapsed`.
    fn position(&self, deadline: u64) -> (usize, usize) {
        let differs = (self.elapsed ^ deadline) >> LOWEST_SHIFT;
        let level = differs.checked_ilog2().unwrap_or(0) / SLOT_BITS;
        let slot = (deadline >> (LOWEST_SHIFT + level * SLOT_BITS)) % SLOTS as u64;
        (level as usize, slot as usize)
    }

    /// The slot that the earliest timer is in: all of a level are earlier than
    /// all of the next, and none lies before `elapsed`.
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        Some((level, self.levels[level].occupied.trailing_zeros() as usize))
    }

    /// When a slot of the present turn of a level begins.
    fn start_of(&self, level: usize, slot: usize) -> u64 {
        let shift = LOWEST_SHIFT + level as u32 * SLOT_BITS;
        let turn = self.elapsed.checked_shr(shift + SLOT_BITS).unwrap_or(0);
        let turn = turn.checked_shl(shift + SLOT_BITS).unwrap_or(0);
        turn | (slot as u64) << shift
    }
}

#[cfg(test)]
mod tests;
