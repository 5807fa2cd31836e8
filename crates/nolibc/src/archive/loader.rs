//! `dlfcn.h`: there is one object and nothing to load others from.

use super::random;
use super::single_thread::SingleThread;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use core::ptr;

unsafe extern "C" {
    /// The one that the program is linked with, which may be solo5-posix'.
    safe fn gettid() -> c_int;
}

/// What `dlerror` has not told yet.
static ERROR: SingleThread<Option<&CStr>> = SingleThread::new(None);

fn report(error: &'static CStr) {
    // SAFETY: nothing else refers to ERROR while this function runs.
    unsafe { *ERROR.get() = Some(error) };
}

#[unsafe(no_mangle)]
extern "C" fn dlopen(_file: *const c_char, _flags: c_int) -> *mut c_void {
    report(c"Solo5 has no dynamic loader and no files");
    ptr::null_mut()
}

/// No handle was ever given.
#[unsafe(no_mangle)]
extern "C" fn dlclose(_library: *mut c_void) -> c_int {
    report(c"Solo5 has no dynamic loader: not a handle");
    -1
}

/// Each error once, and null afterwards.
#[unsafe(no_mangle)]
extern "C" fn dlerror() -> *mut c_char {
    // SAFETY: nothing else refers to ERROR while this function runs.
    let error = unsafe { mem::take(&mut *ERROR.get()) };
    error.map_or(ptr::null_mut(), |error| error.as_ptr().cast_mut())
}

/// The executable has no table of its symbols.
#[unsafe(no_mangle)]
extern "C" fn dladdr() -> c_int {
    0
}

/// Crates ask for functions by name that an older C library may not have. Those in the list they get,
/// others are absent.
#[unsafe(no_mangle)]
unsafe extern "C" fn dlsym(_library: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the caller gives a C string.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"getrandom" => random::getrandom as *const () as *mut c_void,
        b"gettid" => gettid as *const () as *mut c_void,
        _ => {
            report(c"Solo5 has no dynamic loader: the symbol is not among those found by name");
            ptr::null_mut()
        }
    }
}
