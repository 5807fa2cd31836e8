//! The disk that files may be kept on, whatever kind of device it is.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use std::rc::Rc;

use blockdev::{BlockDevice, Error, SectorDevice};
use libc::{EIO, ENOSPC};

use super::journal;
use super::node::Node;
use super::pages::Budget;
use crate::error::{Errno, Result, fail};

/// A disk that `/` is to be on: see [`storage!`](crate::storage).
pub struct Disk {
    device: Box<dyn Device>,
    /// Here and not called by its name, so that a program without a disk has no code for one.
    mount: fn(Shared, &Rc<Budget>) -> core::result::Result<Mounted, String>,
}

/// What is on a disk.
pub(crate) struct Mounted {
    pub(crate) root: Rc<Node>,
    /// The least number that no node has.
    pub(crate) next: u64,
}

impl Disk {
    /// Takes a device; `is_full` knows the error of a write for which the host has no room.
    pub fn new<D: SectorDevice + 'static>(
        device: BlockDevice<D>,
        is_full: fn(&D::Error) -> bool,
    ) -> Self {
        Self {
            device: Box::new(Typed { device, is_full }),
            mount: journal::mount,
        }
    }

    /// Opens the file system that is there, or makes one if the device has never been written.
    ///
    /// # Errors
    ///
    /// When it holds anything else, is damaged or fails: a line that says so.
    pub(crate) fn mount(self, budget: &Rc<Budget>) -> core::result::Result<Mounted, String> {
        (self.mount)(Shared::new(self.device), budget)
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("capacity", &self.device.capacity())
            .finish_non_exhaustive()
    }
}

/// A block device of any kind. Errors are `ENOSPC`, where the host has no room, and `EIO`.
trait Device {
    fn capacity(&self) -> u64;
    fn block_size(&self) -> usize;
    fn can_flush(&self) -> bool;
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> Result<()>;
    fn flush(&mut self) -> Result<()>;
    fn begin_flush(&mut self) -> Result<u64>;
    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<()>>;
}

struct Typed<D: SectorDevice> {
    device: BlockDevice<D>,
    is_full: fn(&D::Error) -> bool,
}

impl<D: SectorDevice> Typed<D> {
    fn errno(&self, error: &Error<D::Error>) -> Errno {
        match error {
            Error::Device { source, .. } if (self.is_full)(source) => Errno(ENOSPC),
            _ => Errno(EIO),
        }
    }
}

impl<D: SectorDevice> Device for Typed<D> {
    fn capacity(&self) -> u64 {
        self.device.capacity()
    }

    fn block_size(&self) -> usize {
        self.device.block_size()
    }

    fn can_flush(&self) -> bool {
        self.device.get_ref().can_flush()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.device.read_at(offset, buffer).or(fail(EIO))
    }

    fn write_at(&mut self, offset: u64, octets: &[u8]) -> Result<()> {
        let written = self.device.write_at(offset, octets);
        written.map_err(|error| self.errno(&error))
    }

    fn flush(&mut self) -> Result<()> {
        self.device.flush().or(fail(EIO))
    }

    fn begin_flush(&mut self) -> Result<u64> {
        self.device.begin_flush().or(fail(EIO))
    }

    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<()>> {
        let ended = self.device.poll_flush(number, context);
        ended.map(|ended| ended.or(fail(EIO)))
    }
}

/// The device, for all that use it.
pub(super) struct Shared {
    device: RefCell<Box<dyn Device>>,
    pub(super) capacity: u64,
    pub(super) block_size: usize,
    pub(super) can_flush: bool,
}

impl Shared {
    #[cfg(test)]
    pub(super) fn of<D: SectorDevice + 'static>(device: BlockDevice<D>) -> Self {
        Self::new(Disk::new(device, |_| false).device)
    }

    fn new(device: Box<dyn Device>) -> Self {
        Self {
            capacity: device.capacity(),
            block_size: device.block_size(),
            can_flush: device.can_flush(),
            device: RefCell::new(device),
        }
    }

    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.device.borrow_mut().read_at(offset, buffer)
    }

    pub(super) fn write_at(&self, offset: u64, octets: &[u8]) -> Result<()> {
        self.device.borrow_mut().write_at(offset, octets)
    }

    /// As [`flush`](Self::flush), and nothing else runs meanwhile.
    pub(super) fn flush_now(&self) -> Result<()> {
        match self.can_flush {
            true => self.device.borrow_mut().flush(),
            false => Ok(()),
        }
    }

    /// Makes durable what was written, where the device can; others run meanwhile if `waits` says that what polls this may
    /// be pending.
    pub(super) async fn flush(&self, waits: bool) -> Result<()> {
        if !waits || !self.can_flush {
            return self.flush_now();
        }
        let number = self.device.borrow_mut().begin_flush()?;
        poll_fn(|context| self.device.borrow_mut().poll_flush(number, context)).await
    }
}
