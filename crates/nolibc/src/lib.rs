//! The C library under Rust's `std` in a Solo5 unikernel.
//!
//! A program needs nothing from here but to depend on it, directly or through `mkernel`; then, built
//! with `--target x86_64-solo5-hvt` or `x86_64-solo5-spt`, what follows is a whole unikernel (and
//! without `--target` an ordinary program):
//!
//! ```
//! println!("Hello World!");
//! ```
//!
//! The library is one archive, `libc.a`, which `solo5-rustc` compiles from this crate and the linker
//! finds as `-lc`. Only C symbols are visible in it. What a unikernel has (memory, a console, clocks,
//! randomness, one thread) works; what it has not (files, sockets, processes, more threads) is there
//! to be linked and fails with `ENOSYS`, so that Rust callers get an `Err`; whatever is in neither
//! group is a link error. The README has the lists. Of functions that only fail, and of those around threads, a crate such as
//! `solo5-posix` can have its own, which then win.
//!
//! In Rust the crate offers what can be tested on any host: [`command_line`], the quoting of arguments, the allocator
//! [`heap`], and the functions of [`memory`], [`strings`], [`numbers`], [`printf`], [`scanf`], [`sorting`], [`locks`],
//! [`semaphores`] and [`chacha20`]; and [`total_memory`], [`free_memory`] and [`processor_time`], which `std` does not tell.
#![cfg_attr(nolibc_archive, no_std)]

#[cfg(nolibc_archive)]
mod archive;
pub mod chacha20;
pub mod command_line;
mod errno;
pub mod heap;
pub mod locks;
pub mod memory;
pub mod numbers;
pub mod printf;
pub mod scanf;
pub mod semaphores;
pub mod sorting;
pub mod strings;
pub mod variadic;

/// The octets of the unikernel's heap, used or not; of an ordinary program, the machine's memory.
#[cfg(not(nolibc_archive))]
pub fn total_memory() -> usize {
    // The number of glibc's bits/confname.h, like the others below.
    const PHYSICAL_PAGES: core::ffi::c_int = 85;
    octets_of(PHYSICAL_PAGES)
}

/// The octets of the largest free block of the unikernel's heap, nearly: as long as little was freed,
/// all that is free. Of an ordinary program, the machine's free memory.
#[cfg(not(nolibc_archive))]
pub fn free_memory() -> usize {
    const FREE_PAGES: core::ffi::c_int = 86;
    octets_of(FREE_PAGES)
}

/// How long the program has had the processor, in nanoseconds: a unikernel since its boot.
#[cfg(not(nolibc_archive))]
pub fn processor_time() -> u64 {
    use core::ffi::{c_int, c_long};

    /// The number of Linux' `time.h`.
    const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
    #[repr(C)]
    struct TimeSpec {
        seconds: c_long,
        nanoseconds: c_long,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
    }
    let mut time = TimeSpec {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: as POSIX declares it; it writes one `timespec`, whose fields these are on x86_64, or nothing.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    let [seconds, nanoseconds] = [time.seconds, time.nanoseconds].map(c_long::cast_unsigned);
    seconds * 1_000_000_000 + nanoseconds
}

/// The octets of as many pages as `sysconf` says.
#[cfg(not(nolibc_archive))]
fn octets_of(pages: core::ffi::c_int) -> usize {
    use core::ffi::{c_int, c_long};

    const PAGE_SIZE: c_int = 30;
    // SAFETY: as POSIX declares it; it takes any number, and answers -1 to one that it does not know.
    unsafe extern "C" {
        safe fn sysconf(name: c_int) -> c_long;
    }
    let [size, count] = [PAGE_SIZE, pages].map(|name| usize::try_from(sysconf(name)).unwrap_or(0));
    size.saturating_mul(count)
}
