//! Locks of files.

use core::ffi::c_int;

use libc::{EINVAL, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN};

use crate::descriptors::process;
use crate::error::fail;
use crate::ffi::nothing;
use crate::files::Lock;

#[unsafe(no_mangle)]
extern "C" fn flock(fd: c_int, operation: c_int) -> c_int {
    nothing(|| {
        let open = process::open(fd)?;
        let lock = match operation & !LOCK_NB {
            LOCK_SH => Lock::Shared,
            LOCK_EX => Lock::Exclusive,
            LOCK_UN => Lock::None,
            _ => return fail(EINVAL),
        };
        match open.description().as_file() {
            Ok(file) => file.lock(lock, operation & LOCK_NB == 0),
            // Nobody has opened it but who asks.
            Err(_) => Ok(()),
        }
    })
}
