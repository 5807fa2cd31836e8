use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use super::pending::Pending;
use super::request::Work;
use super::state::State;
use super::{Config, Error};
use crate::{Geometry, SectorDevice};

/// A handle to a device that tasks share; clones are handles to the same.
///
/// The [module](super) says in which order requests are done, and what becomes of one whose future
/// is dropped. Errors that need no device (bounds, alignment) come with the first poll.
pub struct Queue<D: SectorDevice> {
    state: Rc<RefCell<State<D>>>,
}

impl<D: SectorDevice> Queue<D> {
    /// Takes a device.
    pub fn new(device: D) -> Self {
        Self::with_config(device, Config::default())
    }

    /// Takes a device.
    pub fn with_config(device: D, config: Config) -> Self {
        Self {
            state: Rc::new(RefCell::new(State::new(device, config))),
        }
    }

    /// The size of the device and of its blocks.
    pub fn geometry(&self) -> Geometry {
        self.state.borrow().geometry
    }

    /// Bytes of the device.
    pub fn capacity(&self) -> u64 {
        self.geometry().capacity()
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        self.geometry().block_size()
    }

    /// Requests that are not done.
    pub fn pending(&self) -> usize {
        self.state.borrow().len()
    }

    /// Reads `len` bytes at `offset` into a buffer of that size, which is allocated when it is their
    /// turn.
    ///
    /// # Errors
    ///
    /// When the bytes do not lie on the device, or it fails.
    pub async fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error<D::Error>> {
        self.bytes(Work::Read(Vec::new()), offset, len).await
    }

    /// As [`read`](Self::read), into a buffer that there is: as many bytes as it has, which may have
    /// any value.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); the buffer is lost.
    pub async fn read_into(
        &self,
        offset: u64,
        buffer: Vec<u8>,
    ) -> Result<Vec<u8>, Error<D::Error>> {
        let len = buffer.len();
        self.bytes(Work::Read(buffer), offset, len).await
    }

    /// Writes `bytes` at `offset`, and gives the buffer back. A block of which only a part changes is
    /// read first.
    ///
    /// # Errors
    ///
    /// When the bytes do not lie on the device (nothing changes then), or it fails: what lies before
    /// the transfer that failed has then been written.
    pub async fn write(&self, offset: u64, bytes: Vec<u8>) -> Result<Vec<u8>, Error<D::Error>> {
        let len = bytes.len();
        self.bytes(Work::Write(bytes), offset, len).await
    }

    /// Makes durable all that was written before: it waits for the writes and discards that were
    /// submitted before it, and flushes the device. Flushes that wait at the same time share one. As long
    /// as the device goes on with it by itself, other requests are done.
    ///
    /// A write that failed is not waited for, and is no reason to fail: its own future says so.
    ///
    /// # Errors
    ///
    /// [`CannotFlush`](crate::Error::CannotFlush) where the device cannot: it is for the program to
    /// go on with that or not. Otherwise when the device says that blocks may be lost
    /// ([`SectorDevice::flush`]).
    pub async fn flush(&self) -> Result<(), Error<D::Error>> {
        if !self.can_flush() {
            return Err(Error::CannotFlush);
        }
        self.request(Work::Flush, 0, 0).await?;
        Ok(())
    }

    /// Says that the `len` bytes at `offset`, whole blocks, are no longer needed: they may hold
    /// anything afterwards. Where the device has no use for that ([`SectorDevice::can_discard`]) it
    /// does nothing.
    ///
    /// # Errors
    ///
    /// When the bytes are not whole blocks of the device, or it fails.
    pub async fn discard(&self, offset: u64, len: u64) -> Result<(), Error<D::Error>> {
        self.geometry().check_blocks(offset, len)?;
        if len > 0 && self.state.borrow().device.can_discard() {
            self.request(Work::Discard, offset, len).await?;
        }
        Ok(())
    }

    /// The device, for what only it can do, at once: before all that is queued.
    ///
    /// # Panics
    ///
    /// When `f` polls a request of this queue.
    pub fn with_device<R>(&self, f: impl FnOnce(&mut D) -> R) -> R {
        f(&mut self.state.borrow_mut().device)
    }

    /// Gives the device back, if this is the last handle and no request is left.
    ///
    /// # Errors
    ///
    /// The handle, when there are others.
    pub fn try_into_inner(self) -> Result<D, Self> {
        match Rc::try_unwrap(self.state) {
            Ok(state) => Ok(state.into_inner().device),
            Err(state) => Err(Self { state }),
        }
    }

    async fn bytes(&self, work: Work, offset: u64, len: usize) -> Result<Vec<u8>, Error<D::Error>> {
        let len = len as u64;
        self.geometry().check_bytes(offset, len)?;
        if len == 0 {
            return Ok(Vec::new());
        }
        self.request(work, offset, len).await
    }

    /// A request for bytes that lie on the device.
    pub(super) fn request(&self, work: Work, offset: u64, len: u64) -> Pending<D> {
        Pending::new(self.state.clone(), work, offset..offset + len)
    }

    pub(super) fn can_flush(&self) -> bool {
        self.state.borrow().device.can_flush()
    }
}

impl<D: SectorDevice> Clone for Queue<D> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
        }
    }
}

impl<D: SectorDevice> fmt::Debug for Queue<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Queue");
        match self.state.try_borrow() {
            Ok(state) => debug
                .field("geometry", &state.geometry)
                .field("pending", &state.len()),
            Err(_) => &mut debug,
        };
        debug.finish_non_exhaustive()
    }
}
