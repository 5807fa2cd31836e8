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
//! group is a link error. The README has the lists.
//!
//! In Rust the crate offers what can be tested on any host: [`command_line`], the quoting of
//! arguments, the allocator [`heap`], and the functions of [`memory`] and [`strings`].
#![cfg_attr(nolibc_archive, no_std)]

#[cfg(nolibc_archive)]
mod archive;
pub mod command_line;
pub mod heap;
pub mod memory;
pub mod strings;
