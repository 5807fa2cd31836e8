//! `select` and `pselect`.

use core::ffi::c_int;
use core::slice;

use libc::{EINVAL, fd_set, sigset_t, timespec, timeval};

use super::readiness::{patiently, span};
use crate::descriptors::blocking;
use crate::descriptors::calls::{self, Patience};
use crate::descriptors::process;
use crate::error::{Result, fail};
use crate::ffi::{as_count, number};

/// Calls `select`, and leaves in each set what there is to tell.
///
/// # Safety
///
/// Each set has a bit for each of `count` descriptors, in whole words, or is null.
unsafe fn select_of(count: c_int, sets: [*mut fd_set; 3], patience: Patience) -> Result<c_int> {
    // Whoever says as many as there may be gives room for those that are open.
    let count = as_count(count)?.min(process::with(|process| process.table.size()));
    let words = count.div_ceil(64);
    // Copies, as two of them may be one.
    let mut copies = sets.map(|set| {
        // SAFETY: the caller's promise is the same.
        (!set.is_null()).then(|| unsafe { slice::from_raw_parts(set.cast(), words) }.to_vec())
    });
    let told = calls::select(&mut copies, count, patience)?;
    for (set, copy) in sets.into_iter().zip(&copies) {
        if let Some(copy) = copy {
            // SAFETY: as above.
            unsafe { set.cast::<u64>().copy_from(copy.as_ptr(), words) };
        }
    }
    Ok(told as c_int)
}

/// As Linux has it, what is left of the time is written where that was given, also when a handler has run.
#[unsafe(no_mangle)]
unsafe extern "C" fn select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    time: *mut timeval,
) -> c_int {
    // SAFETY: the caller gives sets or null, and a time or null.
    number(|| unsafe {
        let patience = match time.as_ref() {
            None => Patience::Forever,
            Some(time) => span(&in_nanoseconds(time)?)?,
        };
        let outcome = select_of(count, [read, write, except], patience);
        if let Patience::Until(deadline) = patience {
            let left = deadline.saturating_duration_since(blocking::now());
            time.write(timeval {
                tv_sec: left.as_secs().cast_signed(),
                tv_usec: left.subsec_micros().into(),
            });
        }
        outcome
    })
}

/// Microseconds may be more than a second has.
fn in_nanoseconds(time: &timeval) -> Result<timespec> {
    const SECOND: i64 = 1_000_000;
    if time.tv_sec < 0 || time.tv_usec < 0 {
        return fail(EINVAL);
    }
    Ok(timespec {
        tv_sec: time.tv_sec.saturating_add(time.tv_usec / SECOND),
        tv_nsec: time.tv_usec % SECOND * 1000,
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pselect(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    time: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller gives sets or null, a time or null, and a set of signals or null.
    number(|| unsafe {
        patiently(time, signals, |patience| {
            select_of(count, [read, write, except], patience)
        })
    })
}
