//! `solo5.h` as Rust declarations: the raw API of the bindings.
//!
//! Types are in [`solo5_abi::api`]; what each function does is said in `solo5.h`. Prefer the safe
//! types of the crate's root.

#[cfg(not(solo5_upstream_bindings))]
use core::ffi::c_uint;
use core::ffi::{c_char, c_int};

use solo5_abi::api::{BlockInfo, NetInfo};

/// `solo5_result_t`: one of the numbers of [`solo5_abi::api::SolResult`].
pub type ResultCode = u32;

unsafe extern "C" {
    /// Ends the guest with `status` modulo 256.
    pub safe fn solo5_exit(status: c_int) -> !;
    /// Ends the guest with status 255.
    pub safe fn solo5_abort() -> !;
    /// Bytes to allocate for a thread's block.
    pub safe fn solo5_tls_size() -> usize;
    /// The thread pointer of the block at that address.
    pub safe fn solo5_tls_tp_offset(block: usize) -> usize;
    /// Fills a zeroed block of `solo5_tls_size()` bytes.
    pub fn solo5_tls_init(block: usize) -> ResultCode;
    /// Loads the thread pointer.
    pub fn solo5_set_tls_base(tp: usize) -> ResultCode;
    /// Nanoseconds since an arbitrary origin.
    pub safe fn solo5_clock_monotonic() -> u64;
    /// Nanoseconds since 1970-01-01 UTC.
    pub safe fn solo5_clock_wall() -> u64;
    /// Blocks until the monotonic `deadline` or until a network device is readable.
    pub fn solo5_yield(deadline: u64, ready: *mut u64);
    /// As `solo5_yield`, for the devices in `wanted` alone; an extension that Solo5's own bindings lack.
    #[cfg(not(solo5_upstream_bindings))]
    pub fn solo5_yield_set(deadline: u64, wanted: u64, ready: *mut u64);
    /// Writes to the console.
    pub fn solo5_console_write(buf: *const c_char, size: usize);
    /// Acquires a network device.
    pub fn solo5_net_acquire(
        name: *const c_char,
        handle: *mut u64,
        info: *mut NetInfo,
    ) -> ResultCode;
    /// Sends one frame.
    pub fn solo5_net_write(handle: u64, buf: *const u8, size: usize) -> ResultCode;
    /// Receives one frame.
    pub fn solo5_net_read(
        handle: u64,
        buf: *mut u8,
        size: usize,
        read_size: *mut usize,
    ) -> ResultCode;
    /// Acquires a block device.
    pub fn solo5_block_acquire(
        name: *const c_char,
        handle: *mut u64,
        info: *mut BlockInfo,
    ) -> ResultCode;
    /// Writes one block, or many where the device has that feature.
    pub fn solo5_block_write(handle: u64, offset: u64, buf: *const u8, size: usize) -> ResultCode;
    /// Reads one block, or many.
    pub fn solo5_block_read(handle: u64, offset: u64, buf: *mut u8, size: usize) -> ResultCode;
    /// What a block device has beyond Solo5's interface; an extension that Solo5's own bindings lack.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_features(handle: u64) -> c_uint;
    /// Makes durable what was written to a block device; an extension, too.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_flush(handle: u64) -> ResultCode;
    /// Begins a flush that goes on while the guest does; an extension, too.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_flush_begin(handle: u64) -> ResultCode;
    /// What came of it, once; an extension, too.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_flush_end(handle: u64) -> ResultCode;
    /// Whether that is there to be told; an extension, too.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_flush_has_ended(handle: u64) -> bool;
    /// Gives up blocks; an extension, too.
    #[cfg(not(solo5_upstream_bindings))]
    pub safe fn solo5_block_discard(handle: u64, offset: u64, size: u64) -> ResultCode;
}
