//! Calls a C function that Solo5 lacks.

use std::ffi::{c_char, c_int, c_void};

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
}

fn main() {
    // SAFETY: the name is a C string.
    let library = unsafe { dlopen(c"libm.so.6".as_ptr(), 1) };
    println!("{}", library.is_null());
}
