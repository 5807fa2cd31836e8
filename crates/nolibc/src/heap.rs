//! The allocator behind `malloc`: rlsf's two-level segregated fit, whose every operation but a moving
//! `realloc` takes constant time. The README says why rlsf.

use core::alloc::Layout;
use core::ptr::NonNull;
use rlsf::{GRANULARITY, Tlsf};

/// What every allocation is aligned to: the alignment of C's `max_align_t`.
pub const MIN_ALIGN: usize = 16;

/// Blocks of up to 128 GiB, in 32 classes of size for each power of two.
type Blocks = Tlsf<'static, u32, u32, 32, 32>;

/// An allocator that is told neither size nor alignment when it frees.
///
/// ```
/// use nolibc::heap::Heap;
/// use std::alloc::{Layout, alloc};
/// use std::ptr::NonNull;
///
/// let mut heap = Heap::new();
/// let layout = Layout::from_size_align(1 << 20, 4096)?;
/// // SAFETY: the memory is the heap's from now on, and what is allocated is freed once.
/// unsafe {
///     let memory = NonNull::new(alloc(layout)).expect("1 MiB");
///     heap.add(NonNull::slice_from_raw_parts(memory, layout.size()));
///     let allocation = heap.allocate(1000, 64).expect("1 MiB is enough");
///     assert_eq!(allocation.addr().get() % 64, 0);
///     heap.free(allocation);
/// }
/// # Ok::<(), std::alloc::LayoutError>(())
/// ```
#[derive(Debug)]
pub struct Heap {
    blocks: Blocks,
}

/// The alignment that rlsf has to be told of an allocation: all it wants to know is whether it is at
/// least its granularity, of 32 bytes. Blocks begin at multiples of that. Allocations with less
/// alignment follow the block's header, of half as many bytes, directly; all others are multiples.
fn alignment_class(allocation: NonNull<u8>) -> usize {
    if allocation.addr().get().is_multiple_of(GRANULARITY) {
        GRANULARITY
    } else {
        MIN_ALIGN
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Heap {
    /// A heap without memory.
    pub const fn new() -> Self {
        Self {
            blocks: Blocks::new(),
        }
    }

    /// Gives the heap more memory, of which it uses the whole multiples of 32 bytes.
    ///
    /// # Safety
    ///
    /// The memory is valid for reads and writes as long as the heap lives, and nothing else uses it.
    pub unsafe fn add(&mut self, memory: NonNull<[u8]>) {
        // SAFETY: the caller's promise is the same. (The result says how much is used.)
        unsafe { self.blocks.insert_free_block_ptr(memory) };
    }

    /// `size` bytes, aligned to `align` and to [`MIN_ALIGN`]; `None` if there is no room for them or
    /// `align` is no power of two.
    pub fn allocate(&mut self, size: usize, align: usize) -> Option<NonNull<u8>> {
        let layout = Layout::from_size_align(size, align.max(MIN_ALIGN)).ok()?;
        self.blocks.allocate(layout)
    }

    /// The size of the largest allocation that there is room for, less 4 KiB at most: where little was
    /// freed so far that is nearly all that is free.
    pub fn largest_free(&mut self) -> usize {
        let (mut fits, mut too_large) = (0, isize::MAX.cast_unsigned());
        while too_large - fits > 4096 {
            let middle = usize::midpoint(fits, too_large);
            match self.allocate(middle, MIN_ALIGN) {
                Some(allocation) => {
                    // SAFETY: it was allocated just now, and nobody else knows of it.
                    unsafe { self.free(allocation) };
                    fits = middle;
                }
                None => too_large = middle,
            }
        }
        fits
    }

    /// Frees an allocation.
    ///
    /// # Safety
    ///
    /// It comes from this heap, and is not used again.
    pub unsafe fn free(&mut self, allocation: NonNull<u8>) {
        // SAFETY: the caller's promise is the same; for the alignment see `alignment_class`.
        unsafe {
            self.blocks
                .deallocate(allocation, alignment_class(allocation));
        }
    }

    /// Gives an allocation a new size and possibly a new place, which has the old contents as far as
    /// they fit; `None`, and no change, if there is no room. An alignment above 32 may be lost.
    ///
    /// # Safety
    ///
    /// The allocation comes from this heap, and is not used again unless the result is `None`.
    pub unsafe fn reallocate(
        &mut self,
        allocation: NonNull<u8>,
        size: usize,
    ) -> Option<NonNull<u8>> {
        let layout = Layout::from_size_align(size, alignment_class(allocation)).ok()?;
        // SAFETY: the caller's promise is the same; for the alignment see `alignment_class`.
        unsafe { self.blocks.reallocate(allocation, layout) }
    }
}
