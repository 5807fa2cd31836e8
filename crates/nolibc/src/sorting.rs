//! `qsort` and `bsearch`.

use core::cmp::Ordering;
use core::ffi::{c_int, c_void};
use core::ptr;

/// Gives a number below, equal to or above zero, as the first comes before, with or after the second.
type Compare = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

/// An array whose elements are `size` bytes each.
struct Array {
    start: *mut u8,
    size: usize,
    compare: Compare,
}

impl Array {
    /// # Safety
    ///
    /// The array has an element of this number.
    unsafe fn at(&self, index: usize) -> *mut u8 {
        // SAFETY: the element lies in the array.
        unsafe { self.start.add(index * self.size) }
    }

    /// # Safety
    ///
    /// The array has elements of both numbers, and its function may be called.
    unsafe fn less(&self, left: usize, right: usize) -> bool {
        // SAFETY: see above.
        unsafe { (self.compare)(self.at(left).cast(), self.at(right).cast()) < 0 }
    }

    /// Lets the element at `root` sink until none below it, among the first `length`, comes after it.
    ///
    /// # Safety
    ///
    /// The array has `length` elements, and its function may be called.
    unsafe fn sink(&self, mut root: usize, length: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            // SAFETY: all numbers are below `length`; two different elements do not overlap.
            unsafe {
                if child + 1 < length && self.less(child, child + 1) {
                    child += 1;
                }
                if !self.less(root, child) {
                    return;
                }
                ptr::swap_nonoverlapping(self.at(root), self.at(child), self.size);
            }
            root = child;
        }
    }
}

/// Sorts `count` elements of `size` bytes, in place, without more memory and in O(n log n) steps whatever the order at
/// first (a heap sort). Equal elements end in any order.
///
/// # Safety
///
/// `start` is valid for reads and writes of the elements; `compare` may be called with any two.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn qsort(start: *mut c_void, count: usize, size: usize, compare: Compare) {
    if size == 0 {
        return;
    }
    let array = Array {
        start: start.cast(),
        size,
        compare,
    };
    // SAFETY: see above; all numbers are below `count`.
    unsafe {
        for root in (0..count / 2).rev() {
            array.sink(root, count);
        }
        for last in (1..count).rev() {
            ptr::swap_nonoverlapping(array.at(0), array.at(last), size);
            array.sink(0, last);
        }
    }
}

/// An element that equals `key` among `count` sorted ones of `size` bytes, or null. `compare` gets the key first.
///
/// # Safety
///
/// `start` is valid for reads of the elements; `compare` may be called with the key and any of them.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn bsearch(
    key: *const c_void,
    start: *const c_void,
    count: usize,
    size: usize,
    compare: Compare,
) -> *mut c_void {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        // SAFETY: see above; the number is below `count`.
        let (element, order) = unsafe {
            let element = start.byte_add(middle * size);
            (element, compare(key, element))
        };
        match order.cmp(&0) {
            Ordering::Less => high = middle,
            Ordering::Equal => return element.cast_mut(),
            Ordering::Greater => low = middle + 1,
        }
    }
    ptr::null_mut()
}
