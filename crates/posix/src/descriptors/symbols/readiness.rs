//! The functions of C that wait for descriptors.

use core::ffi::{c_int, c_ulong};
use core::slice;
use core::time::Duration;

use libc::{EINVAL, EPOLL_CTL_DEL, epoll_event, pollfd, sigset_t, timespec};

use crate::descriptors::blocking;
use crate::descriptors::calls::{self, Patience};
use crate::error::{Errno, Result, fail};
use crate::ffi::{nothing, number, place};
use crate::signals::symbols::read_if_given;
use crate::signals::with_blocked;
use crate::time::after;

/// So many milliseconds from now on; without an end if they are negative.
fn milliseconds(time: c_int) -> Patience {
    match u64::try_from(time) {
        Ok(0) => Patience::None,
        Ok(time) => Patience::Until(blocking::now() + Duration::from_millis(time)),
        Err(_) => Patience::Forever,
    }
}

/// That time from now on; without an end if it is null.
///
/// # Safety
///
/// It is a time, or null.
pub(super) unsafe fn span(time: *const timespec) -> Result<Patience> {
    // SAFETY: the caller's promise is the same.
    let Some(time) = (unsafe { time.as_ref() }) else {
        return Ok(Patience::Forever);
    };
    if time.tv_sec == 0 && time.tv_nsec == 0 {
        return Ok(Patience::None);
    }
    after(time).map(Patience::Until).map_err(Errno)
}

/// Calls what waits for that time, with these signals blocked meanwhile and no others, if they are given.
///
/// # Safety
///
/// It is a time, or null, and a set of signals, or null.
pub(super) unsafe fn patiently<R>(
    time: *const timespec,
    signals: *const sigset_t,
    call: impl FnOnce(Patience) -> Result<R>,
) -> Result<R> {
    // SAFETY: the caller's promises are the same.
    let (patience, blocked) = unsafe { (span(time)?, read_if_given(signals)) };
    with_blocked(blocked, || call(patience))
}

/// # Safety
///
/// `count` entries are there, or null.
unsafe fn poll_entries(files: *mut pollfd, count: c_ulong, patience: Patience) -> Result<c_int> {
    let count = usize::try_from(count).or(fail(EINVAL))?;
    let entries = match count {
        0 => &mut [],
        // SAFETY: the caller's promise is the same.
        _ => unsafe { slice::from_raw_parts_mut(place(files)?, count) },
    };
    Ok(calls::poll(entries, patience)? as c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn poll(files: *mut pollfd, count: c_ulong, time: c_int) -> c_int {
    // SAFETY: the caller gives `count` entries.
    number(|| unsafe { poll_entries(files, count, milliseconds(time)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ppoll(
    files: *mut pollfd,
    count: c_ulong,
    time: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller gives a set or null, `count` entries, and a time or null.
    number(|| unsafe {
        patiently(time, signals, |patience| {
            poll_entries(files, count, patience)
        })
    })
}

#[unsafe(no_mangle)]
extern "C" fn epoll_create1(flags: c_int) -> c_int {
    number(|| calls::make_epoll(flags))
}

#[unsafe(no_mangle)]
extern "C" fn epoll_create(size: c_int) -> c_int {
    number(|| match size {
        1.. => calls::make_epoll(0),
        _ => fail(EINVAL),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_ctl(
    epoll: c_int,
    operation: c_int,
    fd: c_int,
    event: *const epoll_event,
) -> c_int {
    nothing(|| {
        if operation != EPOLL_CTL_DEL {
            place(event.cast_mut())?;
        }
        // SAFETY: the caller gives an event, or null. It may be unaligned, as it is packed.
        let event = unsafe { event.as_ref() }.map(|event| (event.events, event.u64));
        calls::control_epoll(epoll, operation, fd, event.unwrap_or_default())
    })
}

/// # Safety
///
/// There is room for `most` events, or null.
unsafe fn wait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    patience: Patience,
) -> Result<c_int> {
    let most = match usize::try_from(most) {
        Ok(most @ 1..) => most,
        _ => return fail(EINVAL),
    };
    let events = place(events)?;
    let told = calls::wait_epoll(epoll, most, patience)?;
    for (index, &(ready, data)) in told.iter().enumerate() {
        let event = epoll_event {
            events: ready,
            u64: data,
        };
        // SAFETY: there are `most` at the most.
        unsafe { events.add(index).write_unaligned(event) };
    }
    Ok(told.len() as c_int)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    time: c_int,
) -> c_int {
    // SAFETY: the caller gives room for `most` events.
    number(|| unsafe { wait(epoll, events, most, milliseconds(time)) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_pwait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    time: c_int,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller gives a set or null, and room for `most` events.
    number(|| unsafe {
        with_blocked(read_if_given(signals), || {
            wait(epoll, events, most, milliseconds(time))
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn epoll_pwait2(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    time: *const timespec,
    signals: *const sigset_t,
) -> c_int {
    // SAFETY: the caller gives a set or null, room for `most` events, and a time or null.
    number(|| unsafe {
        patiently(time, signals, |patience| {
            wait(epoll, events, most, patience)
        })
    })
}
