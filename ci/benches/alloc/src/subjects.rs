//! The allocators, behind C's interface: `free` and `realloc` are told neither size nor alignment.

use std::alloc::Layout;
use std::ptr::{self, NonNull};

/// What `malloc` and its family need. All alignments are 16.
pub trait Subject {
    /// An allocator of the memory given.
    fn new(memory: *mut u8, size: usize) -> Self;
    fn malloc(&mut self, size: usize) -> *mut u8;
    unsafe fn free(&mut self, allocation: *mut u8);
    unsafe fn realloc(&mut self, allocation: *mut u8, size: usize) -> *mut u8;
}

/// What precedes an allocation of those that want its size back: 16 bytes, for the alignment.
const HEADER: usize = 16;

fn with_header(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, 16).ok()
}

#[cfg(feature = "dlmalloc")]
pub struct Memory(std::cell::Cell<(*mut u8, usize)>);

#[cfg(feature = "dlmalloc")]
// SAFETY: the memory is given out once, and never taken back.
unsafe impl dlmalloc::Allocator for Memory {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let (memory, available) = self.0.replace((ptr::null_mut(), 0));
        if size > available {
            return (ptr::null_mut(), 0, 0);
        }
        (memory, available, 0)
    }
    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }
    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }
    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }
    fn can_release_part(&self, _: u32) -> bool {
        false
    }
    fn allocates_zeros(&self) -> bool {
        false
    }
    fn page_size(&self) -> usize {
        4096
    }
}

#[cfg(feature = "dlmalloc")]
// SAFETY: there is one thread.
unsafe impl Send for Memory {}

#[cfg(feature = "dlmalloc")]
impl Subject for dlmalloc::Dlmalloc<Memory> {
    fn new(memory: *mut u8, size: usize) -> Self {
        Self::new_with_allocator(Memory((memory, size).into()))
    }
    fn malloc(&mut self, size: usize) -> *mut u8 {
        // SAFETY: 16 is a power of two.
        unsafe { self.c_memalign(16, size) }
    }
    unsafe fn free(&mut self, allocation: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.c_free(allocation) }
    }
    unsafe fn realloc(&mut self, allocation: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { self.c_realloc(allocation, size) }
    }
}

#[cfg(feature = "rlsf")]
pub type Rlsf = rlsf::Tlsf<'static, u32, u32, 28, 32>;

#[cfg(feature = "rlsf")]
impl Subject for Rlsf {
    fn new(memory: *mut u8, size: usize) -> Self {
        let mut allocator = Self::new();
        let block = NonNull::slice_from_raw_parts(NonNull::new(memory).unwrap(), size);
        // SAFETY: the memory is the allocator's from now on.
        unsafe { allocator.insert_free_block_ptr(block) };
        allocator
    }
    fn malloc(&mut self, size: usize) -> *mut u8 {
        let layout = Layout::from_size_align(size, 16);
        layout
            .ok()
            .and_then(|layout| self.allocate(layout))
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }
    // rlsf wants to know the alignment; nolibc would have to note down those above 16.
    unsafe fn free(&mut self, allocation: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { self.deallocate(NonNull::new_unchecked(allocation), 16) }
    }
    unsafe fn realloc(&mut self, allocation: *mut u8, size: usize) -> *mut u8 {
        let Ok(layout) = Layout::from_size_align(size, 16) else {
            return ptr::null_mut();
        };
        // SAFETY: the caller's promise.
        let result = unsafe { self.reallocate(NonNull::new_unchecked(allocation), layout) };
        result.map_or(ptr::null_mut(), NonNull::as_ptr)
    }
}

#[cfg(feature = "talc")]
pub type Talc = talc::base::Talc<talc::source::Manual, talc::DefaultBinning>;

#[cfg(feature = "talc")]
impl Subject for Talc {
    fn new(memory: *mut u8, size: usize) -> Self {
        let mut allocator = Self::new(talc::source::Manual);
        // SAFETY: the memory is the allocator's from now on.
        unsafe { allocator.claim(memory, size) };
        allocator
    }
    fn malloc(&mut self, size: usize) -> *mut u8 {
        let Some(layout) = with_header(size) else {
            return ptr::null_mut();
        };
        // SAFETY: the size is not zero; the header belongs to the allocation.
        unsafe {
            self.allocate(layout).map_or(ptr::null_mut(), |start| {
                start.cast::<usize>().write(size);
                start.as_ptr().add(HEADER)
            })
        }
    }
    unsafe fn free(&mut self, allocation: *mut u8) {
        // SAFETY: `malloc` wrote the header.
        unsafe {
            let start = allocation.sub(HEADER);
            let size = start.cast::<usize>().read();
            self.deallocate(start, with_header(size).unwrap());
        }
    }
    unsafe fn realloc(&mut self, allocation: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: `malloc` wrote the header.
        unsafe {
            let start = allocation.sub(HEADER);
            let old = start.cast::<usize>().read();
            if self.try_realloc_in_place(start, with_header(old).unwrap(), size + HEADER) {
                start.cast::<usize>().write(size);
                return allocation;
            }
            let new = self.malloc(size);
            if !new.is_null() {
                new.copy_from_nonoverlapping(allocation, old.min(size));
                self.free(allocation);
            }
            new
        }
    }
}
