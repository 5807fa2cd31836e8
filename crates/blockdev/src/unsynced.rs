use core::task::{Context, Poll};

use crate::{Geometry, SectorDevice};

/// A device whose flush always succeeds: where the device in it cannot flush, nothing is done.
///
/// It is how a program says that it goes on without durability, to code that flushes and would give
/// up: what was written may then be lost when the power goes, whatever a flush said.
///
/// ```
/// use blockdev::{BlockDevice, MemoryDevice, SectorDevice, Unsynced};
///
/// let mut disk = BlockDevice::new(Unsynced::new(MemoryDevice::new(512, 8)?));
/// assert!(disk.get_ref().can_flush());
/// disk.flush()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Unsynced<D> {
    device: D,
}

impl<D> Unsynced<D> {
    /// Takes a device, which may be one that can flush.
    pub fn new(device: D) -> Self {
        Self { device }
    }

    /// The device.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }
}

impl<D: SectorDevice> SectorDevice for Unsynced<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.device.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), D::Error> {
        self.device.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), D::Error> {
        self.device.write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), D::Error> {
        if self.device.can_flush() {
            return self.device.flush();
        }
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<u64, D::Error> {
        if self.device.can_flush() {
            return self.device.begin_flush();
        }
        Ok(0)
    }

    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<(), D::Error>> {
        if self.device.can_flush() {
            return self.device.poll_flush(number, context);
        }
        Poll::Ready(Ok(()))
    }

    fn can_discard(&self) -> bool {
        self.device.can_discard()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), D::Error> {
        self.device.discard(offset, len)
    }
}
