//! The functions of C for descriptors.

mod readiness;
mod select;

use core::ffi::{c_int, c_short, c_uint, c_ulong, c_void};
use std::io::{IoSlice, IoSliceMut};

use libc::{
    EBADF, EINVAL, ENOTTY, F_GETLK, F_SETLK, F_SETLKW, F_UNLCK, FIONBIO, FIONREAD, O_CLOEXEC,
    iovec, itimerspec, size_t, ssize_t,
};

use super::{blocking, calls};
use crate::descriptors::timer::{Setting, Time};
use crate::errno;
use crate::error::{Errno, Result, fail};
use crate::ffi::{
    as_count, bytes, bytes_mut, gathered, nothing, number, octets, place, scattered, value,
};
use crate::time::{after, at};

#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, data: *mut c_void, size: size_t) -> ssize_t {
    // SAFETY: the caller gives `size` writable bytes.
    let buffer = unsafe { bytes_mut(data, size) };
    octets(|| calls::read(fd, &mut [IoSliceMut::new(buffer)]))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(fd: c_int, data: *const c_void, size: size_t) -> ssize_t {
    // SAFETY: the caller gives `size` readable bytes.
    let buffer = unsafe { bytes(data, size) };
    octets(|| calls::write(fd, &mut [IoSlice::new(buffer)]))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    octets(|| {
        // SAFETY: the caller gives `count` parts, each of writable bytes.
        let mut buffers = unsafe { scattered(parts, as_count(count)?)? };
        calls::read(fd, &mut buffers)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    octets(|| {
        // SAFETY: the caller gives `count` parts, each of readable bytes.
        let mut buffers = unsafe { gathered(parts, as_count(count)?)? };
        calls::write(fd, &mut buffers)
    })
}

#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    nothing(|| calls::close(fd))
}

#[unsafe(no_mangle)]
extern "C" fn dup(fd: c_int) -> c_int {
    number(|| calls::duplicate(fd, 0, false))
}

#[unsafe(no_mangle)]
extern "C" fn dup2(fd: c_int, to: c_int) -> c_int {
    number(|| match fd == to {
        true => super::process::open(fd).map(|_| fd),
        false => calls::duplicate_to(fd, to, 0),
    })
}

#[unsafe(no_mangle)]
extern "C" fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    number(|| match fd == to || flags & !O_CLOEXEC != 0 {
        true => fail(EINVAL),
        false => calls::duplicate_to(fd, to, flags),
    })
}

/// Declared with the argument that all commands known here have, which on x86_64 a caller of the variadic C function passes
/// in the same register.
#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    number(|| match command {
        // Locks of this kind are a process's, and there is one.
        F_SETLK | F_SETLKW => super::process::open(fd).map(|_| 0),
        F_GETLK => {
            super::process::open(fd)?;
            let lock = place(argument)?.cast::<libc::flock>();
            // SAFETY: with this command the caller gives a description of a lock, or null.
            unsafe { (*lock).l_type = F_UNLCK as c_short };
            Ok(0)
        }
        _ => calls::control(fd, command, argument.addr() as c_int),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { fcntl(fd, command, argument) }
}

/// What there is a limit to is the number of descriptors; no other is known.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrlimit(resource: c_int, limit: *mut libc::rlimit) -> c_int {
    if limit.is_null() {
        return errno::fail(libc::EFAULT);
    }
    let most = match resource as libc::__rlimit_resource_t {
        libc::RLIMIT_NOFILE => super::table::LIMIT as libc::rlim_t,
        libc::RLIMIT_CORE => 0,
        _ => libc::RLIM_INFINITY,
    };
    let told = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the caller gives a place, or null, which it is not.
    unsafe { limit.write(told) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getrlimit64(resource: c_int, limit: *mut libc::rlimit) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { getrlimit(resource, limit) }
}

/// As with [`fcntl`].
#[unsafe(no_mangle)]
unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_int) -> c_int {
    number(|| match request {
        FIONREAD => {
            let readable = calls::readable(fd)?;
            // SAFETY: with this request the caller gives a place, or null.
            unsafe { place(argument)?.write(readable) };
            Ok(0)
        }
        // SAFETY: with this request the caller gives a number, or null.
        FIONBIO => calls::set_by_ioctl(fd, request, Some(unsafe { *value(argument)? })),
        _ => calls::set_by_ioctl(fd, request, None),
    })
}

/// The console is none.
#[unsafe(no_mangle)]
extern "C" fn isatty(fd: c_int) -> c_int {
    let open = crate::scheduler::inside(|| super::process::open(fd));
    errno::fail(if open.is_ok() { ENOTTY } else { EBADF });
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pipe2(ends: *mut [c_int; 2], flags: c_int) -> c_int {
    nothing(|| {
        let ends = place(ends)?;
        let made = calls::make_pipe(flags)?;
        // SAFETY: the caller gives a place for two numbers.
        unsafe { ends.write(made) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pipe(ends: *mut [c_int; 2]) -> c_int {
    // SAFETY: the caller's promise is the same.
    unsafe { pipe2(ends, 0) }
}

#[unsafe(no_mangle)]
extern "C" fn eventfd(count: c_uint, flags: c_int) -> c_int {
    number(|| calls::make_event(count, flags))
}

#[unsafe(no_mangle)]
extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    number(|| calls::make_timer(clock, flags))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn timerfd_settime(
    fd: c_int,
    flags: c_int,
    new: *const itimerspec,
    old: *mut itimerspec,
) -> c_int {
    nothing(|| {
        calls::with_timer(fd, |timer| {
            // SAFETY: the caller gives a setting, or null.
            let setting = unsafe { setting(value(new)?, timer.clock(), flags)? };
            let former = timer.set(setting);
            if !old.is_null() {
                // SAFETY: the caller gives a place for a setting, or null.
                unsafe { old.write(told(former)) };
            }
            Ok(())
        })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn timerfd_gettime(fd: c_int, setting: *mut itimerspec) -> c_int {
    nothing(|| {
        calls::with_timer(fd, |timer| {
            // SAFETY: the caller gives a place for a setting, or null.
            unsafe { place(setting)?.write(told(timer.setting())) };
            Ok(())
        })
    })
}

fn setting(new: &itimerspec, clock: c_int, flags: c_int) -> Result<Setting> {
    let (value, interval) = (&new.it_value, &new.it_interval);
    let interval = Setting {
        at: None,
        interval: crate::time::duration(interval).ok_or(Errno(EINVAL))?,
    };
    if value.tv_sec == 0 && value.tv_nsec == 0 {
        return Ok(interval);
    }
    let deadline = match flags & libc::TFD_TIMER_ABSTIME {
        0 => after(value),
        _ => at(clock, value),
    };
    let deadline = deadline.map_err(Errno)?;
    Ok(Setting {
        at: Some(blocking::time(deadline)),
        ..interval
    })
}

/// A setting as C has it: the time that is left.
fn told(setting: Setting) -> itimerspec {
    let now = blocking::time(blocking::now());
    let left = setting.at.map(|at| at.saturating_sub(now));
    // What has come is told by a moment: zero stands for none.
    let left = left.map(|left| left.max(Time::from_nanos(1)));
    itimerspec {
        it_interval: crate::time::told(setting.interval),
        it_value: crate::time::told(left.unwrap_or_default()),
    }
}
