//! State of a program that has one processor and no interrupts.

use core::cell::UnsafeCell;

/// A `static` that is changed in place.
pub(crate) struct SingleThread<T>(UnsafeCell<T>);

// SAFETY: a Solo5 guest has one virtual processor, no interrupts and no signals; this library makes
// no threads, and those of solo5-posix do not change within its functions: no two accesses are
// concurrent. That accesses do not overlap is up to the callers of `get`.
unsafe impl<T> Sync for SingleThread<T> {}

impl<T> SingleThread<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The address of the value.
    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}
