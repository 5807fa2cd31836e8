//! The functions of C for signals.

use core::ffi::c_int;
use core::ptr;

use libc::{
    EFAULT, EINTR, ESRCH, SIG_ERR, pid_t, pthread_t, sighandler_t, siginfo_t, sigset_t, timespec,
};

use super::{
    Action, Set, await_one, bit, check, descriptor, exchange, information, mask, pending, send,
    send_to_program, with_blocked,
};
use crate::errno;
use crate::error::{Errno, Result, fail};
use crate::ffi::{number, place};
use crate::pthread::threads::of;
use crate::thread;
use crate::time::after;

/// As `ffi::nothing`, on the thread's own side: handlers run here.
fn nothing(outcome: Result<()>) -> c_int {
    match outcome {
        Ok(()) => 0,
        Err(error) => errno::fail(error.0),
    }
}

/// The signals of a set, which are its first word.
///
/// # Safety
///
/// It is a set.
unsafe fn read(set: *const sigset_t) -> Set {
    // SAFETY: the caller's promise is the same.
    unsafe { set.cast::<Set>().read() }
}

/// As [`read`]; nothing of no set.
///
/// # Safety
///
/// It is a set, or null.
pub(crate) unsafe fn read_if_given(set: *const sigset_t) -> Option<Set> {
    // SAFETY: the caller's promise is the same.
    (!set.is_null()).then(|| unsafe { read(set) })
}

/// # Safety
///
/// It is a place for a set.
unsafe fn write(set: *mut sigset_t, signals: Set) {
    // SAFETY: the caller's promise is the same.
    unsafe {
        set.write_bytes(0, 1);
        set.cast::<Set>().write(signals);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(
    signal: c_int,
    new: *const libc::sigaction,
    old: *mut libc::sigaction,
) -> c_int {
    // SAFETY: the caller gives an action, or null.
    let new = unsafe { new.as_ref() }.map(|new| Action {
        handler: new.sa_sigaction,
        flags: new.sa_flags,
        // SAFETY: it is the set of a live action.
        mask: unsafe { read(&raw const new.sa_mask) },
    });
    nothing(exchange(signal, new).map(|former| {
        if old.is_null() {
            return;
        }
        // SAFETY: the caller gives a place for an action, or null. All zeros is a valid one.
        unsafe {
            old.write_bytes(0, 1);
            (*old).sa_sigaction = former.handler;
            (*old).sa_flags = former.flags;
            write(&raw mut (*old).sa_mask, former.mask);
        }
    }))
}

#[unsafe(no_mangle)]
extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    let new = Action {
        handler,
        flags: libc::SA_RESTART,
        mask: 0,
    };
    match exchange(signal, Some(new)) {
        Ok(former) => former.handler,
        Err(error) => {
            errno::fail(error.0);
            SIG_ERR
        }
    }
}

#[unsafe(no_mangle)]
extern "C" fn raise(signal: c_int) -> c_int {
    nothing(match thread::current() {
        Some(thread) => send(thread, signal),
        None => send_to_program(signal),
    })
}

/// There is no other process.
#[unsafe(no_mangle)]
extern "C" fn kill(process: pid_t, signal: c_int) -> c_int {
    nothing(match process {
        -1..=1 => send_to_program(signal),
        _ => fail(ESRCH),
    })
}

/// Its result is the error itself.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    // SAFETY: the caller gives a thread that is there.
    let outcome = send(unsafe { of(thread) }, signal);
    outcome.err().map_or(0, |error| error.0)
}

/// Its result is the error itself.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_sigmask(
    how: c_int,
    new: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    // SAFETY: the caller gives a set, or null.
    let new = unsafe { read_if_given(new) };
    match mask(how, new) {
        Ok(former) => {
            if !old.is_null() {
                // SAFETY: the caller gives a place for a set, or null.
                unsafe { write(old, former) };
            }
            0
        }
        Err(error) => error.0,
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int {
    // SAFETY: the caller's promises are the same.
    match unsafe { pthread_sigmask(how, new, old) } {
        0 => 0,
        error => errno::fail(error),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigpending(set: *mut sigset_t) -> c_int {
    nothing(place(set).map(|set| {
        // SAFETY: the caller gives a place for a set, or null.
        unsafe { write(set, pending()) };
    }))
}

/// Waits until a handler has run.
#[unsafe(no_mangle)]
extern "C" fn pause() -> c_int {
    super::pause();
    errno::fail(EINTR)
}

/// As [`pause`], with these signals blocked meanwhile, and no others.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigsuspend(set: *const sigset_t) -> c_int {
    // SAFETY: the caller gives a set, or null.
    let Some(set) = (unsafe { read_if_given(set) }) else {
        return errno::fail(EFAULT);
    };
    with_blocked(Some(set), super::pause);
    errno::fail(EINTR)
}

/// Its result is the error itself, of which there is none.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    // SAFETY: the caller gives a set, or null.
    let Some(set) = (unsafe { read_if_given(set) }) else {
        return EFAULT;
    };
    if signal.is_null() {
        return EFAULT;
    }
    loop {
        match await_one(set, None) {
            // SAFETY: the caller gives a place, or null, which it is not.
            Ok(taken) => unsafe { signal.write(taken) },
            Err(Errno(EINTR)) => continue,
            Err(error) => return error.0,
        }
        return 0;
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigwaitinfo(set: *const sigset_t, told: *mut siginfo_t) -> c_int {
    // SAFETY: the caller's promises are the same.
    unsafe { sigtimedwait(set, told, ptr::null()) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigtimedwait(
    set: *const sigset_t,
    told: *mut siginfo_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: the caller gives a set, or null, and a time or null.
    let (set, time) = unsafe { (read_if_given(set), time.as_ref()) };
    let Some(set) = set else {
        return errno::fail(EFAULT);
    };
    let deadline = time.map(after).transpose().map_err(Errno);
    match deadline.and_then(|deadline| await_one(set, deadline)) {
        Ok(signal) if told.is_null() => signal,
        Ok(signal) => {
            // SAFETY: the caller gives a place, or null.
            unsafe { told.write(information(signal)) };
            signal
        }
        Err(error) => errno::fail(error.0),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn signalfd(fd: c_int, set: *const sigset_t, flags: c_int) -> c_int {
    // SAFETY: the caller gives a set, or null.
    let set = unsafe { read_if_given(set) };
    number(|| descriptor::signalfd(fd, set.ok_or(Errno(EFAULT))?, flags))
}

/// # Safety
///
/// It is a set.
unsafe fn change(set: *mut sigset_t, signal: c_int, to: impl FnOnce(Set, Set) -> Set) -> c_int {
    nothing(check(signal).map(|()| {
        // SAFETY: the caller's promise is the same.
        unsafe { write(set, to(read(set), bit(signal))) }
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigaddset(set: *mut sigset_t, signal: c_int) -> c_int {
    // SAFETY: the caller gives a set.
    unsafe { change(set, signal, |set, one| set | one) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigdelset(set: *mut sigset_t, signal: c_int) -> c_int {
    // SAFETY: the caller gives a set.
    unsafe { change(set, signal, |set, one| set & !one) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigismember(set: *const sigset_t, signal: c_int) -> c_int {
    match check(signal) {
        // SAFETY: the caller gives a set.
        Ok(()) => c_int::from(unsafe { read(set) } & bit(signal) != 0),
        Err(error) => errno::fail(error.0),
    }
}
