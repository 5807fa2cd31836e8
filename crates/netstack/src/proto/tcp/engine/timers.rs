//! The timers of all connections: one table with one next time-out.

use crate::proto::Instant;

const NONE: u32 = u32::MAX;

/// A heap of connections by deadline, in which each connection knows its place.
///
/// A deadline that moves to a later time is not moved in the heap at once: it is when the old one
/// has come. As retransmission time-outs move with each acknowledgement, this saves nearly all
/// work; the price is that [`Timers::next`] may be earlier than necessary.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<(Instant, u32)>,
    /// Index in `heap` of each connection.
    places: Vec<u32>,
}

impl Timers {
    /// When the next deadline, or an earlier one that it has replaced, comes.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(deadline, _)| *deadline)
    }

    /// Sets the deadline of a connection if it is earlier than what is set.
    #[inline]
    pub(crate) fn set(&mut self, connection: u32, deadline: Instant) {
        if deadline == Instant::FAR_FUTURE {
            return;
        }
        let index = connection as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, NONE);
        }
        let place = self.places[index] as usize;
        match self.heap.get_mut(place) {
            Some(entry) if entry.0 <= deadline => {}
            Some(entry) => {
                entry.0 = deadline;
                self.sift_up(place);
            }
            None => {
                self.heap.push((deadline, connection));
                self.sift_up(self.heap.len() - 1);
            }
        }
    }

    /// Takes a connection whose deadline is not after `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<u32> {
        let (deadline, connection) = *self.heap.first()?;
        if deadline > now {
            return None;
        }
        self.remove(connection);
        Some(connection)
    }

    /// Makes room for so many connections, so that no deadline needs more.
    pub(crate) fn reserve(&mut self, connections: usize) {
        self.places
            .reserve(connections.saturating_sub(self.places.len()));
        self.heap
            .reserve(connections.saturating_sub(self.heap.len()));
    }

    /// Octets of the tables.
    pub(crate) fn held(&self) -> usize {
        self.heap.capacity() * size_of::<(Instant, u32)>()
            + self.places.capacity() * size_of::<u32>()
    }

    /// Frees the tables when there is no deadline.
    pub(crate) fn shrink(&mut self) {
        if self.heap.is_empty() {
            *self = Self::default();
        }
    }

    /// Removes a connection's deadline if it has one.
    pub(crate) fn remove(&mut self, connection: u32) {
        let Some(place) = self.places.get_mut(connection as usize) else {
            return;
        };
        let place = core::mem::replace(place, NONE) as usize;
        if place >= self.heap.len() {
            return;
        }
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.sift_up(place);
            self.sift_down(self.places[self.heap[place].1 as usize] as usize);
        }
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].0 <= self.heap[place].0 {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
        self.places[self.heap[place].1 as usize] = place as u32;
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            if left >= self.heap.len() {
                break;
            }
            let right = left + 1;
            let child = if right < self.heap.len() && self.heap[right].0 < self.heap[left].0 {
                right
            } else {
                left
            };
            if self.heap[place].0 <= self.heap[child].0 {
                break;
            }
            self.swap(place, child);
            place = child;
        }
        self.places[self.heap[place].1 as usize] = place as u32;
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].1 as usize] = a as u32;
        self.places[self.heap[b].1 as usize] = b as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Timers;
    use crate::proto::Instant;

    #[test]
    fn agrees_with_a_map() {
        let mut timers = Timers::default();
        let mut model = BTreeMap::new();
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        for _ in 0..20_000 {
            let connection = (random() % 50) as u32;
            match random() % 4 {
                0 => {
                    timers.remove(connection);
                    model.remove(&connection);
                }
                1 => {
                    let now = Instant::from_nanos(random() % 1000);
                    let least = model
                        .iter()
                        .map(|(connection, deadline)| (*deadline, *connection))
                        .min();
                    let popped = timers.pop(now);
                    assert_eq!(
                        popped.is_some(),
                        least.is_some_and(|(deadline, _)| deadline <= now)
                    );
                    if let Some(connection) = popped {
                        assert_eq!(
                            model.remove(&connection),
                            least.map(|(deadline, _)| deadline)
                        );
                    }
                }
                _ => {
                    let deadline = Instant::from_nanos(random() % 1000);
                    timers.set(connection, deadline);
                    let entry = model.entry(connection).or_insert(deadline);
                    *entry = deadline.min(*entry);
                }
            }
            assert_eq!(timers.next(), model.values().min().copied());
        }
    }
}
