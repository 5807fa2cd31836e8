//! Calls a C function that Solo5 lacks.

use std::ffi::{c_char, c_void};

unsafe extern "C" {
    fn popen(command: *const c_char, kind: *const c_char) -> *mut c_void;
}

fn main() {
    // SAFETY: both are C strings.
    let process = unsafe { popen(c"true".as_ptr(), c"r".as_ptr()) };
    println!("{}", process.is_null());
    println!("{}", missing_symbol::interface());
    println!("{}", missing_symbol::half());
}
