//! How much of the heap is in use.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Of this thread alone: the test harness has one of its own, which allocates when it likes. Begins so high
    /// that this one may also give back what the other has asked for.
    static IN_USE: Cell<usize> = const { Cell::new(1 << 40) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator; the counter has no destructor, and does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.set(IN_USE.get() + layout.size());
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get() - layout.size());
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Bytes that this thread has asked for and not given back, and a constant.
pub(crate) fn in_use() -> usize {
    IN_USE.get()
}
