//! `futex(2)`, and `syscall`, by which it is reached.

use core::ffi::{c_int, c_uint};

use libc::{
    EAGAIN, EFAULT, EINVAL, ENOSYS, ETIMEDOUT, FUTEX_CLOCK_REALTIME, FUTEX_CMD_MASK,
    FUTEX_CMP_REQUEUE, FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET,
    timespec,
};
use miou_rs::Instant;

use crate::errno::fail;
use crate::parking::{self, ALL, park, unpark};
use crate::time::{after, at};

/// Waits for a word to change, or wakes who does.
///
/// # Safety
///
/// The arguments are what the system call expects for `operation`: `word` and `second` are aligned, valid for reads, or null,
/// and `timeout` is a time, null, or for some operations a number.
unsafe fn futex(
    word: *const u32,
    operation: c_int,
    value: c_uint,
    timeout: *const timespec,
    second: *const u32,
    third: c_uint,
) -> c_int {
    if word.is_null() {
        return fail(EFAULT);
    }
    let address = word.addr();
    let clock = match operation & FUTEX_CLOCK_REALTIME {
        0 => libc::CLOCK_MONOTONIC,
        _ => libc::CLOCK_REALTIME,
    };
    // SAFETY: the caller gives a word, and a time or null where the operation has one.
    let (current, time) = unsafe { (|| word.read_volatile(), || timeout.as_ref()) };
    match operation & FUTEX_CMD_MASK {
        FUTEX_WAIT => match time().map(after).transpose() {
            Ok(deadline) => wait(address, current() == value, deadline, ALL),
            Err(error) => fail(error),
        },
        FUTEX_WAIT_BITSET if third == 0 => fail(EINVAL),
        FUTEX_WAIT_BITSET => match time().map(|time| at(clock, time)).transpose() {
            Ok(deadline) => wait(address, current() == value, deadline, third),
            Err(error) => fail(error),
        },
        FUTEX_WAKE => count(unpark(address, limit(value), ALL)),
        FUTEX_WAKE_BITSET if third == 0 => fail(EINVAL),
        FUTEX_WAKE_BITSET => count(unpark(address, limit(value), third)),
        FUTEX_CMP_REQUEUE if current() != third => fail(EAGAIN),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let woken = unpark(address, limit(value), ALL);
            // The fourth argument is a number here.
            let moved = parking::requeue(address, limit(timeout.addr() as c_uint), second.addr());
            count(woken + moved)
        }
        _ => fail(ENOSYS),
    }
}

fn wait(address: usize, as_expected: bool, deadline: Option<Instant>, mask: u32) -> c_int {
    if !as_expected {
        return fail(EAGAIN);
    }
    match park("a futex at", address, mask, deadline) {
        true => 0,
        false => fail(ETIMEDOUT),
    }
}

/// How many are to be woken: a number that C has as an `int`.
fn limit(value: c_uint) -> usize {
    usize::try_from(value.cast_signed()).unwrap_or(0)
}

fn count(woken: usize) -> c_int {
    c_int::try_from(woken).unwrap_or(c_int::MAX)
}

/// Declared with as many arguments as are used here, which on x86_64 a caller of the variadic C function passes in the same
/// way.
#[cfg(solo5)]
#[expect(non_upper_case_globals, reason = "libc's names of the system calls")]
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: core::ffi::c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> core::ffi::c_long {
    use core::ffi::c_long;
    use core::ptr::with_exposed_provenance;
    use libc::{SYS_futex, SYS_getpid, SYS_getrandom, SYS_gettid};

    // SAFETY: the caller gives what the system call expects.
    unsafe {
        match number {
            SYS_futex => c_long::from(futex(
                with_exposed_provenance(first),
                second as c_int,
                third as c_uint,
                with_exposed_provenance(fourth),
                with_exposed_provenance(fifth),
                sixth as c_uint,
            )),
            SYS_getrandom => {
                let buffer = core::ptr::with_exposed_provenance_mut(first);
                libc::getrandom(buffer, second, third as c_uint) as c_long
            }
            SYS_gettid => c_long::from(crate::pthread::threads::gettid()),
            SYS_getpid => c_long::from(libc::getpid()),
            _ => c_long::from(fail(ENOSYS)),
        }
    }
}

#[cfg(test)]
mod tests;
