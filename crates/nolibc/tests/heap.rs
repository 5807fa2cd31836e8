//! The heap under random requests: what is allocated is aligned, apart from everything else, and
//! keeps its contents.

use nolibc::heap::{Heap, MIN_ALIGN};
use std::ptr::NonNull;

const MEMORY: usize = 8 << 20;

fn heap() -> Heap {
    let memory: &'static mut [u8] = vec![0; MEMORY].leak();
    let mut heap = Heap::new();
    // SAFETY: nobody else has this memory.
    unsafe { heap.add(NonNull::from(memory)) };
    heap
}

/// xorshift64*.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// An allocation, filled with its own number.
struct Filled {
    start: NonNull<u8>,
    size: usize,
    number: u8,
}

impl Filled {
    fn new(start: NonNull<u8>, size: usize, number: u8) -> Self {
        // SAFETY: the heap gave this many bytes.
        unsafe { start.write_bytes(number, size) };
        Self {
            start,
            size,
            number,
        }
    }

    #[track_caller]
    fn check(&self, size: usize) {
        // SAFETY: the heap gave at least as many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(self.start.as_ptr(), size) };
        assert!(bytes.iter().all(|&byte| byte == self.number), "overwritten");
    }
}

#[test]
fn random_requests() {
    for seed in 1..=8 {
        let mut heap = heap();
        let mut numbers = Numbers(seed);
        let mut live: Vec<Filled> = Vec::new();
        for round in 0..20_000_usize {
            let power = numbers.below(16);
            let size = numbers.below(1 << power);
            let number = round as u8;
            if numbers.below(3) == 0 && !live.is_empty() {
                let old = live.swap_remove(numbers.below(live.len()));
                old.check(old.size);
                // SAFETY: the allocation is live; the old pointer is used again on failure only.
                if let Some(start) = unsafe { heap.reallocate(old.start, size) } {
                    assert!(start.addr().get().is_multiple_of(MIN_ALIGN));
                    Filled { start, ..old }.check(size.min(old.size));
                    live.push(Filled::new(start, size, number));
                } else {
                    live.push(old);
                }
            } else {
                let align = 1 << numbers.below(13);
                while let Some(start) = heap.allocate(size, align) {
                    assert!(start.addr().get().is_multiple_of(align.max(MIN_ALIGN)));
                    live.push(Filled::new(start, size, number));
                    if numbers.below(2) == 0 {
                        break;
                    }
                }
            }
            while live.len() > 200 {
                let old = live.swap_remove(numbers.below(live.len()));
                old.check(old.size);
                // SAFETY: the allocation is live and is not used again.
                unsafe { heap.free(old.start) };
            }
        }
        for old in live {
            old.check(old.size);
            // SAFETY: the allocation is live and is not used again.
            unsafe { heap.free(old.start) };
        }
        // All that was freed has become one block again.
        assert!(heap.allocate(MEMORY - MEMORY / 16, MIN_ALIGN).is_some());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut heap = heap();
    for size in [MEMORY, 1 << 40, isize::MAX as usize, usize::MAX] {
        assert_eq!(heap.allocate(size, 16), None, "{size}");
    }
    for align in [24, 1 << 40, 1 << 63] {
        assert_eq!(heap.allocate(1, align), None, "{align}");
    }
    let allocation = heap.allocate(100, 16).expect("room");
    // SAFETY: the allocation is live.
    unsafe {
        assert_eq!(heap.reallocate(allocation, usize::MAX), None);
        assert_eq!(heap.reallocate(allocation, MEMORY), None);
        heap.free(allocation);
    }
    assert_eq!(Heap::new().allocate(1, 1), None);
}

/// A block grows where it is if what follows is free, and shrinks there in any case.
#[test]
fn reallocation_in_place() {
    let mut heap = heap();
    let first = heap.allocate(100, 16).expect("room");
    // SAFETY: the allocations are live.
    unsafe {
        assert_eq!(heap.reallocate(first, 4 << 20), Some(first));
        assert_eq!(heap.reallocate(first, 100), Some(first));
        let second = heap.allocate(100, 16).expect("room");
        assert_ne!(heap.reallocate(first, 1 << 20), Some(first));
        heap.free(second);
    }
}

#[test]
fn the_largest_free_block_can_be_allocated() {
    let mut heap = heap();
    let at_first = heap.largest_free();
    assert!((MEMORY * 31 / 32..MEMORY).contains(&at_first), "{at_first}");
    let half = heap.allocate(MEMORY / 2, MIN_ALIGN).expect("there is room");
    let left = heap.largest_free();
    assert!((MEMORY * 15 / 32..MEMORY / 2).contains(&left), "{left}");
    let rest = heap.allocate(left, MIN_ALIGN).expect("it was said to fit");
    // SAFETY: both come from this heap.
    unsafe {
        heap.free(half);
        heap.free(rest);
    }
    assert_eq!(heap.largest_free(), at_first);
}
