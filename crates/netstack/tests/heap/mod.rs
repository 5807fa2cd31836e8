//! An allocator that counts.
#![allow(dead_code)] // Each test binary uses a part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static TAKEN: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Octets allocated and not freed by this thread.
pub(crate) fn held() -> isize {
    HELD.get()
}

/// What of it the allocator of a unikernel takes.
pub(crate) fn taken() -> isize {
    TAKEN.get()
}

/// Allocations of this thread.
pub(crate) fn calls() -> usize {
    CALLS.get()
}

/// What that allocator adds: a header before each block, and sizes are multiples of a unit.
const HEADER: usize = 16;
const UNIT: usize = 32;

struct Counting;

fn count(layout: Layout, sign: isize, calls: usize) {
    let taken = (layout.size() + HEADER).next_multiple_of(UNIT);
    HELD.set(HELD.get() + sign * layout.size() as isize);
    TAKEN.set(TAKEN.get() + sign * taken as isize);
    CALLS.set(CALLS.get() + calls);
}

// SAFETY: each call is passed on unchanged to the system's allocator, which fulfils the contract; the
// counters are plain cells of the thread without a destructor, and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1, 1);
        // SAFETY: the caller vouches for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout, -1, 0);
        // SAFETY: the caller vouches that `pointer` came from `alloc` with `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
