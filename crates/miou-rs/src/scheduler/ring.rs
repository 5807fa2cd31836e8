//! A queue in a ring of slots.

use core::cell::{Cell, UnsafeCell};
use core::hint::cold_path;
use core::mem::MaybeUninit;

/// A first-in, first-out queue that is used through shared references, with
/// memory in proportion to what is in it.
///
/// It is `VecDeque` without the borrow flag that a `RefCell` around one would
/// need, and with a power of two of slots, so that indices need no comparison:
/// some 20 instructions less for each poll that yields.
pub(crate) struct Ring<T> {
    /// A power of two of them.
    slots: UnsafeCell<Box<[Cell<MaybeUninit<T>>]>>,
    /// Their number, less one.
    mask: Cell<usize>,
    /// How many values were ever taken, and put in: those between are in the
    /// slots of these numbers modulo the number of slots.
    head: Cell<usize>,
    tail: Cell<usize>,
}

/// There are at least so many slots, however few values.
const MIN_SLOTS: usize = 256;

impl<T: Copy> Ring<T> {
    pub(crate) fn new() -> Self {
        Self {
            slots: UnsafeCell::new(allocate(MIN_SLOTS)),
            mask: Cell::new(MIN_SLOTS - 1),
            head: Cell::new(0),
            tail: Cell::new(0),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline]
    pub(crate) fn push(&self, value: T) {
        if self.len() > self.mask.get() {
            self.resize(2 * self.len());
        }
        let tail = self.tail.get();
        self.slot(tail).set(MaybeUninit::new(value));
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        if self.is_empty() {
            cold_path();
            return None;
        }
        let head = self.head.get();
        self.head.set(head.wrapping_add(1));
        // SAFETY: `push` has written to the slots from `head` to before `tail`.
        Some(unsafe { self.slot(head).get().assume_init() })
    }

    /// Exchanges the next value to be taken with the one `index` behind it.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn swap_front(&self, index: usize) {
        assert!(index < self.len());
        let head = self.head.get();
        self.slot(head).swap(self.slot(head.wrapping_add(index)));
    }

    /// Halves the memory if less than a quarter of it is used.
    pub(crate) fn trim(&self) {
        let slots = self.mask.get() + 1;
        if slots > MIN_SLOTS && self.len() < slots / 4 {
            self.resize(slots / 2);
        }
    }

    /// The slot of the value with this number.
    #[inline]
    fn slot(&self, number: usize) -> &Cell<MaybeUninit<T>> {
        // SAFETY: a ring is not `Sync`, and only `resize` changes the box, while
        // nothing that this returned is in use.
        let slots = unsafe { &*self.slots.get() };
        // SAFETY: `mask` is the number of slots less one.
        unsafe { slots.get_unchecked(number & self.mask.get()) }
    }

    /// Moves what is in the queue to so many slots: a power of two, and no
    /// fewer than there are values.
    #[cold]
    fn resize(&self, count: usize) {
        let slots = allocate(count);
        let (head, tail) = (self.head.get(), self.tail.get());
        let mut number = head;
        while number != tail {
            slots[number & (count - 1)].set(self.slot(number).get());
            number = number.wrapping_add(1);
        }
        // SAFETY: see `slot`; none is in use here.
        unsafe { *self.slots.get() = slots }
        self.mask.set(count - 1);
    }
}

fn allocate<T>(count: usize) -> Box<[Cell<MaybeUninit<T>>]> {
    debug_assert!(count.is_power_of_two());
    (0..count)
        .map(|_| Cell::new(MaybeUninit::uninit()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::{MIN_SLOTS, Ring};

    #[derive(Debug, Clone, Copy)]
    enum Operation {
        Push(usize),
        Pop(usize),
        Swap(usize),
        Trim,
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let operation = prop_oneof![
            (0..2 * MIN_SLOTS).prop_map(Operation::Push),
            (0..2 * MIN_SLOTS).prop_map(Operation::Pop),
            any::<usize>().prop_map(Operation::Swap),
            Just(Operation::Trim),
        ];
        prop::collection::vec(operation, 1..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

        #[test]
        fn it_does_what_a_vec_deque_does(operations in operations()) {
            let (ring, mut oracle) = (Ring::new(), VecDeque::new());
            let mut number = 0;
            for operation in operations {
                match operation {
                    Operation::Push(count) => (0..count).for_each(|_| {
                        number += 1;
                        ring.push(number);
                        oracle.push_back(number);
                    }),
                    Operation::Pop(count) => (0..count).for_each(|_| {
                        assert_eq!(ring.pop(), oracle.pop_front());
                    }),
                    Operation::Swap(index) if !oracle.is_empty() => {
                        ring.swap_front(index % oracle.len());
                        oracle.swap(0, index % oracle.len());
                    }
                    Operation::Swap(_) => {}
                    Operation::Trim => ring.trim(),
                }
                assert_eq!((ring.len(), ring.is_empty()), (oracle.len(), oracle.is_empty()));
            }
            oracle.into_iter().for_each(|value| assert_eq!(ring.pop(), Some(value)));
            assert_eq!(ring.pop(), None);
        }
    }

    #[test]
    fn the_memory_is_in_proportion_to_what_is_in_it() {
        const MANY: usize = if cfg!(miri) { 2_000 } else { 100_000 };
        let ring = Ring::new();
        for round in 0..3 {
            (0..MANY).for_each(|number| ring.push(number));
            for number in 0..MANY {
                assert_eq!(ring.pop(), Some(number));
                ring.trim();
                let (slots, most) = (ring.mask.get() + 1, 4 * ring.len() + MIN_SLOTS);
                assert!(slots <= most, "{slots} of {most} slots, round {round}");
            }
        }
        assert_eq!(ring.mask.get() + 1, MIN_SLOTS);
    }
}
