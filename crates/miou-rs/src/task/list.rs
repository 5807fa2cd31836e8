//! A list through what is in it.

use core::cell::Cell;
use core::ptr::NonNull;

/// The neighbours of a node.
pub(crate) struct Links<T> {
    next: Cell<Option<NonNull<T>>>,
    previous: Cell<Option<NonNull<T>>>,
}

impl<T> Links<T> {
    pub(crate) const fn new() -> Self {
        Self {
            next: Cell::new(None),
            previous: Cell::new(None),
        }
    }

    pub(crate) fn next(&self) -> Option<NonNull<T>> {
        self.next.get()
    }
}

/// What can be in a list (one of this kind at a time).
pub(crate) trait Linked: Sized {
    fn links(&self) -> &Links<Self>;
}

/// The first node.
pub(crate) struct List<T>(Cell<Option<NonNull<T>>>);

impl<T: Linked> List<T> {
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<NonNull<T>> {
        self.0.get()
    }

    /// Puts `node` in front.
    ///
    /// # Safety
    ///
    /// `node` is not freed before it is removed, and is in no list.
    pub(crate) unsafe fn push(&self, node: NonNull<T>) {
        let first = self.0.replace(Some(node));
        // SAFETY: by contract neither `node` nor what is in the list has been
        // freed.
        unsafe {
            node.as_ref().links().next.set(first);
            if let Some(first) = first {
                first.as_ref().links().previous.set(Some(node));
            }
        }
    }

    /// Takes `node` out.
    ///
    /// # Safety
    ///
    /// It is in this list.
    pub(crate) unsafe fn remove(&self, node: NonNull<T>) {
        // SAFETY: what is in the list has not been freed, by the contract of
        // `push`.
        unsafe {
            let next = node.as_ref().links().next.take();
            let previous = node.as_ref().links().previous.take();
            match previous {
                Some(previous) => previous.as_ref().links().next.set(next),
                None => self.0.set(next),
            }
            if let Some(next) = next {
                next.as_ref().links().previous.set(previous);
            }
        }
    }
}
