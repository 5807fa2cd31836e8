//! Reads and writes at any offset of a block device of the unikernel.
//!
//! ```no_run
//! let mut disk = mkernel::block::open(mkernel::block!("disk")?)?;
//! disk.write_at(510, b"across")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A read or a write returns when it is done: as long as it takes, no other task runs and no frame is
//! read, and so it is with a flush, but for [`flush_yielding`](BlockDevice::flush_yielding). What is large goes by [`read_at_yielding`](BlockDevice::read_at_yielding) and
//! [`write_at_yielding`](BlockDevice::write_at_yielding), which let others run every 64 KiB.
//!
//! Tasks that share a disk put a queue on it, which does what they ask for in an order that suits the
//! device, and lets others run in between ([`scheduled`]):
//!
//! ```no_run
//! use mkernel::block::scheduled::Queue;
//!
//! mkernel::run(async {
//!     let disk = mkernel::block::open(mkernel::block!("disk")?)?;
//!     let disk = Queue::new(disk.into_inner());
//!     let shared = disk.clone();
//!     let copy = mkernel::spawn(async move {
//!         let bytes = shared.read(0, 1 << 20).await?;
//!         shared.write(1 << 20, bytes).await?;
//!         shared.flush().await
//!     });
//!     disk.write(3 << 20, b"meanwhile".to_vec()).await?;
//!     copy.await??;
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::task::{Context, Poll};

use blockdev::SectorDevice;
pub use blockdev::{self, BlockDevice, Cached, Cursor, Geometry, GeometryError, scheduled};
use solo5_ffi::{Block, BlockError};

use crate::source::source;

/// Takes an acquired device for reads and writes at any offset.
///
/// # Errors
///
/// When the host attached a device whose size [`Geometry`] does not allow.
pub fn open(block: Block) -> Result<BlockDevice<Disk>, GeometryError> {
    let geometry = Geometry::new(block.block_size(), block.capacity())?;
    let flushes = Flushes::default();
    Ok(BlockDevice::new(Disk {
        block,
        geometry,
        flushes,
    }))
}

/// A block device of the unikernel, as [`blockdev`] wants it.
///
/// Where the tender can go on with a flush while the unikernel does, it is a task of [`run`](crate::run) that waits for it.
#[derive(Debug)]
pub struct Disk {
    block: Block,
    geometry: Geometry,
    flushes: Flushes,
}

/// The flushes that were begun, by their numbers.
#[derive(Debug, Default)]
struct Flushes {
    /// The last that was asked for: there is one at most that waits for the one that goes on.
    asked: u64,
    going_on: Option<u64>,
    succeeded: u64,
    /// Of the first that failed, after which all do.
    error: Option<BlockError>,
}

impl Disk {
    /// Begins the flush of that number, when none goes on.
    fn begin(&mut self, number: u64) -> Result<(), BlockError> {
        match self.block.flush_begin()? {
            true => self.flushes.going_on = Some(number),
            false => self.flushes.succeeded = number,
        }
        Ok(())
    }

    /// Looks whether the flush that goes on has ended, and begins the one that waits for that.
    fn attend(&mut self) -> Result<(), BlockError> {
        let Some(number) = self.flushes.going_on else {
            return Ok(());
        };
        let Poll::Ready(ended) = self.block.flush_end() else {
            return Ok(());
        };
        self.flushes.going_on = None;
        source().flushes.end(self.block.handle());
        ended?;
        self.flushes.succeeded = number;
        match self.flushes.asked > number {
            true => self.begin(number + 1),
            false => Ok(()),
        }
    }
}

impl SectorDevice for Disk {
    type Error = BlockError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn max_transfer(&self) -> usize {
        self.block.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), BlockError> {
        self.block.read(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), BlockError> {
        self.block.write(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        self.block.can_flush()
    }

    fn flush(&mut self) -> Result<(), BlockError> {
        self.block.flush()
    }

    fn begin_flush(&mut self) -> Result<u64, BlockError> {
        let number = self.flushes.going_on.unwrap_or(self.flushes.succeeded) + 1;
        if self.flushes.going_on.is_none() {
            self.begin(number)?;
        }
        self.flushes.asked = number;
        Ok(number)
    }

    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), BlockError>> {
        if let Err(error) = self.attend() {
            self.flushes.error = Some(error);
        }
        match self.flushes.error {
            _ if number <= self.flushes.succeeded => Poll::Ready(Ok(())),
            Some(error) => Poll::Ready(Err(error)),
            None => {
                let source = source();
                source
                    .flushes
                    .wake_at_end(self.block.handle(), context.waker());
                Poll::Pending
            }
        }
    }

    fn can_discard(&self) -> bool {
        self.block.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), BlockError> {
        self.block.discard(offset, len)
    }
}
