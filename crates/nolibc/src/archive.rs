//! The C symbols of `libc.a`, which `solo5-rustc` compiles with `--cfg nolibc_archive`.

mod auxiliary;
mod calendar;
mod environment;
mod errno;
mod exit;
mod fortify;
mod heap;
mod hypercall;
mod input_output;
mod loader;
mod math;
mod panic;
mod random;
mod signals;
mod single_thread;
mod start;
mod streams;
mod system_call;
mod threads;
mod time;
mod unsupported;
mod unwind;
