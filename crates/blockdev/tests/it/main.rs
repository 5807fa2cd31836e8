//! Tests of the public interface, in one binary:
//!
//! - `async_cursor`: the asynchronous stream (feature `futures-io`);
//! - `block_device`: bounds, splitting, what the device is asked for, failures;
//! - `cached`: the cache, and random requests against an array of bytes;
//! - `cursor`: the stream (feature `std`);
//! - `faulty`: a device that fails on demand;
//! - `file`: files as devices (feature `std`);
//! - `model`: random requests against a plain array of bytes;
//! - `partition`: partitions, and tables of them, also such as cannot be (feature `partitions`);
//! - `power_cut`: what a power cut could leave while a flush goes on (feature `std`);
//! - `random`: random numbers from a seed;
//! - `recorder`: a device that keeps a trace and fails on demand;
//! - `scheduled`: scheduled access, and random requests of many tasks against a model;
//! - `volatile`: a device that forgets what was not flushed;
//! - `yielding`: large reads and writes that let others run.

#[cfg(feature = "futures-io")]
mod async_cursor;
mod block_device;
mod cached;
#[cfg(feature = "std")]
mod cursor;
mod faulty;
#[cfg(feature = "std")]
mod file;
mod model;
mod partition;
#[cfg(feature = "std")]
mod power_cut;
mod random;
mod recorder;
mod scheduled;
mod volatile;
mod yielding;
