//! Parts of a connection that it needs only while it has data on its way: allocated when that begins
//! and given back when it is over, so that an idle connection is small.

use core::ops::{Deref, DerefMut};

/// Elements for which the list of a part may have room that is kept to be used again.
pub(crate) const KEPT_CAPACITY: usize = 32;

/// A part of a connection that is in its initial state most of the time.
pub(crate) trait Part: Sized + 'static {
    /// The initial state.
    const INITIAL: Self;

    /// The initial state, for all connections that have no such part of their own.
    fn initial() -> &'static Self;

    /// Brings a part back to its initial state for another connection; false when it holds too much
    /// to be kept.
    fn renew(&mut self) -> bool;

    /// Octets of the memory that a renewed part takes beside its own.
    fn kept(&self) -> usize;
}

/// A part that reads as its initial state where it is not allocated, and is allocated when it is
/// changed.
#[derive(Debug)]
pub(crate) struct OnDemand<T>(Option<Box<T>>);

impl<T> Default for OnDemand<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Part> OnDemand<T> {
    /// Allocates the part if it is not, from `spares` if there are any.
    #[inline]
    pub(crate) fn prepare(&mut self, spares: &mut Spares<T>) -> &mut T {
        self.0.get_or_insert_with(|| spares.take())
    }

    /// The part, if it is allocated.
    #[inline]
    pub(crate) fn allocated(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The part, if it is allocated, to be looked at.
    #[inline]
    pub(crate) fn get_allocated(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// Goes back to the initial state.
    #[inline]
    pub(crate) fn give_back(&mut self, spares: &mut Spares<T>) {
        if let Some(part) = self.0.take() {
            spares.give(part);
        }
    }
}

#[cold]
fn allocate<T: Part>() -> Box<T> {
    Box::new(T::INITIAL)
}

impl<T: Part> Deref for OnDemand<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some(part) => part,
            None => T::initial(),
        }
    }
}

impl<T: Part> DerefMut for OnDemand<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_with(allocate)
    }
}

/// Parts to be used again, for all connections of an engine: why a connection that has data on its
/// way now and then does not allocate each time.
#[derive(Debug)]
pub(crate) struct Spares<T> {
    parts: Vec<Box<T>>,
    /// Octets of the memory that the parts and their list take.
    held: usize,
    kept: usize,
}

impl<T: Part> Spares<T> {
    /// Keeps so many at most.
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            parts: Vec::new(),
            held: 0,
            kept,
        }
    }

    /// Octets of the memory that they take.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Frees them all.
    pub(crate) fn clear(&mut self) {
        self.parts = Vec::new();
        self.held = 0;
    }

    #[inline]
    pub(crate) fn take(&mut self) -> Box<T> {
        match self.parts.pop() {
            Some(part) => {
                self.held -= size_of::<T>() + part.kept();
                part
            }
            None => allocate(),
        }
    }

    #[inline]
    pub(crate) fn give(&mut self, mut part: Box<T>) {
        if self.parts.len() < self.kept && part.renew() {
            let list = self.parts.capacity();
            self.held += size_of::<T>() + part.kept();
            self.parts.push(part);
            self.held += (self.parts.capacity() - list) * size_of::<Box<T>>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OnDemand, Part, Spares};

    impl Part for Vec<u8> {
        const INITIAL: Self = Self::new();

        fn initial() -> &'static Self {
            static INITIAL: Vec<u8> = Vec::new();
            &INITIAL
        }

        fn renew(&mut self) -> bool {
            self.clear();
            self.capacity() <= 8
        }

        fn kept(&self) -> usize {
            self.capacity()
        }
    }

    #[test]
    fn a_part_is_allocated_by_a_change_and_used_again_by_the_next_connection() {
        let mut spares = Spares::new(1);
        let mut parts: [OnDemand<Vec<u8>>; 3] = Default::default();
        assert!(parts[0].is_empty() && parts[0].allocated().is_none());
        parts[0].prepare(&mut spares);
        parts[1].push(1);
        for part in &mut parts[..2] {
            part.push(2);
            part.give_back(&mut spares);
            assert!(part.is_empty() && part.allocated().is_none());
        }
        assert_eq!(spares.parts.len(), 1);
        let list = spares.parts.capacity() * size_of::<Box<Vec<u8>>>();
        let part = size_of::<Vec<u8>>() + spares.parts[0].capacity();
        assert_eq!(spares.held(), list + part);
        parts[2].prepare(&mut spares);
        assert!(parts[2].is_empty() && parts[2].capacity() > 0);
        assert_eq!(spares.held(), list);
        parts[2].extend([0; 100]);
        parts[2].give_back(&mut spares);
        assert_eq!(spares.parts.len(), 0, "it holds too much");
    }
}
