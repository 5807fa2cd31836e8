//! The C symbols of `libc.a`, which `solo5-rustc` compiles with `--cfg nolibc_archive`.

/// Gives functions their C names, or one function several, and lets a crate of the program that defines one of
/// these have its own instead, as solo5-posix does.
macro_rules! weak {
    ($($name:ident)+) => {
        weak! { $($name = $name,)+ }
    };
    ($function:ident => $($name:ident)+) => {
        weak! { $($name = $function,)+ }
    };
    ($($name:ident = $function:path,)+) => {
        core::arch::global_asm!(
            $(
                concat!(".weak ", stringify!($name)),
                concat!(".type ", stringify!($name), ", @function"),
                concat!(".set ", stringify!($name), ", {", stringify!($name), "}"),
            )+
            $($name = sym $function,)+
        );
    };
}

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
