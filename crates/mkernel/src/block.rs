//! Reads and writes at any offset of a block device of the unikernel.
//!
//! ```no_run
//! let mut disk = mkernel::block::open(mkernel::block!("disk")?)?;
//! disk.write_at(510, b"across")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A read or a write returns when it is done: as long as it takes, no other task runs and no frame is
//! read. What is large goes by [`read_at_yielding`](BlockDevice::read_at_yielding) and
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

use blockdev::SectorDevice;
pub use blockdev::{self, BlockDevice, Cached, Cursor, Geometry, GeometryError, scheduled};
use solo5_ffi::{Block, BlockError};

/// Takes an acquired device for reads and writes at any offset.
///
/// # Errors
///
/// When the host attached a device whose size [`Geometry`] does not allow.
pub fn open(block: Block) -> Result<BlockDevice<Disk>, GeometryError> {
    let geometry = Geometry::new(block.block_size(), block.capacity())?;
    Ok(BlockDevice::new(Disk { block, geometry }))
}

/// A block device of the unikernel, as [`blockdev`] wants it.
#[derive(Debug)]
pub struct Disk {
    block: Block,
    geometry: Geometry,
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

    fn can_discard(&self) -> bool {
        self.block.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), BlockError> {
        self.block.discard(offset, len)
    }
}
