//! Block devices.

use core::fmt;
use core::task::Poll;

use crate::{AcquireError, BlockError, Entry, Handle, backend};

/// An acquired block device.
pub struct Block {
    pub(crate) device: backend::BlockDevice,
    pub(crate) handle: Handle,
    pub(crate) capacity: u64,
    pub(crate) block_size: usize,
    pub(crate) max_transfer: usize,
    pub(crate) flush: bool,
    pub(crate) discard: bool,
}

impl Block {
    /// Acquires the device of that manifest entry; [`block!`](crate::block!) declares the entry
    /// too.
    ///
    /// # Errors
    ///
    /// When the device has been acquired before, or is not there.
    pub fn acquire(entry: &'static Entry) -> Result<Self, AcquireError> {
        backend::block_acquire(entry)
    }

    /// The handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Bytes on the device, a multiple of the block size.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Bytes in a block: the unit of every transfer.
    pub fn block_size(&self) -> usize {
        self.block_size
    }

    /// The most bytes that one call transfers, a multiple of the block size: 1 MiB under this project's tenders and on a
    /// host, one block under others.
    pub fn max_transfer(&self) -> usize {
        self.max_transfer
    }

    /// Reads the blocks from `offset`, in bytes, on into `buffer`.
    ///
    /// # Errors
    ///
    /// When `buffer` is not a whole number of blocks, from one to [`max_transfer`](Self::max_transfer) bytes; when `offset` is
    /// no multiple of the block size, or these blocks are not all below the capacity; and when the host fails, where
    /// `buffer` may hold some of what was to be read.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), BlockError> {
        self.check(offset, buffer.len())?;
        backend::block_read(self, offset, buffer)
    }

    /// Writes `data` to the blocks from `offset`, in bytes, on. It is not durable before a [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read). When the host fails, any of the blocks may have been written. A disk of the host's that is
    /// full, [`NoSpace`](BlockError::NoSpace), and an image that was cut short, [`Shrunk`](BlockError::Shrunk), are told from
    /// other failures where the tender tells them, as this project's do.
    pub fn write(&self, offset: u64, data: &[u8]) -> Result<(), BlockError> {
        self.check(offset, data.len())?;
        backend::block_write(self, offset, data)
    }

    /// Whether [`flush`](Self::flush) makes durable what was written: under this project's tenders and on a host it does,
    /// under others it cannot.
    pub fn can_flush(&self) -> bool {
        self.flush
    }

    /// Makes durable all that was written before, so that it outlives the host's end too: returns when it is.
    ///
    /// # Errors
    ///
    /// [`CannotFlush`](BlockError::CannotFlush) where [`can_flush`](Self::can_flush) is false, and then nothing is known
    /// of when, and in which order, what was written gets to the disk.
    ///
    /// When the host fails: anything written since the last flush that succeeded may be lost or not, and reads may or may not
    /// show which. Every later flush of this device then fails too, for the host's kernel reports a failed write to the
    /// disk once, and may then forget what it was to write: a later success would say nothing of it. Who wants to go on
    /// starts the unikernel anew and recovers from what is on the disk.
    pub fn flush(&self) -> Result<(), BlockError> {
        if !self.flush {
            return Err(BlockError::CannotFlush);
        }
        backend::block_flush(self)
    }

    /// Begins to make durable all that was written before, and does not wait: whether it goes on. Where the tender cannot do
    /// that, it is done when this returns, as by [`flush`](Self::flush). The tender is asked for it by the manifest of a program
    /// that can reach a call of this.
    ///
    /// As long as it goes on, the device can be used, also flushed. Of what is then written any or none is durable at its
    /// end; from that on the device's handle is ready for [`yield_for`](crate::yield_for), until
    /// [`flush_end`](Self::flush_end) has told what came of it, and only then another one can be begun.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush); [`Host`](BlockError::Host), too, if there is one whose end has not been told.
    pub fn flush_begin(&self) -> Result<bool, BlockError> {
        if !self.flush {
            return Err(BlockError::CannotFlush);
        }
        backend::block_flush_begin(self)
    }

    /// What came of the flush that [`flush_begin`](Self::flush_begin) has begun, as of a [`flush`](Self::flush); told once.
    /// If there is none, an error.
    pub fn flush_end(&self) -> Poll<Result<(), BlockError>> {
        backend::block_flush_end(self)
    }

    /// Whether [`discard`](Self::discard) gives up blocks: under this project's tenders and on a host it does where the image
    /// is a file, in a file system that can make holes in it; under other tenders it cannot.
    pub fn can_discard(&self) -> bool {
        self.discard
    }

    /// Gives up `length` bytes of blocks from `offset`, in bytes, on, so that the host has their room; there is no limit to
    /// `length` but the device's end. They read as zeros until they are written again. It is not durable before a
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`CannotDiscard`](BlockError::CannotDiscard) where [`can_discard`](Self::can_discard) is false; when `offset` and
    /// `length` are not those of whole blocks of the device, at least one; and when the host fails, where any of them may have
    /// been given up.
    pub fn discard(&self, offset: u64, length: u64) -> Result<(), BlockError> {
        if !self.discard {
            return Err(BlockError::CannotDiscard);
        }
        self.check_range(offset, length)?;
        backend::block_discard(self, offset, length)
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), BlockError> {
        let (block_size, max) = (self.block_size, self.max_transfer);
        if !(1..=max).contains(&length) || !length.is_multiple_of(block_size) {
            return Err(BlockError::Length {
                length,
                block_size,
                max,
            });
        }
        self.check_range(offset, length as u64)
    }

    /// Checks that these are whole blocks of the device, at least one.
    fn check_range(&self, offset: u64, length: u64) -> Result<(), BlockError> {
        let (block_size, capacity) = (self.block_size, self.capacity);
        let whole = |bytes: u64| bytes.is_multiple_of(block_size as u64);
        let last = capacity.checked_sub(length);
        if length > 0 && last.is_some_and(|last| offset <= last) && whole(offset) && whole(length) {
            return Ok(());
        }
        Err(BlockError::Offset {
            offset,
            length,
            block_size,
            capacity,
        })
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("handle", &self.handle)
            .field("capacity", &self.capacity)
            .field("block_size", &self.block_size)
            .field("max_transfer", &self.max_transfer)
            .field("flush", &self.flush)
            .field("discard", &self.discard)
            .finish_non_exhaustive()
    }
}
