//! Clocks and sleeping.

use super::errno::fail;
use super::hypercall::{solo5_clock_monotonic, solo5_clock_wall, wait_without_devices};
use core::ffi::{c_int, c_long, c_uint};
use core::sync::atomic::{AtomicU64, Ordering};
use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, EFAULT, EINVAL, TIMER_ABSTIME, clockid_t, time_t, timespec, timeval,
};

weak! { nanosleep clock_nanosleep usleep sleep }
weak! { __solo5_clock_gettime => clock_gettime }

const NANOSECONDS: u64 = 1_000_000_000;

/// What the monotonic clock showed at the start. On hvt it counts from then, nearly; on spt from the host's start.
static START: AtomicU64 = AtomicU64::new(0);

/// Remembers the start.
pub(super) fn initialise() {
    START.store(solo5_clock_monotonic(), Ordering::Relaxed);
}

/// The time of `clock` in nanoseconds. A unikernel is one process with one thread that never waits
/// for a processor: its CPU time is what has passed since its start.
fn now(clock: clockid_t) -> Option<u64> {
    match clock {
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => {
            Some(solo5_clock_monotonic())
        }
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => Some(nanoseconds_since_start()),
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Some(solo5_clock_wall()),
        _ => None,
    }
}

/// A `timespec` in nanoseconds; `None` if it is not normalised or negative, the end of time if it is
/// too large.
pub(super) fn to_nanoseconds(time: &timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let fraction = u64::try_from(time.tv_nsec)
        .ok()
        .filter(|&n| n < NANOSECONDS)?;
    Some(seconds.saturating_mul(NANOSECONDS).saturating_add(fraction))
}

#[expect(clippy::cast_possible_wrap, reason = "u64::MAX ns are 584 years")]
fn from_nanoseconds(time: u64) -> timespec {
    timespec {
        tv_sec: (time / NANOSECONDS) as time_t,
        tv_nsec: (time % NANOSECONDS) as c_long,
    }
}

/// The time since the start, which is also all of the processor's time.
pub(super) fn since_start() -> timespec {
    from_nanoseconds(nanoseconds_since_start())
}

fn nanoseconds_since_start() -> u64 {
    solo5_clock_monotonic().saturating_sub(START.load(Ordering::Relaxed))
}

/// Waits until the monotonic clock reaches `deadline`, whatever arrives. Where bindings or tender cannot leave network
/// devices out, waiting ends early for as long as one has a frame that nobody reads, hence the loop.
pub(super) fn sleep_until(deadline: u64) {
    while solo5_clock_monotonic() < deadline {
        wait_without_devices(deadline);
    }
}

/// Waits for `duration` nanoseconds.
pub(super) fn sleep_for(duration: u64) {
    sleep_until(solo5_clock_monotonic().saturating_add(duration));
}

/// Waits until `clock` reaches `time`.
pub(super) fn sleep_until_on(clock: clockid_t, time: u64) -> Result<(), c_int> {
    let now = now(clock).ok_or(EINVAL)?;
    sleep_for(time.saturating_sub(now));
    Ok(())
}

/// `clock_gettime`, also where a crate of the program's has one of its own.
#[unsafe(no_mangle)]
unsafe extern "C" fn __solo5_clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let Some(now) = now(clock) else {
        return fail(EINVAL);
    };
    if time.is_null() {
        return fail(EFAULT);
    }
    // SAFETY: the caller gives a place for a timespec, or null, which it is not.
    unsafe { time.write(from_nanoseconds(now)) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn clock_getres(clock: clockid_t, resolution: *mut timespec) -> c_int {
    if now(clock).is_none() {
        return fail(EINVAL);
    }
    if !resolution.is_null() {
        // SAFETY: the caller gives a place for a timespec.
        unsafe { resolution.write(from_nanoseconds(1)) };
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(time: *mut timeval, _zone: *mut libc::timezone) -> c_int {
    let now = from_nanoseconds(solo5_clock_wall());
    // As on Linux.
    if time.is_null() {
        return 0;
    }
    // SAFETY: the caller gives a place for a timeval, or null, which it is not.
    unsafe {
        time.write(timeval {
            tv_sec: now.tv_sec,
            tv_usec: now.tv_nsec / 1000,
        });
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn time(time: *mut time_t) -> time_t {
    let now = from_nanoseconds(solo5_clock_wall()).tv_sec;
    if !time.is_null() {
        // SAFETY: the caller gives a place for a time_t, or null.
        unsafe { time.write(now) };
    }
    now
}

unsafe extern "C" fn nanosleep(duration: *const timespec, _remaining: *mut timespec) -> c_int {
    // SAFETY: the caller gives a timespec, or null. There are no signals, so nothing remains.
    let Some(duration) = (unsafe { duration.as_ref() }) else {
        return fail(EFAULT);
    };
    match to_nanoseconds(duration) {
        Some(duration) => sleep_for(duration),
        None => return fail(EINVAL),
    }
    0
}

unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    _remaining: *mut timespec,
) -> c_int {
    // SAFETY: the caller gives a timespec, or null.
    let Some(time) = (unsafe { time.as_ref() }) else {
        return EFAULT;
    };
    let Some(time) = to_nanoseconds(time) else {
        return EINVAL;
    };
    if flags & TIMER_ABSTIME == 0 {
        if now(clock).is_none() {
            return EINVAL;
        }
        sleep_for(time);
        return 0;
    }
    sleep_until_on(clock, time).err().unwrap_or(0)
}

extern "C" fn usleep(microseconds: c_uint) -> c_int {
    sleep_for(u64::from(microseconds) * 1000);
    0
}

extern "C" fn sleep(seconds: c_uint) -> c_uint {
    sleep_for(u64::from(seconds) * NANOSECONDS);
    0
}
