//! `malloc` and its family: dlmalloc over the memory that Solo5 gives the application. The README
//! says why dlmalloc.

use super::errno::fail;
use super::single_thread::SingleThread;
use crate::memory::{memcpy, memset};
use core::ffi::{c_int, c_void};
use core::ptr;
use dlmalloc::{Allocator, Dlmalloc};
use libc::{EINVAL, ENOMEM, size_t};

const PAGE: usize = 4096;

/// What `malloc` aligns to: the alignment of C's `max_align_t`.
const MIN_ALIGN: usize = 16;

/// The application's memory, which dlmalloc gets whole when it first asks for some.
struct Memory {
    start: SingleThread<usize>,
    size: SingleThread<usize>,
}

static MEMORY: Memory = Memory {
    start: SingleThread::new(0),
    size: SingleThread::new(0),
};

// SAFETY: `alloc` gives out the range once, and nothing else uses it. Nothing is ever taken back, so
// `remap`, `free_part` and `free` refuse, which is always allowed.
unsafe impl Allocator for &'static Memory {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // SAFETY: nothing else refers to the two numbers while this function runs.
        unsafe {
            let available = self.size.get().read();
            if size > available {
                return (ptr::null_mut(), 0, 0);
            }
            self.size.get().write(0);
            (self.start.get().read() as *mut u8, available, 0)
        }
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
        PAGE
    }
}

static HEAP: SingleThread<Dlmalloc<&'static Memory>> =
    SingleThread::new(Dlmalloc::new_with_allocator(&MEMORY));

/// Gives the heap its memory: whole pages from `start` to `end`.
///
/// # Safety
///
/// To be called once, before anything else here, with a range that nothing else uses.
pub(super) unsafe fn initialise(start: usize, end: usize) {
    let start = start.next_multiple_of(PAGE);
    let end = end & !(PAGE - 1);
    // SAFETY: nothing else refers to the two numbers while this function runs.
    unsafe {
        MEMORY.start.get().write(start);
        MEMORY.size.get().write(end.saturating_sub(start));
    }
}

/// An allocation of zeroed bytes, or null.
pub(super) fn zeroed(size: usize) -> *mut u8 {
    // SAFETY: `calloc` has no requirements on its arguments.
    unsafe { calloc(1, size).cast() }
}

fn out_of_memory() -> *mut c_void {
    fail(ENOMEM);
    ptr::null_mut()
}

/// `null` becomes an error.
fn checked(allocation: *mut u8) -> *mut c_void {
    if allocation.is_null() {
        return out_of_memory();
    }
    allocation.cast()
}

/// A larger size or alignment is refused, because dlmalloc adds some bytes to either unchecked. It is
/// more than any address space.
const LIMIT: usize = isize::MAX as usize / 2;

/// # Safety
///
/// `align` is a power of two.
unsafe fn allocate(size: usize, align: usize) -> *mut u8 {
    if size > LIMIT || align > LIMIT {
        return ptr::null_mut();
    }
    // SAFETY: nothing else refers to HEAP while this function runs; `align` is a power of two.
    unsafe { (*HEAP.get()).c_memalign(align, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    // SAFETY: 16 is a power of two.
    checked(unsafe { allocate(size, MIN_ALIGN) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else {
        return out_of_memory();
    };
    // SAFETY: 16 is a power of two; the allocation has `size` bytes.
    unsafe {
        let allocation = allocate(size, MIN_ALIGN);
        if !allocation.is_null() {
            memset(allocation.cast(), 0, size);
        }
        checked(allocation)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(allocation: *mut c_void) {
    if !allocation.is_null() {
        // SAFETY: the caller got the pointer from a function of this file and does not use it
        // again. Nothing else refers to HEAP while this function runs.
        unsafe { (*HEAP.get()).c_free(allocation.cast()) }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(allocation: *mut c_void, size: size_t) -> *mut c_void {
    if allocation.is_null() {
        // SAFETY: `malloc` has no requirements on its argument.
        return unsafe { malloc(size) };
    }
    if size > LIMIT {
        return out_of_memory();
    }
    // SAFETY: as in `free`.
    checked(unsafe { (*HEAP.get()).c_realloc(allocation.cast(), size) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarray(
    allocation: *mut c_void,
    count: size_t,
    size: size_t,
) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the caller's promises are those of `realloc`.
        Some(size) => unsafe { realloc(allocation, size) },
        None => out_of_memory(),
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn aligned_alloc(align: size_t, size: size_t) -> *mut c_void {
    if !align.is_power_of_two() {
        fail(EINVAL);
        return ptr::null_mut();
    }
    // SAFETY: `align` is a power of two.
    checked(unsafe { allocate(size, align.max(MIN_ALIGN)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memalign(align: size_t, size: size_t) -> *mut c_void {
    // SAFETY: `aligned_alloc` has no requirements on its arguments.
    unsafe { aligned_alloc(align, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(
    result: *mut *mut c_void,
    align: size_t,
    size: size_t,
) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return EINVAL;
    }
    // SAFETY: `align` is a power of two; the caller gives a place for the pointer.
    unsafe {
        let allocation = allocate(size, align.max(MIN_ALIGN));
        if allocation.is_null() {
            return ENOMEM;
        }
        result.write(allocation.cast());
    }
    0
}

/// Anonymous memory only, of whole pages; it comes from the heap and is never executable.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap64(
    address: *mut c_void,
    size: size_t,
    protection: c_int,
    flags: c_int,
    _file: c_int,
    _offset: libc::off64_t,
) -> *mut c_void {
    let possible = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
    if flags & possible != possible
        || flags & libc::MAP_FIXED != 0
        || protection & libc::PROT_EXEC != 0
    {
        fail(libc::ENOSYS);
        return libc::MAP_FAILED;
    }
    let _hint = address;
    let Some(size) = size.checked_next_multiple_of(PAGE).filter(|&size| size > 0) else {
        fail(EINVAL);
        return libc::MAP_FAILED;
    };
    // SAFETY: a page is a power of two of bytes; the allocation has `size` bytes.
    unsafe {
        let allocation = allocate(size, PAGE);
        if allocation.is_null() {
            fail(ENOMEM);
            return libc::MAP_FAILED;
        }
        memset(allocation.cast(), 0, size)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    size: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: libc::off_t,
) -> *mut c_void {
    // SAFETY: `mmap64` has no requirements on its arguments.
    unsafe { mmap64(address, size, protection, flags, file, offset) }
}

/// For whole mappings, which is what crates unmap.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, _size: size_t) -> c_int {
    // SAFETY: the caller got the address from `mmap` and does not use it again.
    unsafe { free(address) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strdup(string: *const core::ffi::c_char) -> *mut core::ffi::c_char {
    // SAFETY: the caller gives a C string, of which the allocation holds a copy.
    unsafe {
        let size = crate::strings::strlen(string) + 1;
        let copy = malloc(size);
        if !copy.is_null() {
            memcpy(copy, string.cast(), size);
        }
        copy.cast()
    }
}
