//! A device that keeps a trace and fails on demand.

use std::fmt;

use blockdev::{Geometry, MemoryDevice, SectorDevice};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 512;

/// What a [`Recorder`] was asked for: the number of the first block, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read(u64, usize),
    Write(u64, usize),
    Flush,
    Discard(u64, usize),
}

/// The error of a call that was to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

/// A device of zeros that keeps a trace.
pub(crate) struct Recorder {
    pub(crate) memory: MemoryDevice,
    pub(crate) calls: Vec<Call>,
    /// The call that fails.
    pub(crate) broken: Option<Call>,
    /// Most blocks of one transfer.
    pub(crate) max_blocks: usize,
    pub(crate) can_flush: bool,
    pub(crate) can_discard: bool,
}

impl Recorder {
    /// One that transfers one block at a time and can flush, but not discard.
    pub(crate) fn new(blocks: usize) -> Self {
        Self {
            memory: MemoryDevice::new(BLOCK, blocks).unwrap(),
            calls: Vec::new(),
            broken: None,
            max_blocks: 1,
            can_flush: true,
            can_discard: false,
        }
    }

    fn record(&mut self, call: Call) -> Result<(), Broken> {
        self.calls.push(call);
        if self.broken == Some(call) {
            return Err(Broken);
        }
        Ok(())
    }

    /// The blocks of a transfer, which keeps to the rules of the trait.
    fn blocks(&self, offset: u64, len: usize) -> (u64, usize) {
        assert!(offset.is_multiple_of(BLOCK as u64) && len.is_multiple_of(BLOCK));
        assert!((1..=self.max_transfer()).contains(&len));
        assert!(offset + len as u64 <= self.geometry().capacity());
        (offset / BLOCK as u64, len / BLOCK)
    }
}

impl SectorDevice for Recorder {
    type Error = Broken;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.max_blocks * BLOCK
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Broken> {
        let (first, count) = self.blocks(offset, blocks.len());
        self.record(Call::Read(first, count))?;
        let Ok(()) = self.memory.read_blocks(offset, blocks);
        Ok(())
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Broken> {
        let (first, count) = self.blocks(offset, blocks.len());
        self.record(Call::Write(first, count))?;
        let Ok(()) = self.memory.write_blocks(offset, blocks);
        Ok(())
    }

    fn can_flush(&self) -> bool {
        self.can_flush
    }

    fn flush(&mut self) -> Result<(), Broken> {
        assert!(self.can_flush);
        self.record(Call::Flush)
    }

    fn can_discard(&self) -> bool {
        self.can_discard
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Broken> {
        assert!(self.can_discard && len > 0);
        let blocks = usize::try_from(len).unwrap() / BLOCK;
        self.record(Call::Discard(offset / BLOCK as u64, blocks))?;
        let Ok(()) = self.memory.discard(offset, len);
        Ok(())
    }
}
