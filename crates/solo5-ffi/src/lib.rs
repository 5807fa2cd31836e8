//! solo5-ffi
