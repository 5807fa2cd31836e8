//! Block devices: byte-granular reads and writes over anything that transfers blocks.
//!
//! What does the transfers is a [`SectorDevice`]: a unikernel's disk, a file, memory. A
//! [`BlockDevice`] makes one usable: it checks bounds, splits what is larger than one transfer, and reads
//! before it writes where only part of a block changes. With the feature `std` (the default) a
//! [`Cursor`] makes it a [`Read`](std::io::Read), [`Write`](std::io::Write) and
//! [`Seek`](std::io::Seek), for the many crates that want those.
//!
//! ```
//! use blockdev::{BlockDevice, MemoryDevice};
//!
//! let mut disk = BlockDevice::new(MemoryDevice::new(512, 8)?);
//! disk.write_at(510, b"across")?;
//!
//! let mut bytes = [0; 6];
//! disk.read_at(510, &mut bytes)?;
//! assert_eq!(&bytes, b"across");
//!
//! let error = disk.read_at(4094, &mut bytes).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "6 bytes at offset 4094 reach beyond the device's 4096 bytes"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! That is atomic access: it is done when the call returns, and nothing else runs meanwhile. Tasks
//! that share a device, and must not keep others waiting, put a [`scheduled`] queue on it. What goes
//! around a device and is one itself: a bounded cache ([`Cached`]), one that fails on demand, to test
//! what is above it ([`FaultyDevice`]), one that never refuses to flush ([`Unsynced`]), and a part of
//! it ([`partition`]).
//!
//! The crate knows nothing of where its devices come from, starts no thread and waits for nothing
//! but the device.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cached;
mod device;
mod error;
mod faulty;
mod geometry;
mod memory;
pub mod partition;
pub mod scheduled;
mod sector_device;
mod unsynced;

#[cfg(feature = "std")]
mod cursor;
#[cfg(feature = "std")]
mod file;
#[cfg(feature = "std")]
pub mod power_cut;

pub use cached::{CacheConfig, Cached, IntoInnerError};
pub use device::BlockDevice;
pub use error::{Error, Operation};
pub use faulty::{Fault, FaultError, FaultyDevice};
pub use geometry::{Geometry, GeometryError};
pub use memory::MemoryDevice;
pub use sector_device::SectorDevice;
pub use unsynced::Unsynced;

#[cfg(feature = "std")]
pub use cursor::Cursor;
#[cfg(feature = "std")]
pub use file::{FileDevice, OpenError};
