//! Times as C has them, and sleeping.

use core::ffi::{c_int, c_uint};
use core::task::Poll;
use core::time::Duration;
use std::time::SystemTime;

use libc::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE, CLOCK_TAI, EINVAL, TIMER_ABSTIME, clockid_t, timespec,
};
use miou_rs::Instant;

use crate::errno::fail;
use crate::scheduler::inside;
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
            inside(Instant::now) + time.saturating_sub(wall_clock())
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

/// Others run meanwhile, also if the time has come already.
fn sleep_until(deadline: Instant) {
    wait_until("a time", Some(deadline), |_| Poll::<()>::Pending);
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn nanosleep(time: *const timespec, _remaining: *mut timespec) -> c_int {
    // SAFETY: the caller gives a time. There are no signals, so nothing remains.
    match after(unsafe { &*time }) {
        Ok(deadline) => sleep_until(deadline),
        Err(error) => return fail(error),
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    _remaining: *mut timespec,
) -> c_int {
    // SAFETY: the caller gives a time.
    let time = unsafe { &*time };
    let deadline = match flags & TIMER_ABSTIME {
        0 => after(time),
        _ => at(clock, time),
    };
    match deadline {
        Ok(deadline) => sleep_until(deadline),
        Err(error) => return error,
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn usleep(microseconds: c_uint) -> c_int {
    sleep_for(Duration::from_micros(microseconds.into()));
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn sleep(seconds: c_uint) -> c_uint {
    sleep_for(Duration::from_secs(seconds.into()));
    0
}

fn sleep_for(time: Duration) {
    sleep_until(inside(Instant::now) + time);
}
