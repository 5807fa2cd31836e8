//! A crate that calls a C function that Solo5 lacks.

use std::ffi::c_uint;

unsafe extern "C" {
    fn if_nametoindex(name: *const std::ffi::c_char) -> c_uint;
}

/// The number of an interface.
pub fn interface() -> c_uint {
    // SAFETY: a C string.
    unsafe { if_nametoindex(c"lo".as_ptr()) }
}
