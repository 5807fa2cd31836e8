//! Tests of the public interface, in one binary:
//!
//! - `block_device`: bounds, splitting, what the device is asked for, failures;
//! - `cursor`: the stream (feature `std`);
//! - `file`: files as devices (feature `std`);
//! - `model`: random requests against a plain array of bytes;
//! - `recorder`: a device that keeps a trace and fails on demand;
//! - `yielding`: large reads and writes that let others run.

mod block_device;
#[cfg(feature = "std")]
mod cursor;
#[cfg(feature = "std")]
mod file;
mod model;
mod recorder;
mod yielding;
