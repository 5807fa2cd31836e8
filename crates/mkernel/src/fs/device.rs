//! The device below a file system, whatever kind of device it is.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use blockdev::{BlockDevice, SectorDevice};

use super::ErrorKind;

/// Most reads of the device within one call: what an image says is followed no further.
const MAX_READS: u32 = 1 << 16;

/// A device; a clone is the same device.
#[derive(Clone)]
pub(super) struct Device {
    storage: Rc<RefCell<dyn Storage>>,
    capacity: u64,
    reads_left: Rc<Cell<u32>>,
}

trait Storage {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind>;
}

impl<D: SectorDevice> Storage for BlockDevice<D> {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        Self::read_at(self, offset, buffer).map_err(|error| ErrorKind::Device(error.to_string()))
    }
}

impl Device {
    pub(super) fn new<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Self {
        Self {
            capacity: device.capacity(),
            storage: Rc::new(RefCell::new(device)),
            reads_left: Rc::new(Cell::new(MAX_READS)),
        }
    }

    /// Octets of the device.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// A call begins: it may read as much as any.
    pub(super) fn begin(&self) {
        self.reads_left.set(MAX_READS);
    }

    /// Reads all of `buffer`. Where the octets do not lie on the device, it is the file system that is damaged.
    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ErrorKind> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.capacity) {
            return Err(ErrorKind::Damaged(format!(
                "{} octets at offset {offset} of a device of {}",
                buffer.len(),
                self.capacity
            )));
        }
        self.step()?;
        self.storage.borrow_mut().read_at(offset, buffer)
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
