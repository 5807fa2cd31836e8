//! Threads: their beginning, their end and their names.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use libc::{
    EAGAIN, EDEADLK, EINVAL, ERANGE, PTHREAD_CREATE_JOINABLE, pthread_attr_t, pthread_t, size_t,
};

use super::attributes::Attributes;
use crate::descriptors::blocking::has_not_waited;
use crate::parking::{ALL, park};
use crate::scheduler::inside;
use crate::thread::{self, NAME, Start, Thread};
use crate::wait::give_way;

/// The thread that C knows by this number, which is its address.
///
/// # Safety
///
/// It is one that [`pthread_create`] or [`pthread_self`] gave, of a thread that has not been joined, and not ended if it is
/// detached.
pub(crate) unsafe fn of(thread: pthread_t) -> &'static Thread {
    // SAFETY: see above.
    unsafe { &*ptr::with_exposed_provenance(thread as usize) }
}

fn number_of(thread: &Thread) -> pthread_t {
    ptr::from_ref(thread).expose_provenance() as pthread_t
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_create(
    number: *mut pthread_t,
    attributes: *const pthread_attr_t,
    function: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the caller gives initialised attributes, or null.
    let attributes = unsafe { attributes.cast::<Attributes>().as_ref() };
    let attributes = attributes.copied().unwrap_or(Attributes::DEFAULT);
    let start = Start { function, argument };
    let detached = attributes.detached != PTHREAD_CREATE_JOINABLE;
    let Some(thread) = thread::spawn(attributes.stack_size, start, detached) else {
        // Others may end meanwhile.
        inside(has_not_waited);
        return EAGAIN;
    };
    // SAFETY: the caller gives a place.
    unsafe { number.write(number_of(thread)) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_join(number: pthread_t, result: *mut *mut c_void) -> c_int {
    // SAFETY: the caller gives a thread that can be joined.
    let thread = unsafe { of(number) };
    if thread::current().is_some_and(|current| ptr::eq(current, thread)) {
        return EDEADLK;
    }
    if thread.detached.get() {
        return EINVAL;
    }
    while !thread.ended.get() {
        park("the end of", thread.ended.as_ptr().addr(), ALL, None);
    }
    // SAFETY: the caller gives a place, or null. The thread has ended and nobody may use it any more.
    unsafe {
        if !result.is_null() {
            result.write(thread.result.get());
        }
        inside(|| Thread::free(thread));
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_detach(number: pthread_t) -> c_int {
    // SAFETY: the caller gives a thread that can be joined.
    let thread = unsafe { of(number) };
    if thread.detached.replace(true) {
        return EINVAL;
    }
    if thread.ended.get() {
        // SAFETY: it has ended and nobody may use it any more.
        inside(|| unsafe { Thread::free(thread) });
    }
    0
}

/// In a task it is `main`.
#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_self() -> pthread_t {
    let thread = thread::current().or_else(|| Thread::all().last());
    thread.map_or(0, number_of)
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_equal(one: pthread_t, other: pthread_t) -> c_int {
    c_int::from(one == other)
}

/// Ends the thread. Nothing is unwound: what its functions hold stays held. `main` ends with the program alone.
#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_exit(result: *mut c_void) -> ! {
    match thread::current() {
        Some(thread) => thread.exit(result),
        None => {
            crate::report::fatal("a task ends as a thread does: expected pthread_exit in threads")
        }
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_setname_np(number: pthread_t, name: *const c_char) -> c_int {
    // SAFETY: the caller gives a thread that is there, and a C string.
    let (thread, name) = unsafe { (of(number), CStr::from_ptr(name).to_bytes()) };
    let mut kept = [0; NAME];
    let Some(place) = kept.get_mut(..name.len()) else {
        return ERANGE;
    };
    place.copy_from_slice(name);
    thread.name.set(kept);
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_getname_np(
    number: pthread_t,
    name: *mut c_char,
    size: size_t,
) -> c_int {
    // SAFETY: the caller gives a thread that is there.
    let kept = unsafe { of(number) }.name.get();
    if size <= NAME {
        return ERANGE;
    }
    // SAFETY: the caller gives `size` octets, which are more than these.
    unsafe {
        name.cast::<[u8; NAME]>().write(kept);
        name.add(NAME).write(0);
    }
    0
}

/// Nothing is ever cancelled.
#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_setcancelstate(_state: c_int, old: *mut c_int) -> c_int {
    /// `PTHREAD_CANCEL_DISABLE`.
    const DISABLED: c_int = 1;
    if !old.is_null() {
        // SAFETY: the caller gives a place, or null.
        unsafe { old.write(DISABLED) };
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn sched_yield() -> c_int {
    give_way();
    0
}

/// 1, the process, in a task and in `main`.
#[cfg_attr(solo5, unsafe(no_mangle))]
pub(crate) extern "C" fn gettid() -> c_int {
    thread::current().map_or(1, |thread| thread.number)
}

#[cfg(test)]
pub(crate) mod tests;
