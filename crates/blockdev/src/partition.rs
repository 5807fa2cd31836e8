//! Partitions of a device, and the tables that say where they are.
//!
//! A [`Partition`] is a part of a device and a device itself. With the feature `partitions`
//! `Table::read` finds them in a GPT or an MBR, with the logical partitions of the latter:
//!
//! ```
//! # #[cfg(feature = "partitions")] {
//! use blockdev::partition::{Table, TableError};
//! use blockdev::{BlockDevice, MemoryDevice};
//!
//! # fn first(mut disk: BlockDevice<MemoryDevice>) -> Result<(), Box<dyn std::error::Error>> {
//! let table = Table::read(&mut disk)?;
//! if let Some(entry) = table.entries.first() {
//!     let mut partition = BlockDevice::new(entry.open(disk.get_mut())?);
//!     partition.write_at(0, b"the first bytes of the first partition")?;
//! }
//! # Ok(())
//! # }
//! # let disk = BlockDevice::new(MemoryDevice::new(512, 8).unwrap());
//! # let error = first(disk).unwrap_err().downcast::<TableError<_>>().unwrap();
//! # assert_eq!(*error, TableError::<std::convert::Infallible>::NoTable);
//! # }
//! ```
//!
//! A table is taken whole or not at all: one in which partitions overlap, reach beyond the end or lie
//! over the table itself is refused. What is read of it is bounded: 1024 partitions of a GPT, 128
//! logical ones of an MBR.

mod device;
#[cfg(feature = "partitions")]
mod error;
#[cfg(feature = "partitions")]
mod gpt;
#[cfg(feature = "partitions")]
mod guid;
#[cfg(feature = "partitions")]
mod mbr;
#[cfg(feature = "partitions")]
mod table;

pub use device::Partition;
#[cfg(feature = "partitions")]
pub use error::TableError;
#[cfg(feature = "partitions")]
pub use guid::Guid;
#[cfg(feature = "partitions")]
pub use table::{Entry, Kind, Table};
