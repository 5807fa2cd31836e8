//! A device that forgets.

use blockdev::{Geometry, MemoryDevice, SectorDevice};

/// Memory that keeps what was there at the last flush, and how much is done.
pub(crate) struct Volatile {
    pub(crate) memory: MemoryDevice,
    pub(crate) durable: Vec<u8>,
    /// Bytes that have been read or written.
    pub(crate) transferred: usize,
    max_transfer: usize,
}

impl Volatile {
    pub(crate) fn new(block_size: usize, blocks: usize, max_blocks: usize) -> Self {
        Self {
            memory: MemoryDevice::new(block_size, blocks).unwrap(),
            durable: vec![0; block_size * blocks],
            transferred: 0,
            max_transfer: block_size * max_blocks,
        }
    }
}

impl SectorDevice for Volatile {
    type Error = std::convert::Infallible;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.max_transfer
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        assert!((1..=self.max_transfer).contains(&blocks.len()));
        self.transferred += blocks.len();
        self.memory.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
        assert!((1..=self.max_transfer).contains(&blocks.len()));
        self.transferred += blocks.len();
        self.memory.write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.durable = self.memory.as_bytes().to_vec();
        Ok(())
    }

    fn can_discard(&self) -> bool {
        true
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Self::Error> {
        self.memory.discard(offset, len)
    }
}
