//! solo5-nolibc
