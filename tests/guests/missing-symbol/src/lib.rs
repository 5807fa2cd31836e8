//! A crate that calls C functions that Solo5 lacks, one of them from C code of its own.

use std::ffi::{c_double, c_uint};

unsafe extern "C" {
    fn if_nametoindex(name: *const std::ffi::c_char) -> c_uint;
    safe fn half_of_text() -> c_double;
}

/// Half of a number that C code reads.
pub fn half() -> f64 {
    half_of_text()
}

/// The number of an interface.
pub fn interface() -> c_uint {
    // SAFETY: a C string.
    unsafe { if_nametoindex(c"lo".as_ptr()) }
}
