//! The bindings of `vendor/solo5`, driven by the C guests in `vendor/solo5/tests`, which are linked with GNU ld and with
//! rust-lld and booted under this workspace's tenders.
//!
//! - [`c_guest`]: compiles, links and boots them;
//! - [`objects`]: what the objects export and need;
//! - [`parts`]: memory functions and hvt's clock, compiled into programs of the host;
//! - [`cases`]: start-up, memory, time, the console, every way to end, traps;
//! - [`console`]: pipes that are full or closed, a full disk;
//! - [`tls`]: thread-local storage of all alignments;
//! - [`devices`]: block devices, the largest manifest;
//! - [`network`]: frames of all sizes, and hvt's ring when it is full;
//! - [`offload`]: segments of up to 64 KiB, for those who ask for them;
//! - [`storage`]: flushes, many blocks at once, blocks given up, and how that fails;
//! - [`cuts`]: what of that outlives the power, which is cut;
//! - [`scripts`]: what the linker scripts make of a program.

mod c_guest;
mod cases;
mod console;
mod cuts;
mod devices;
#[path = "../../../crates/solo5-ffi/build/flags.rs"]
mod flags;
mod network;
mod objects;
mod offload;
mod parts;
mod scripts;
mod storage;
mod tls;
