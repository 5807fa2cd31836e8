//! `malloc` and its family.

use super::errno::fail;
use super::single_thread::SingleThread;
use crate::heap::{Heap, MIN_ALIGN};
use crate::memory::{memcpy, memset};
use core::ffi::{c_int, c_void};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};
use libc::{EINVAL, ENOMEM, size_t};

const PAGE: usize = 4096;

static HEAP: SingleThread<Heap> = SingleThread::new(Heap::new());
/// All the memory that it was given, in octets.
static SIZE: AtomicUsize = AtomicUsize::new(0);

pub(super) fn size() -> usize {
    SIZE.load(Ordering::Relaxed)
}

/// The octets of the largest block that is free, nearly.
pub(super) fn largest_free() -> usize {
    // SAFETY: nothing else refers to HEAP while this function runs.
    unsafe { (*HEAP.get()).largest_free() }
}

/// Gives the heap its memory, from `start` to `end`.
///
/// # Safety
///
/// The range is valid for reads and writes for ever, and nothing else uses it.
pub(super) unsafe fn initialise(start: usize, end: usize) {
    let start = ptr::with_exposed_provenance_mut::<u8>(start);
    if let Some(memory) = NonNull::new(start) {
        let size = end.saturating_sub(start.addr());
        SIZE.store(size, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same. Nothing else refers to HEAP meanwhile.
        unsafe { (*HEAP.get()).add(NonNull::slice_from_raw_parts(memory, size)) };
    }
}

/// An allocation of zeroed bytes, or null.
pub(super) fn zeroed(size: usize) -> *mut u8 {
    calloc(1, size).cast()
}

fn out_of_memory() -> *mut c_void {
    fail(ENOMEM);
    ptr::null_mut()
}

/// `None` becomes a null pointer and an error.
fn checked(allocation: Option<NonNull<u8>>) -> *mut c_void {
    allocation.map_or_else(out_of_memory, |allocation| allocation.as_ptr().cast())
}

fn allocate_zeroed(size: usize, align: usize) -> Option<NonNull<u8>> {
    let allocation = allocate(size, align)?;
    // SAFETY: the allocation has `size` bytes.
    unsafe { memset(allocation.as_ptr().cast(), 0, size) };
    Some(allocation)
}

fn allocate(size: usize, align: usize) -> Option<NonNull<u8>> {
    // SAFETY: nothing else refers to HEAP while this function runs.
    unsafe { (*HEAP.get()).allocate(size, align) }
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: size_t) -> *mut c_void {
    checked(allocate(size, MIN_ALIGN))
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    let Some(size) = count.checked_mul(size) else {
        return out_of_memory();
    };
    checked(allocate_zeroed(size, MIN_ALIGN))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(allocation: *mut c_void) {
    if let Some(allocation) = NonNull::new(allocation.cast()) {
        // SAFETY: the caller got the pointer from a function of this file and does not use it
        // again. Nothing else refers to HEAP while this function runs.
        unsafe { (*HEAP.get()).free(allocation) }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(allocation: *mut c_void, size: size_t) -> *mut c_void {
    let Some(allocation) = NonNull::new(allocation.cast()) else {
        return malloc(size);
    };
    // SAFETY: as in `free`.
    checked(unsafe { (*HEAP.get()).reallocate(allocation, size) })
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
extern "C" fn aligned_alloc(align: size_t, size: size_t) -> *mut c_void {
    if !align.is_power_of_two() {
        fail(EINVAL);
        return ptr::null_mut();
    }
    checked(allocate(size, align))
}

#[unsafe(no_mangle)]
extern "C" fn memalign(align: size_t, size: size_t) -> *mut c_void {
    aligned_alloc(align, size)
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
    let Some(allocation) = allocate(size, align) else {
        return ENOMEM;
    };
    // SAFETY: the caller gives a place for the pointer.
    unsafe { result.write(allocation.as_ptr().cast()) };
    0
}

/// Anonymous memory only, of whole pages; it comes from the heap and is never executable.
#[unsafe(no_mangle)]
extern "C" fn mmap64(
    _hint: *mut c_void,
    size: size_t,
    protection: c_int,
    flags: c_int,
) -> *mut c_void {
    let wanted = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
    let impossible = libc::MAP_FIXED;
    if flags & (wanted | impossible) != wanted || protection & libc::PROT_EXEC != 0 {
        fail(libc::ENOSYS);
        return libc::MAP_FAILED;
    }
    let Some(size) = size.checked_next_multiple_of(PAGE).filter(|&size| size > 0) else {
        fail(EINVAL);
        return libc::MAP_FAILED;
    };
    let Some(allocation) = allocate_zeroed(size, PAGE) else {
        fail(ENOMEM);
        return libc::MAP_FAILED;
    };
    let address = allocation.as_ptr().cast();
    if !Mapping::remember(address, size) {
        // SAFETY: it was allocated above, and nobody else knows of it.
        unsafe { free(address) };
        fail(ENOMEM);
        return libc::MAP_FAILED;
    }
    address
}

#[unsafe(no_mangle)]
extern "C" fn mmap(
    hint: *mut c_void,
    size: size_t,
    protection: c_int,
    flags: c_int,
) -> *mut c_void {
    mmap64(hint, size, protection, flags)
}

/// For whole mappings, which is what crates unmap: a part of one, and several at once, are refused with EINVAL.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, size: size_t) -> c_int {
    let size = size.checked_next_multiple_of(PAGE);
    if !size.is_some_and(|size| Mapping::forget(address, size)) {
        fail(EINVAL);
        return -1;
    }
    // SAFETY: the address is one that `mmap64` gave, and the caller does not use the memory again.
    unsafe { free(address) };
    0
}

/// For whole mappings, as `munmap`: a smaller one stays where it is, a larger one moves if it may.
#[unsafe(no_mangle)]
unsafe extern "C" fn mremap(
    address: *mut c_void,
    old_size: size_t,
    new_size: size_t,
    flags: c_int,
) -> *mut c_void {
    let sizes = [old_size, new_size].map(|size| size.checked_next_multiple_of(PAGE));
    let [Some(old_size), Some(new_size)] = sizes else {
        fail(ENOMEM);
        return libc::MAP_FAILED;
    };
    let only_moves = flags & !libc::MREMAP_MAYMOVE == 0;
    if new_size == 0 || !only_moves || !Mapping::resize(address, old_size, old_size) {
        fail(EINVAL);
        return libc::MAP_FAILED;
    }
    if new_size <= old_size {
        Mapping::resize(address, old_size, new_size);
        return address;
    }
    if flags & libc::MREMAP_MAYMOVE == 0 {
        fail(ENOMEM);
        return libc::MAP_FAILED;
    }
    let anonymous = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
    let moved = mmap64(ptr::null_mut(), new_size, libc::PROT_READ, anonymous);
    if moved != libc::MAP_FAILED {
        // SAFETY: both mappings have at least the old size; the caller does not use the old one again.
        unsafe {
            memcpy(moved, address, old_size);
            munmap(address, old_size);
        }
    }
    moved
}

/// A mapping that there is, in a list: few programs have many.
struct Mapping {
    address: *mut c_void,
    size: usize,
    next: *mut Self,
}

static MAPPINGS: SingleThread<*mut Mapping> = SingleThread::new(ptr::null_mut());

impl Mapping {
    /// False if there is no memory for it.
    fn remember(address: *mut c_void, size: usize) -> bool {
        let node: *mut Self = malloc(size_of::<Self>()).cast();
        if node.is_null() {
            return false;
        }
        // SAFETY: the node is fresh and large enough; nothing else refers to the list meanwhile.
        unsafe {
            let next = *MAPPINGS.get();
            node.write(Self {
                address,
                size,
                next,
            });
            *MAPPINGS.get() = node;
        }
        true
    }

    /// False if there is none with exactly these pages.
    fn resize(address: *mut c_void, size: usize, new_size: usize) -> bool {
        // SAFETY: as in `forget`; the reference ends with each step.
        unsafe {
            let mut next = *MAPPINGS.get();
            while let Some(node) = next.as_mut() {
                if node.address == address && node.size == size {
                    node.size = new_size;
                    return true;
                }
                next = node.next;
            }
        }
        false
    }

    /// False if there is none with exactly these pages.
    fn forget(address: *mut c_void, size: usize) -> bool {
        // SAFETY: the list consists of nodes that `remember` has made and that are freed here alone, after they have been
        // taken out; nothing else refers to it meanwhile.
        unsafe {
            let mut link = MAPPINGS.get();
            while let Some(node) = (*link).as_mut() {
                if node.address == address && node.size == size {
                    let found = *link;
                    *link = node.next;
                    free(found.cast());
                    return true;
                }
                link = &raw mut node.next;
            }
        }
        false
    }
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
