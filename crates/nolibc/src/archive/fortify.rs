//! What compilers with `_FORTIFY_SOURCE` call in place of functions that write: with the room that there really is. A
//! program that would write beyond it ends.

use super::hypercall::fatal;
use crate::memory::{memcpy, memmove, memset};
use crate::strings::{stpcpy, strcat, strcpy, strlen, strncpy};
use core::ffi::{c_char, c_int, c_void};

fn check(size: usize, room: usize) {
    if size > room {
        fatal("C code writes more into a buffer than it has room for");
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __memcpy_chk(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
    room: usize,
) -> *mut c_void {
    check(size, room);
    // SAFETY: the caller's promises are those of `memcpy`.
    unsafe { memcpy(to, from, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __memmove_chk(
    to: *mut c_void,
    from: *const c_void,
    size: usize,
    room: usize,
) -> *mut c_void {
    check(size, room);
    // SAFETY: the caller's promises are those of `memmove`.
    unsafe { memmove(to, from, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __memset_chk(
    block: *mut c_void,
    byte: c_int,
    size: usize,
    room: usize,
) -> *mut c_void {
    check(size, room);
    // SAFETY: the caller's promises are those of `memset`.
    unsafe { memset(block, byte, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __strcpy_chk(
    to: *mut c_char,
    from: *const c_char,
    room: usize,
) -> *mut c_char {
    // SAFETY: the caller's promises are those of `strcpy`.
    unsafe {
        check(strlen(from) + 1, room);
        strcpy(to, from)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __stpcpy_chk(
    to: *mut c_char,
    from: *const c_char,
    room: usize,
) -> *mut c_char {
    // SAFETY: the caller's promises are those of `stpcpy`.
    unsafe {
        check(strlen(from) + 1, room);
        stpcpy(to, from)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __strncpy_chk(
    to: *mut c_char,
    from: *const c_char,
    size: usize,
    room: usize,
) -> *mut c_char {
    check(size, room);
    // SAFETY: the caller's promises are those of `strncpy`.
    unsafe { strncpy(to, from, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __strcat_chk(
    to: *mut c_char,
    from: *const c_char,
    room: usize,
) -> *mut c_char {
    // SAFETY: the caller's promises are those of `strcat`.
    unsafe {
        check(strlen(to) + strlen(from) + 1, room);
        strcat(to, from)
    }
}
