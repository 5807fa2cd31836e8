//! A device that keeps a trace and fails on demand.

use std::fmt;

use blockdev::{Geometry, MemoryDevice, SectorDevice};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 512;

/// What a [`Recorder`] was asked for, with the number of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read(u64),
    Write(u64),
    Flush,
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
    pub(crate) broken: Option<Call>,
}

impl Recorder {
    pub(crate) fn new(blocks: usize) -> Self {
        Self {
            memory: MemoryDevice::new(BLOCK, blocks).unwrap(),
            calls: Vec::new(),
            broken: None,
        }
    }

    fn record(&mut self, call: Call) -> Result<(), Broken> {
        self.calls.push(call);
        if self.broken == Some(call) {
            return Err(Broken);
        }
        Ok(())
    }
}

impl SectorDevice for Recorder {
    type Error = Broken;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn read_block(&mut self, offset: u64, block: &mut [u8]) -> Result<(), Broken> {
        assert_eq!((offset % BLOCK as u64, block.len()), (0, BLOCK));
        self.record(Call::Read(offset / BLOCK as u64))?;
        let Ok(()) = self.memory.read_block(offset, block);
        Ok(())
    }

    fn write_block(&mut self, offset: u64, block: &[u8]) -> Result<(), Broken> {
        assert_eq!((offset % BLOCK as u64, block.len()), (0, BLOCK));
        self.record(Call::Write(offset / BLOCK as u64))?;
        let Ok(()) = self.memory.write_block(offset, block);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Broken> {
        self.record(Call::Flush)
    }
}
