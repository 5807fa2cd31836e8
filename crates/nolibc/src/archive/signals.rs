//! Signals: nobody sends any.

use core::ffi::c_int;
use libc::{SIG_IGN, sigaction as Action, sighandler_t, sigset_t, stack_t};

weak! { sigaction signal pthread_sigmask sigprocmask sigaddset }

/// Every signal reads as ignored. (std then installs no handlers of its own.)
unsafe extern "C" fn sigaction(_signal: c_int, _new: *const Action, old: *mut Action) -> c_int {
    if !old.is_null() {
        // SAFETY: the caller gives a place for an action, or null. All zeros is a valid one.
        unsafe {
            old.write_bytes(0, 1);
            (*old).sa_sigaction = SIG_IGN;
        }
    }
    0
}

extern "C" fn signal(_signal: c_int, _handler: sighandler_t) -> sighandler_t {
    SIG_IGN
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigaltstack(_new: *const stack_t, old: *mut stack_t) -> c_int {
    if !old.is_null() {
        // SAFETY: the caller gives a place for a stack, or null. All zeros is a valid one.
        unsafe {
            old.write_bytes(0, 1);
            (*old).ss_flags = libc::SS_DISABLE;
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigemptyset(set: *mut sigset_t) -> c_int {
    // SAFETY: the caller gives a place for a set. All zeros is the empty one.
    unsafe { set.write_bytes(0, 1) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn sigfillset(set: *mut sigset_t) -> c_int {
    // SAFETY: the caller gives a place for a set. All ones is the full one.
    unsafe { set.write_bytes(0xff, 1) };
    0
}

extern "C" fn sigaddset(_set: *mut sigset_t, _signal: c_int) -> c_int {
    0
}

/// No signal is ever pending, so which are blocked does not matter; none reads as blocked.
unsafe extern "C" fn pthread_sigmask(
    _how: c_int,
    _new: *const sigset_t,
    old: *mut sigset_t,
) -> c_int {
    if !old.is_null() {
        // SAFETY: the caller gives a place for a set, or null. All zeros is the empty one.
        unsafe { old.write_bytes(0, 1) };
    }
    0
}

unsafe extern "C" fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int {
    // SAFETY: the caller's promises are the same.
    unsafe { pthread_sigmask(how, new, old) }
}

/// `SIGRTMIN`.
#[unsafe(no_mangle)]
extern "C" fn __libc_current_sigrtmin() -> c_int {
    34
}

/// `SIGRTMAX`.
#[unsafe(no_mangle)]
extern "C" fn __libc_current_sigrtmax() -> c_int {
    64
}
