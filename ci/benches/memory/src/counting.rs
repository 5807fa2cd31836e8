//! The heap of this process: how much of it is allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What nolibc's allocator (rlsf) adds: a header before each block, and sizes are multiples of a unit.
const HEADER: usize = 16;
const UNIT: usize = 32;

static REQUESTED: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

fn block(layout: Layout) -> usize {
    (layout.size() + HEADER).next_multiple_of(UNIT)
}

// SAFETY: every call is the system allocator's, which keeps the contract; counting changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTED.fetch_add(layout.size(), Relaxed);
        TAKEN.fetch_add(block(layout), Relaxed);
        // SAFETY: the caller's promises are those that it asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        REQUESTED.fetch_sub(layout.size(), Relaxed);
        TAKEN.fetch_sub(block(layout), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of the heap.
#[derive(Clone, Copy)]
pub struct Heap {
    /// What was asked for.
    pub requested: usize,
    /// What a unikernel's allocator takes for that.
    pub taken: usize,
}

impl Heap {
    /// Now.
    pub fn now() -> Self {
        Self {
            requested: REQUESTED.load(Relaxed),
            taken: TAKEN.load(Relaxed),
        }
    }

    /// What each of `count` things takes that came since `self`: asked for, and taken.
    pub fn each(self, count: usize) -> (f64, f64) {
        let now = Self::now();
        let per = |after: usize, before: usize| (after as f64 - before as f64) / count as f64;
        (
            per(now.requested, self.requested),
            per(now.taken, self.taken),
        )
    }
}
