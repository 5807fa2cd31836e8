//! The Solo5 hypercalls: what a unikernel can ask of the world outside, as typed functions.
//!
//! ```no_run
//! let net = solo5_ffi::net!("service")?;
//! let mut frame = vec![0; net.read_size()];
//! loop {
//!     let ready = solo5_ffi::yield_until(u64::MAX);
//!     if ready.contains(net.handle()) {
//!         while let Some(length) = net.read(&mut frame)? {
//!             net.write(&frame[..length])?; // to whoever sent it, were the addresses swapped
//!         }
//!     }
//! }
//! # #[expect(unreachable_code)]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # On a guest and on a host
//!
//! Built for `x86_64-solo5-hvt` or `x86_64-solo5-spt`, the crate is `no_std` and calls the bindings
//! of `vendor/solo5`, which its build script compiles. Built for Linux, the same functions run over
//! TAP interfaces and disk images that the file named by `MIOU_PROFILING` lists, so that perf,
//! heaptrack and gdb work on the same program; without that variable the program prints its
//! manifest and ends. The module `host` says how.
//!
//! # Devices
//!
//! [`net!`] and [`block!`] declare a device where it is used and acquire it at run time. The linker
//! collects the declarations that the program can reach: that is its manifest.
//!
//! There is one thread and there are no interrupts. Nothing blocks but [`yield_until`] and
//! [`yield_for`].
#![cfg_attr(any(solo5 = "hvt", solo5 = "spt"), no_std)]
#![deny(missing_docs)]

mod block;
mod clock;
mod console;
mod declare;
mod error;
mod handle;
mod net;

#[cfg(any(solo5 = "hvt", solo5 = "spt"))]
pub mod sys;

#[cfg(any(solo5 = "hvt", solo5 = "spt"))]
mod guest;
#[cfg(any(solo5 = "hvt", solo5 = "spt"))]
use guest as backend;

#[cfg(not(any(solo5 = "hvt", solo5 = "spt")))]
pub mod host;
#[cfg(not(any(solo5 = "hvt", solo5 = "spt")))]
use host::backend;

pub use block::Block;
pub use clock::{clock_monotonic, clock_wall, flush_has_ended, shutdown, yield_for, yield_until};
pub use console::{abort, console_write, exit, start};
#[doc(hidden)]
pub use declare::entry_words;
pub use error::{AcquireError, BlockError, NetError};
pub use handle::{Handle, HandleSet};
pub use net::Net;
pub use solo5_abi::manifest::{DeviceType, Entry};
pub use solo5_abi::net::NetHeader;
