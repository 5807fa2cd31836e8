use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;

use crate::{Geometry, GeometryError, SectorDevice};

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

    /// Where the block at `offset` lies; the caller keeps to [`SectorDevice::read_block`]'s rules.
    fn start(offset: u64) -> usize {
        usize::try_from(offset).expect("a block of memory has an address")
    }
}

impl SectorDevice for MemoryDevice {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read_block(&mut self, offset: u64, block: &mut [u8]) -> Result<(), Self::Error> {
        let start = Self::start(offset);
        block.copy_from_slice(&self.bytes[start..start + self.geometry.block_size()]);
        Ok(())
    }

    fn write_block(&mut self, offset: u64, block: &[u8]) -> Result<(), Self::Error> {
        let start = Self::start(offset);
        self.bytes[start..start + self.geometry.block_size()].copy_from_slice(block);
        Ok(())
    }
}
