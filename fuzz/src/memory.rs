//! How much memory there is in use, and was at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with what it gives out counted.
pub struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// What is in use.
pub fn in_use() -> usize {
    NOW.load(Relaxed)
}

/// Ends the target when more than so much is in use; `usize::MAX` is no limit.
pub fn limit(most: usize) {
    MOST.store(most, Relaxed);
}

/// Lets the peak begin anew; what is in use.
pub fn reset() -> usize {
    let now = in_use();
    PEAK.store(now, Relaxed);
    now
}

/// The most that was in use since.
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

// SAFETY: what the system's allocator does is not changed.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        if now > MOST.load(Relaxed) {
            limit(usize::MAX);
            eprintln!("{now} octets are in use");
            abort();
        }
        // SAFETY: the caller's promises are those that are asked for here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that are asked for here.
        unsafe { System.dealloc(pointer, layout) }
    }
}
