//! The environment: at first what the command line begins with, and the program's own to change.

use super::errno::fail;
use super::heap::zeroed;
use crate::memory::{bcmp, memcpy};
use crate::strings::{strchr, strlen};
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::{EINVAL, ENOMEM, free, realloc};

/// Null-terminated, or null. `std::env::vars` reads it, so it has C's name and type.
#[unsafe(no_mangle)]
pub(super) static mut environ: *const *mut c_char = ptr::null();

/// The table `environ` points to, and how many entries it has besides the null pointer.
///
/// # Safety
///
/// The program has not broken `environ`.
unsafe fn table() -> (*mut *mut c_char, usize) {
    // SAFETY: `environ` is null or points to a null-terminated table.
    unsafe {
        let table = environ.cast_mut();
        let mut length = 0;
        while !table.is_null() && !(*table.add(length)).is_null() {
            length += 1;
        }
        (table, length)
    }
}

/// The place of the variable whose name is the `length` bytes at `name`.
///
/// # Safety
///
/// `name` has `length` bytes, none of them null.
unsafe fn find(name: *const c_char, length: usize) -> Option<*mut *mut c_char> {
    // SAFETY: each entry is a C string. It has `length` bytes if no null byte comes before; bcmp may
    // read further than the first difference, so the lengths are compared first.
    unsafe {
        let (table, count) = table();
        (0..count).map(|index| table.add(index)).find(|&entry| {
            let equals = strchr(*entry, c_int::from(b'='));
            !equals.is_null()
                && equals.offset_from(*entry).cast_unsigned() == length
                && bcmp((*entry).cast(), name.cast(), length) == 0
        })
    }
}

/// The length of a name, if it may be one: not empty and without `=`.
///
/// # Safety
///
/// `name` is null or a C string.
unsafe fn name_length(name: *const c_char) -> Option<usize> {
    // SAFETY: `name` is a C string where it is read.
    unsafe {
        let valid = !name.is_null() && *name != 0 && strchr(name, c_int::from(b'=')).is_null();
        valid.then(|| strlen(name))
    }
}

/// Takes `--solo5:env=NAME=VALUE` off the front of the command line, as often as it stands there, and sets the variables. So
/// does whoever starts the unikernel, such as `solo5-run`, who can set them in no other way.
pub(super) fn take_from(mut line: &[u8]) -> &[u8] {
    loop {
        line = line.trim_ascii_start();
        let Some(rest) = line.strip_prefix(b"--solo5:env=") else {
            return line;
        };
        let end = rest.iter().position(u8::is_ascii_whitespace);
        let (variable, after) = rest.split_at(end.unwrap_or(rest.len()));
        line = after;
        let entry = zeroed(variable.len() + 1).cast::<c_char>();
        if variable.contains(&b'=') && !entry.is_null() {
            // SAFETY: the entry has room for the variable, with a zero behind it, and stays.
            unsafe {
                memcpy(entry.cast(), variable.as_ptr().cast(), variable.len());
                append(entry);
            }
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getenv(name: *const c_char) -> *mut c_char {
    // SAFETY: the caller gives a C string; what follows the name and `=` is one too.
    unsafe {
        let Some(length) = name_length(name) else {
            return ptr::null_mut();
        };
        find(name, length).map_or(ptr::null_mut(), |entry| (*entry).add(length + 1))
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int {
    // SAFETY: the caller gives two C strings. Entries were allocated here, by an earlier call.
    unsafe {
        let Some(length) = name_length(name) else {
            return fail(EINVAL);
        };
        let present = find(name, length);
        if present.is_some() && overwrite == 0 {
            return 0;
        }
        let value_size = strlen(value) + 1;
        let entry = zeroed(length + 1 + value_size).cast::<c_char>();
        if entry.is_null() {
            return fail(ENOMEM);
        }
        memcpy(entry.cast(), name.cast(), length);
        entry.add(length).write(b'='.cast_signed());
        memcpy(entry.add(length + 1).cast(), value.cast(), value_size);
        match present {
            Some(place) => free(place.replace(entry).cast()),
            None if !append(entry) => {
                free(entry.cast());
                return fail(ENOMEM);
            }
            None => {}
        }
    }
    0
}

/// Adds an entry to the table; `false` if there is no memory for it.
///
/// # Safety
///
/// `entry` is a C string that stays.
unsafe fn append(entry: *mut c_char) -> bool {
    // SAFETY: the table was allocated here, or is null; the new one has room for the entry and for
    // the null pointer.
    unsafe {
        let (old, length) = table();
        let size = (length + 2) * size_of::<*mut c_char>();
        let new = realloc(old.cast(), size).cast::<*mut c_char>();
        if new.is_null() {
            return false;
        }
        new.add(length).write(entry);
        new.add(length + 1).write(ptr::null_mut());
        environ = new;
    }
    true
}

#[unsafe(no_mangle)]
unsafe extern "C" fn unsetenv(name: *const c_char) -> c_int {
    // SAFETY: the caller gives a C string. The last entry takes the place of the one removed, and
    // the null pointer that of the last.
    unsafe {
        let Some(length) = name_length(name) else {
            return fail(EINVAL);
        };
        if let Some(place) = find(name, length) {
            let (table, count) = table();
            let last = table.add(count - 1);
            free(place.replace(*last).cast());
            last.write(ptr::null_mut());
        }
    }
    0
}
