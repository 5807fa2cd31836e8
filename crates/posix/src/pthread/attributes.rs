//! The attributes of threads.

use core::ffi::{c_int, c_void};

use libc::{
    EINVAL, PTHREAD_CREATE_DETACHED, PTHREAD_CREATE_JOINABLE, pthread_attr_t, pthread_t, size_t,
};

use super::threads;

/// What a thread has that says nothing of its stack: std's threads have as much.
pub(super) const DEFAULT_STACK: usize = 2 << 20;
/// The least that may be asked for, as Linux has it.
const LEAST_STACK: usize = 16 << 10;

/// What `pthread_attr_t` begins with.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Attributes {
    pub(super) stack_size: usize,
    /// Where the stack begins, of a thread that is there already.
    bottom: *mut c_void,
    guard_size: usize,
    pub(super) detached: c_int,
}

const _: () = assert!(size_of::<Attributes>() <= size_of::<pthread_attr_t>());
const _: () = assert!(align_of::<Attributes>() <= align_of::<pthread_attr_t>());

impl Attributes {
    pub(super) const DEFAULT: Self = Self {
        stack_size: DEFAULT_STACK,
        bottom: core::ptr::null_mut(),
        guard_size: 0,
        detached: PTHREAD_CREATE_JOINABLE,
    };
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_init(attributes: *mut pthread_attr_t) -> c_int {
    // SAFETY: the caller gives a place, which is large enough.
    unsafe { attributes.cast::<Attributes>().write(Attributes::DEFAULT) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_attr_destroy(_attributes: *mut pthread_attr_t) -> c_int {
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_setstacksize(
    attributes: *mut pthread_attr_t,
    size: size_t,
) -> c_int {
    if size < LEAST_STACK {
        return EINVAL;
    }
    // SAFETY: the caller gives initialised attributes.
    unsafe { (*attributes.cast::<Attributes>()).stack_size = size };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_getstacksize(
    attributes: *const pthread_attr_t,
    size: *mut size_t,
) -> c_int {
    // SAFETY: the caller gives initialised attributes, and a place.
    unsafe { size.write((*attributes.cast::<Attributes>()).stack_size) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_setdetachstate(
    attributes: *mut pthread_attr_t,
    state: c_int,
) -> c_int {
    if !matches!(state, PTHREAD_CREATE_JOINABLE | PTHREAD_CREATE_DETACHED) {
        return EINVAL;
    }
    // SAFETY: the caller gives initialised attributes.
    unsafe { (*attributes.cast::<Attributes>()).detached = state };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_getdetachstate(
    attributes: *const pthread_attr_t,
    state: *mut c_int,
) -> c_int {
    // SAFETY: the caller gives initialised attributes, and a place.
    unsafe { state.write((*attributes.cast::<Attributes>()).detached) };
    0
}

/// What is written below a stack is found out, but no page keeps it from being written.
#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_getguardsize(
    attributes: *const pthread_attr_t,
    size: *mut size_t,
) -> c_int {
    // SAFETY: the caller gives initialised attributes, and a place.
    unsafe { size.write((*attributes.cast::<Attributes>()).guard_size) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_setguardsize(
    attributes: *mut pthread_attr_t,
    size: size_t,
) -> c_int {
    // SAFETY: the caller gives initialised attributes.
    unsafe { (*attributes.cast::<Attributes>()).guard_size = size };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_attr_getstack(
    attributes: *const pthread_attr_t,
    bottom: *mut *mut c_void,
    size: *mut size_t,
) -> c_int {
    // SAFETY: the caller gives initialised attributes, and two places.
    unsafe {
        let attributes = &*attributes.cast::<Attributes>();
        bottom.write(attributes.bottom);
        size.write(attributes.stack_size);
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    // SAFETY: the caller gives a thread that is there, and a place.
    unsafe {
        let thread = threads::of(thread);
        attributes.cast::<Attributes>().write(Attributes {
            stack_size: thread.stack.size,
            bottom: thread.stack.bottom.cast(),
            guard_size: 0,
            detached: c_int::from(thread.detached.get()),
        });
    }
    0
}

#[cfg(test)]
mod tests;
