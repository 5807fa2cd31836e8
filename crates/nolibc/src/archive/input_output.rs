//! File descriptors: 0 is empty, 1 and 2 are the console, and there are no others.

use super::errno::fail;
use super::hypercall::solo5_console_write;
use super::time::sleep_for;
use core::ffi::{c_int, c_ulong, c_void};
use core::slice;
use libc::{
    EBADF, EINVAL, ENOSYS, ENOTTY, F_GETFD, F_GETFL, F_SETFD, O_RDONLY, O_WRONLY, POLLIN, POLLNVAL,
    POLLOUT, iovec, pollfd, size_t, ssize_t,
};

weak! { write writev read readv close isatty ioctl fcntl fcntl64 poll }

const STDIN: c_int = 0;
const CONSOLE: core::ops::RangeInclusive<c_int> = 1..=2;

fn is_open(file: c_int) -> bool {
    file == STDIN || CONSOLE.contains(&file)
}

fn fail_wide(error: c_int) -> ssize_t {
    fail(error) as ssize_t
}

unsafe extern "C" fn write(file: c_int, data: *const c_void, size: size_t) -> ssize_t {
    if !CONSOLE.contains(&file) {
        return fail_wide(EBADF);
    }
    // SAFETY: the caller gives `size` readable bytes.
    unsafe { solo5_console_write(data.cast(), size) };
    size.cast_signed()
}

unsafe extern "C" fn writev(file: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if !CONSOLE.contains(&file) {
        return fail_wide(EBADF);
    }
    let Ok(count) = usize::try_from(count) else {
        return fail_wide(EINVAL);
    };
    // SAFETY: the caller gives `count` parts, each of readable bytes.
    let parts = unsafe { slice::from_raw_parts(parts, count) };
    let mut written = 0;
    for part in parts.iter().filter(|part| part.iov_len > 0) {
        // SAFETY: see above.
        unsafe { solo5_console_write(part.iov_base.cast(), part.iov_len) };
        written += part.iov_len;
    }
    written.cast_signed()
}

extern "C" fn read(file: c_int, _data: *mut c_void, _size: size_t) -> ssize_t {
    if file == STDIN { 0 } else { fail_wide(EBADF) }
}

extern "C" fn readv(file: c_int, _parts: *const iovec, _count: c_int) -> ssize_t {
    if file == STDIN { 0 } else { fail_wide(EBADF) }
}

extern "C" fn close(file: c_int) -> c_int {
    if is_open(file) { 0 } else { fail(EBADF) }
}

extern "C" fn isatty(file: c_int) -> c_int {
    fail(if is_open(file) { ENOTTY } else { EBADF });
    0
}

extern "C" fn ioctl(file: c_int, _request: c_ulong) -> c_int {
    fail(if is_open(file) { ENOTTY } else { EBADF })
}

extern "C" fn fcntl(file: c_int, command: c_int) -> c_int {
    match command {
        _ if !is_open(file) => fail(EBADF),
        F_GETFD | F_SETFD => 0,
        F_GETFL if file == STDIN => O_RDONLY,
        F_GETFL => O_WRONLY,
        _ => fail(ENOSYS),
    }
}

extern "C" fn fcntl64(file: c_int, command: c_int) -> c_int {
    fcntl(file, command)
}

/// Standard input is at its end and the console takes everything, so whatever is asked of an open
/// descriptor is ready; with none of them in the set this is a sleep.
unsafe extern "C" fn poll(files: *mut pollfd, count: c_ulong, milliseconds: c_int) -> c_int {
    let mut ready = 0;
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller gives `count` entries.
        let entry = unsafe { &mut *files.add(index) };
        entry.revents = match entry.fd {
            ..0 => 0,
            STDIN => entry.events & POLLIN,
            1 | 2 => entry.events & POLLOUT,
            _ => POLLNVAL,
        };
        ready += c_int::from(entry.revents != 0);
    }
    if ready == 0 {
        match u64::try_from(milliseconds) {
            Ok(milliseconds) => sleep_for(milliseconds * 1_000_000),
            Err(_) => sleep_for(u64::MAX),
        }
    }
    ready
}
