//! Thread-specific data.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr;

use libc::{EAGAIN, EINVAL, pthread_key_t};

use crate::thread::{self, Thread};

/// As many keys as POSIX promises.
const KEYS: usize = 128;
/// How often destructors run at a thread's end, as they may set values again.
const ITERATIONS: usize = 4;

type Destructor = Option<unsafe extern "C" fn(*mut c_void)>;

global! {
    /// The keys in use.
    static IN_USE: [Cell<Option<Destructor>>; KEYS] = [const { Cell::new(None) }; KEYS];
}

/// A thread's values.
pub(crate) struct Values([Cell<*mut c_void>; KEYS]);

impl Values {
    pub(crate) const fn new() -> Self {
        Self([const { Cell::new(ptr::null_mut()) }; KEYS])
    }

    /// Runs the destructors at the end of the thread, which runs.
    pub(crate) fn end(&self) {
        for _ in 0..ITERATIONS {
            let mut found = false;
            for (index, value) in self.0.iter().enumerate() {
                let destructor = IN_USE.with(|keys| keys[index].get()).flatten();
                if let (Some(destructor), false) = (destructor, value.get().is_null()) {
                    found = true;
                    // SAFETY: who made the key promised that it takes each value that is set.
                    unsafe { destructor(value.replace(ptr::null_mut())) };
                }
            }
            if !found {
                return;
            }
        }
    }
}

fn is_in_use(key: pthread_key_t) -> bool {
    IN_USE.with(|keys| {
        keys.get(key as usize)
            .is_some_and(|key| key.get().is_some())
    })
}

#[cfg_attr(solo5, unsafe(no_mangle))]
unsafe extern "C" fn pthread_key_create(key: *mut pthread_key_t, destructor: Destructor) -> c_int {
    let free = IN_USE.with(|keys| {
        let index = keys.iter().position(|key| key.get().is_none())?;
        keys[index].set(Some(destructor));
        Some(index)
    });
    let Some(index) = free else {
        return EAGAIN;
    };
    for thread in Thread::all() {
        thread.values.0[index].set(ptr::null_mut());
    }
    // SAFETY: the caller gives a place.
    unsafe { key.write(index as pthread_key_t) };
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    if !is_in_use(key) {
        return EINVAL;
    }
    IN_USE.with(|keys| keys[key as usize].set(None));
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_setspecific(key: pthread_key_t, value: *const c_void) -> c_int {
    match thread::current() {
        Some(thread) if is_in_use(key) => thread.values.0[key as usize].set(value.cast_mut()),
        _ => return EINVAL,
    }
    0
}

#[cfg_attr(solo5, unsafe(no_mangle))]
extern "C" fn pthread_getspecific(key: pthread_key_t) -> *mut c_void {
    match thread::current() {
        Some(thread) if is_in_use(key) => thread.values.0[key as usize].get(),
        _ => ptr::null_mut(),
    }
}

#[cfg(test)]
mod tests;
