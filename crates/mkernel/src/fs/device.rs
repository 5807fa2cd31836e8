//! The device below a file system, whatever kind of device it is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use blockdev::{BlockDevice, SectorDevice};

use super::ErrorKind;

mod in_order;

use in_order::InOrder;

/// Most reads of the device within one call, if nothing else is said: what an image says is followed no further.
const MAX_READS: u32 = 1 << 16;

/// A device; a clone is the same device.
#[derive(Clone)]
pub(super) struct Device {
    writes: Rc<RefCell<InOrder<dyn Storage>>>,
    capacity: u64,
    block_size: usize,
    can_flush: bool,
    max_reads: u32,
    reads_left: Rc<Cell<u32>>,
}

/// A block device of any kind.
trait Storage {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind>;

    fn write_at(&mut self, offset: u64, octets: &[u8]) -> Result<(), ErrorKind>;

    /// Does nothing where the device cannot.
    fn flush(&mut self) -> Result<(), ErrorKind>;
}

impl<D: SectorDevice> Storage for BlockDevice<D> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        Self::read_at(self, offset, buffer).map_err(|error| ErrorKind::Device(error.to_string()))
    }

    fn write_at(&mut self, offset: u64, octets: &[u8]) -> Result<(), ErrorKind> {
        Self::write_at(self, offset, octets).map_err(|error| ErrorKind::Device(error.to_string()))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        match Self::flush(self) {
            Ok(()) | Err(blockdev::Error::CannotFlush) => Ok(()),
            Err(error) => Err(ErrorKind::Device(error.to_string())),
        }
    }
}

impl Device {
    pub(super) fn new<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Self {
        Self {
            capacity: device.capacity(),
            block_size: device.block_size(),
            can_flush: device.get_ref().can_flush(),
            writes: Rc::new(RefCell::new(InOrder::new(device))),
            max_reads: MAX_READS,
            reads_left: Rc::new(Cell::new(MAX_READS)),
        }
    }

    /// With as many reads within one call.
    pub(super) fn with_max_reads(self, max_reads: u32) -> Self {
        Self { max_reads, ..self }
    }

    /// Octets of the device.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Octets of a block.
    pub(super) fn block_size(&self) -> usize {
        self.block_size
    }

    /// Whether a flush makes anything durable.
    pub(super) fn can_flush(&self) -> bool {
        self.can_flush
    }

    /// A call begins: it may read as much as any.
    pub(super) fn begin(&self) {
        self.reads_left.set(self.max_reads);
    }

    /// Reads all of `buffer`. Where the octets do not lie on the device, it is the file system that is damaged.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        self.check(offset, buffer.len())?;
        self.step()?;
        self.writes.borrow_mut().read_at(offset, buffer)
    }

    /// Writes whole blocks, behind all that was written before.
    pub(super) fn write_in_order(&self, offset: u64, octets: &[u8]) -> Result<(), ErrorKind> {
        self.check(offset, octets.len())?;
        self.writes.borrow_mut().write(offset, octets)
    }

    /// Hands the device what it does not yet have of what was written.
    pub(super) fn settle(&self) -> Result<(), ErrorKind> {
        self.writes.borrow_mut().settle()
    }

    /// Makes durable what was written, where the device can.
    pub(super) fn flush(&self) -> Result<(), ErrorKind> {
        self.writes.borrow_mut().flush()
    }

    fn check(&self, offset: u64, len: usize) -> Result<(), ErrorKind> {
        let end = offset.checked_add(len as u64);
        if end.is_none_or(|end| end > self.capacity) {
            return Err(ErrorKind::Damaged(format!(
                "{len} octets at offset {offset} of a device of {}",
                self.capacity
            )));
        }
        Ok(())
    }

    /// Counts a read, or something that costs as much.
    pub(super) fn step(&self) -> Result<(), ErrorKind> {
        let Some(left) = self.reads_left.get().checked_sub(1) else {
            return Err(ErrorKind::LimitExceeded("reads of the device for one call"));
        };
        self.reads_left.set(left);
        Ok(())
    }

    /// `N` octets at `offset`.
    pub(super) fn read_array<const N: usize>(&self, offset: u64) -> Result<[u8; N], ErrorKind> {
        let mut octets = [0; N];
        self.read_at(offset, &mut octets)?;
        Ok(octets)
    }
}
