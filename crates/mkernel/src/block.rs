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

use blockdev::SectorDevice;
pub use blockdev::{self, BlockDevice, Cursor, Geometry, GeometryError};
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
