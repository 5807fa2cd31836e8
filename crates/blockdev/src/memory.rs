use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;

use crate::{Geometry, GeometryError, SectorDevice};

/// Most bytes of one transfer, or a block where blocks are larger.
const MAX_TRANSFER: usize = 1 << 20;

/// A device in memory, for tests and for data that need not last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryDevice {
    geometry: Geometry,
    bytes: Vec<u8>,
}

impl MemoryDevice {
    /// A device of `blocks` blocks of `block_size` bytes each, all of them zero.
    ///
    /// # Errors
    ///
    /// When there are no blocks, or their size is no power of two.
    ///
    /// # Panics
    ///
    /// When there is no memory for it.
    pub fn new(block_size: usize, blocks: usize) -> Result<Self, GeometryError> {
        Self::from_bytes(block_size, vec![0; block_size.saturating_mul(blocks)])
    }

    /// A device that holds `bytes`.
    ///
    /// # Errors
    ///
    /// When the block size is no power of two, or the number of bytes no multiple of it or 0.
    pub fn from_bytes(block_size: usize, bytes: Vec<u8>) -> Result<Self, GeometryError> {
        Ok(Self {
            geometry: Geometry::new(block_size, bytes.len() as u64)?,
            bytes,
        })
    }

    /// All that the device holds.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where `len` bytes at `offset` lie; the caller keeps to [`SectorDevice`]'s rules.
    fn range(offset: u64, len: usize) -> Range<usize> {
        let start = usize::try_from(offset).expect("a block of memory has an address");
        start..start + len
    }
}

/// A flush finds everything as durable as it will be; blocks that are discarded are zero.
impl SectorDevice for MemoryDevice {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn max_transfer(&self) -> usize {
        MAX_TRANSFER.max(self.geometry.block_size())
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Infallible> {
        blocks.copy_from_slice(&self.bytes[Self::range(offset, blocks.len())]);
        Ok(())
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Infallible> {
        self.bytes[Self::range(offset, blocks.len())].copy_from_slice(blocks);
        Ok(())
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn can_discard(&self) -> bool {
        true
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Infallible> {
        let len = usize::try_from(len).expect("what lies in memory has a length");
        self.bytes[Self::range(offset, len)].fill(0);
        Ok(())
    }
}
