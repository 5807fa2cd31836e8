//! Barriers.

use core::ffi::{c_int, c_uint};

use libc::{
    EBUSY, EINVAL, PTHREAD_BARRIER_SERIAL_THREAD, pthread_barrier_t, pthread_barrierattr_t,
};

use crate::parking::{ALL, park, unpark};

/// What `pthread_barrier_t` begins with.
#[repr(C)]
struct Barrier {
    count: c_uint,
    arrived: c_uint,
}

const _: () = assert!(size_of::<Barrier>() <= size_of::<pthread_barrier_t>());
const _: () = assert!(align_of::<Barrier>() <= align_of::<pthread_barrier_t>());

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_barrier_init(
    barrier: *mut pthread_barrier_t,
    _attributes: *const pthread_barrierattr_t,
    count: c_uint,
) -> c_int {
    if count == 0 {
        return EINVAL;
    }
    // SAFETY: the caller gives a place.
    unsafe {
        barrier
            .cast::<Barrier>()
            .write(Barrier { count, arrived: 0 })
    };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_barrier_destroy(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: the caller gives an initialised one.
    match unsafe { (*barrier.cast::<Barrier>()).arrived } {
        0 => 0,
        _ => EBUSY,
    }
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: the caller gives an initialised one; nothing else refers to it meanwhile.
    let this = unsafe { &mut *barrier.cast::<Barrier>() };
    this.arrived += 1;
    if this.arrived < this.count {
        // Nobody but the last to arrive wakes who waits here.
        park("a barrier at", barrier.addr(), ALL, None);
        return 0;
    }
    this.arrived = 0;
    unpark(barrier.addr(), usize::MAX, ALL);
    PTHREAD_BARRIER_SERIAL_THREAD
}

#[cfg(test)]
mod tests;
