//! The functions of `string.h` for strings, and those that look for a byte.

use crate::memory::{memcpy, memset};
use core::ffi::{c_char, c_int, c_void};
use core::ptr;

/// The number of bytes before the null byte.
///
/// # Safety
///
/// `string` is valid for reads up to its null byte.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strlen(string: *const c_char) -> usize {
    use core::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_load_si128, _mm_movemask_epi8, _mm_setzero_si128,
    };
    let misalignment = string.addr() % 16;
    // SAFETY: aligned blocks of 16 bytes never cross a page, so each that is read has a byte of the
    // string and can be read as a whole.
    unsafe {
        let zero = _mm_setzero_si128();
        let mut block = string.byte_sub(misalignment).cast();
        let ends = |block| _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_load_si128(block), zero));
        // What lies before the string does not count.
        let mut mask = ends(block) >> misalignment << misalignment;
        while mask == 0 {
            block = block.add(1);
            mask = ends(block);
        }
        block.addr() + mask.trailing_zeros() as usize - string.addr()
    }
}

/// The number of bytes before the null byte, or `limit` if there is none among that many.
///
/// # Safety
///
/// `string` is valid for reads up to its null byte or of `limit` bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strnlen(string: *const c_char, limit: usize) -> usize {
    // SAFETY: the caller's promise is the same.
    let end = unsafe { memchr(string.cast(), 0, limit) };
    if end.is_null() {
        limit
    } else {
        end.addr() - string.addr()
    }
}

/// The first of `size` bytes that equals the lowest eight bits of `byte`, or null.
///
/// # Safety
///
/// `block` is valid for reads up to that byte or of `size` bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memchr(block: *const c_void, byte: c_int, size: usize) -> *mut c_void {
    let block = block.cast::<u8>();
    (0..size)
        // SAFETY: see above.
        .map(|index| unsafe { block.add(index) })
        // SAFETY: see above.
        .find(|&at| unsafe { *at } == byte as u8)
        .map_or(ptr::null_mut(), |at| at.cast_mut().cast())
}

/// The last of `size` bytes that equals the lowest eight bits of `byte`, or null.
///
/// # Safety
///
/// `block` is valid for reads of `size` bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn memrchr(block: *const c_void, byte: c_int, size: usize) -> *mut c_void {
    let block = block.cast::<u8>();
    (0..size)
        .rev()
        // SAFETY: see above.
        .map(|index| unsafe { block.add(index) })
        // SAFETY: see above.
        .find(|&at| unsafe { *at } == byte as u8)
        .map_or(ptr::null_mut(), |at| at.cast_mut().cast())
}

/// The first byte of a string that equals the lowest eight bits of `byte`, or null; the null byte
/// counts as one.
///
/// # Safety
///
/// `string` is valid for reads up to its null byte.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strchr(string: *const c_char, byte: c_int) -> *mut c_char {
    // SAFETY: see above.
    unsafe { memchr(string.cast(), byte, strlen(string) + 1).cast() }
}

/// The last byte of a string that equals the lowest eight bits of `byte`, or null; the null byte
/// counts as one.
///
/// # Safety
///
/// `string` is valid for reads up to its null byte.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strrchr(string: *const c_char, byte: c_int) -> *mut c_char {
    // SAFETY: see above.
    unsafe { memrchr(string.cast(), byte, strlen(string) + 1).cast() }
}

/// Compares two strings as [`memcmp`](crate::memory::memcmp) does.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strcmp(left: *const c_char, right: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { strncmp(left, right, usize::MAX) }
}

/// Compares two strings, or their first `limit` bytes, as [`memcmp`](crate::memory::memcmp) does.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes or of `limit` bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strncmp(left: *const c_char, right: *const c_char, limit: usize) -> c_int {
    for index in 0..limit {
        // SAFETY: neither string has ended before this byte.
        let (left, right) = unsafe { (*left.add(index) as u8, *right.add(index) as u8) };
        if left != right || left == 0 {
            return c_int::from(left) - c_int::from(right);
        }
    }
    0
}

/// How many bytes at the beginning of `string` are among those of `set`.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strspn(string: *const c_char, set: *const c_char) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { span(string, set, true) }
}

/// How many bytes at the beginning of `string` are not among those of `set`.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strcspn(string: *const c_char, set: *const c_char) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { span(string, set, false) }
}

/// How many bytes at the beginning of `string` are among those of `set`, or are not.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
unsafe fn span(string: *const c_char, set: *const c_char, among: bool) -> usize {
    // SAFETY: see above.
    unsafe {
        let (length, size) = (strlen(string), strlen(set));
        let is_among = |byte: c_char| !memchr(set.cast(), byte.into(), size).is_null();
        (0..length)
            .find(|&index| is_among(*string.add(index)) != among)
            .unwrap_or(length)
    }
}

/// The first byte of `string` that is among those of `set`, or null.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strpbrk(string: *const c_char, set: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise is the same; what is found lies in the string.
    unsafe {
        let found = string.add(strcspn(string, set));
        if *found == 0 {
            ptr::null_mut()
        } else {
            found.cast_mut()
        }
    }
}

/// Copies a string with its null byte; gives its length. A function of its own because LLVM knows C's: it would make
/// `strcpy` call itself, were it written with `stpcpy`.
///
/// # Safety
///
/// `from` is valid for reads up to its null byte, `to` for as many writes; they do not overlap.
unsafe fn copy(to: *mut c_char, from: *const c_char) -> usize {
    // SAFETY: see above.
    unsafe {
        let length = strlen(from);
        memcpy(to.cast(), from.cast(), length + 1);
        length
    }
}

/// Copies a string with its null byte; gives `to`.
///
/// # Safety
///
/// `from` is valid for reads up to its null byte, `to` for as many writes; they do not overlap.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise is the same.
    unsafe { copy(to, from) };
    to
}

/// As [`strcpy`], but gives the address of the copy's null byte.
///
/// # Safety
///
/// That of [`strcpy`].
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn stpcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: the caller's promise is the same; the copy has as many bytes before its null byte.
    unsafe { to.add(copy(to, from)) }
}

/// Copies a string, or its first `size` bytes, and fills up with null bytes; gives `to`.
///
/// # Safety
///
/// `from` is valid for reads up to its null byte or of `size` bytes, `to` for writes of `size` bytes; they do not overlap.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strncpy(to: *mut c_char, from: *const c_char, size: usize) -> *mut c_char {
    // SAFETY: see above; the length is at most `size`.
    unsafe {
        let length = strnlen(from, size);
        memcpy(to.cast(), from.cast(), length);
        memset(to.add(length).cast(), 0, size - length);
    }
    to
}

/// Appends a string; gives `to`.
///
/// # Safety
///
/// As [`strcpy`], from the end of the string at `to` on.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strcat(to: *mut c_char, from: *const c_char) -> *mut c_char {
    // SAFETY: see above.
    unsafe { copy(to.add(strlen(to)), from) };
    to
}

/// Where `part` begins in `string` for the first time, or null.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strstr(string: *const c_char, part: *const c_char) -> *mut c_char {
    // SAFETY: see above; `strncmp` ends at the string's null byte.
    unsafe {
        let size = strlen(part);
        (0..=strlen(string))
            .map(|index| string.add(index))
            .find(|&place| strncmp(place, part, size) == 0)
            .map_or(ptr::null_mut(), <*const c_char>::cast_mut)
    }
}

/// Compares two strings as [`strcmp`] does, with ASCII's capital letters as small ones.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strcasecmp(left: *const c_char, right: *const c_char) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { strncasecmp(left, right, usize::MAX) }
}

/// Compares two strings as [`strncmp`] does, with ASCII's capital letters as small ones.
///
/// # Safety
///
/// Both are valid for reads up to their null bytes or of `limit` bytes.
#[cfg_attr(nolibc_archive, unsafe(no_mangle))]
pub unsafe extern "C" fn strncasecmp(
    left: *const c_char,
    right: *const c_char,
    limit: usize,
) -> c_int {
    for index in 0..limit {
        // SAFETY: neither string has ended before this byte.
        let bytes = unsafe { [*left.add(index) as u8, *right.add(index) as u8] };
        let [left, right] = bytes.map(|byte| byte.to_ascii_lowercase());
        if left != right || left == 0 {
            return c_int::from(left) - c_int::from(right);
        }
    }
    0
}
