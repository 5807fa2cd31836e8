//! Times as C has them, and sleeping.

use core::ffi::{c_int, c_uint};
use core::ptr;
use core::task::Poll;
use core::time::Duration;
use std::time::SystemTime;

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE, CLOCK_TAI, EFAULT, EINTR, EINVAL, TIMER_ABSTIME, clockid_t, timespec,
};
use miou_rs::Instant;

use crate::errno::fail;
use crate::scheduler::inside;
use crate::signals::Interruption;
use crate::wait::wait_until;

/// That time from now on: EINVAL if it is not normalised or negative.
pub(crate) fn after(time: &timespec) -> Result<Instant, c_int> {
    let time = duration(time).ok_or(EINVAL)?;
    Ok(inside(Instant::now) + time)
}

/// When `clock` shows that time; one before 1970 has passed. EINVAL if it is not normalised, or there is no such clock to
/// wait for.
pub(crate) fn at(clock: clockid_t, time: &timespec) -> Result<Instant, c_int> {
    let time = duration(&timespec {
        tv_sec: time.tv_sec.max(0),
        ..*time
    });
    let time = time.ok_or(EINVAL)?;
    Ok(match clock {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
            Instant::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        }
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => {
            inside(|| Instant::now() + time.saturating_sub(wall_clock()))
        }
        _ => return Err(EINVAL),
    })
}

/// The time since 1970.
pub(crate) fn wall_clock() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

pub(crate) fn duration(time: &timespec) -> Option<Duration> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
}

/// A time as C has it.
pub(crate) fn told(time: Duration) -> timespec {
    timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Others run meanwhile, also if the time has come already.
///
/// # Errors
///
/// What is left, if a handler of signals has run before.
fn sleep_until(deadline: Instant) -> Result<(), Duration> {
    let interruption = Interruption::by_all();
    wait_until("a time", Some(deadline), |_| match interruption.check() {
        Ok(()) => Poll::Pending,
        Err(_) => Poll::Ready(()),
    });
    let left = deadline.saturating_duration_since(inside(Instant::now));
    if left.is_zero() { Ok(()) } else { Err(left) }
}

/// Sleeps; EINTR if there is time left, which is written where it is asked for.
///
/// # Safety
///
/// `remaining` is a place for a time, or null.
unsafe fn sleep_or_tell(deadline: Instant, remaining: *mut timespec) -> Result<(), c_int> {
    let Err(left) = sleep_until(deadline) else {
        return Ok(());
    };
    if !remaining.is_null() {
        // SAFETY: the caller's promise is the same.
        unsafe { remaining.write(told(left)) };
    }
    Err(EINTR)
}

/// nolibc's, but that whoever looks at the monotonic clock again and again gives way.
#[cfg(solo5)]
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    unsafe extern "C" {
        fn __solo5_clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int;
    }
    if clock != CLOCK_MONOTONIC {
        // SAFETY: the caller's promise is the same.
        return unsafe { __solo5_clock_gettime(clock, time) };
    }
    if time.is_null() {
        return fail(EFAULT);
    }
    let now = crate::machine::solo5_clock_monotonic();
    crate::slice::shown(now);
    // SAFETY: the caller gives a place for a time, or null, which it is not.
    unsafe { time.write(told(Duration::from_nanos(now))) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn nanosleep(time: *const timespec, remaining: *mut timespec) -> c_int {
    // SAFETY: the caller gives a time, or null.
    let deadline = unsafe { time.as_ref() }.ok_or(EFAULT).and_then(after);
    // SAFETY: the caller gives a place for a time, or null.
    let slept = deadline.and_then(|deadline| unsafe { sleep_or_tell(deadline, remaining) });
    slept.map_or_else(fail, |()| 0)
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    remaining: *mut timespec,
) -> c_int {
    // SAFETY: the caller gives a time, or null.
    let Some(time) = (unsafe { time.as_ref() }) else {
        return EFAULT;
    };
    let (deadline, remaining) = match flags & TIMER_ABSTIME {
        0 => (after(time), remaining),
        // It is told already when the time is to come.
        _ => (at(clock, time), ptr::null_mut()),
    };
    // SAFETY: the caller gives a place for a time, or null.
    let slept = deadline.and_then(|deadline| unsafe { sleep_or_tell(deadline, remaining) });
    slept.err().unwrap_or(0)
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn usleep(microseconds: c_uint) -> c_int {
    match sleep_for(Duration::from_micros(microseconds.into())) {
        Ok(()) => 0,
        Err(_) => fail(EINTR),
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn sleep(seconds: c_uint) -> c_uint {
    let left = sleep_for(Duration::from_secs(seconds.into()));
    // Whole seconds, of which there are not more than were asked for.
    left.map_or_else(|left| left.as_secs() as c_uint, |()| 0)
}

fn sleep_for(time: Duration) -> Result<(), Duration> {
    sleep_until(inside(Instant::now) + time)
}

#[cfg(test)]
mod tests;
