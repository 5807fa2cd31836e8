use alloc::boxed::Box;
use alloc::vec;
use core::future::poll_fn;
use core::mem;
use core::task::{Context, Poll};

use crate::{Error, Geometry, Operation, SectorDevice};

/// Most bytes between two turns of other tasks, or a block where blocks are larger: copying them
/// takes some ten microseconds.
const TURN: usize = 64 << 10;

/// Reads and writes any bytes of a [`SectorDevice`].
///
/// It keeps no block beyond a call: whatever else changes the device is seen at once.
#[derive(Debug)]
pub struct BlockDevice<D> {
    device: D,
    geometry: Geometry,
    /// Most bytes of one transfer, a multiple of the block size.
    max_transfer: usize,
    /// A block that is read or written in part passes through here.
    block: Box<[u8]>,
}

/// The part of a request that is one transfer.
enum Part {
    /// Whole blocks, so many bytes of them.
    Whole(usize),
    /// Some bytes of a block.
    Within {
        /// Where the block begins.
        block: u64,
        /// Where the part begins within the block.
        start: usize,
        /// Bytes of the part.
        len: usize,
    },
}

impl<D: SectorDevice> BlockDevice<D> {
    /// Takes a device; allocates one block.
    pub fn new(device: D) -> Self {
        let geometry = device.geometry();
        let max_transfer = device.max_transfer();
        debug_assert!(max_transfer > 0 && geometry.within_block(max_transfer as u64) == 0);
        Self {
            device,
            geometry,
            max_transfer,
            block: vec![0; geometry.block_size()].into_boxed_slice(),
        }
    }

    /// The size of the device and of its blocks.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Bytes of the device.
    pub fn capacity(&self) -> u64 {
        self.geometry.capacity()
    }

    /// Bytes of a block.
    pub fn block_size(&self) -> usize {
        self.geometry.block_size()
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device, to do what only it can do.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Reads the bytes at `offset`, all of `buffer`. Blocks that are wanted in full are read
    /// straight into it.
    ///
    /// It returns when all is read: on a thread that also runs tasks, read what is large with
    /// [`read_at_yielding`](Self::read_at_yielding).
    ///
    /// # Errors
    ///
    /// When the bytes do not lie on the device, or it fails; the buffer may hold anything then.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Error<D::Error>> {
        self.check_bounds(offset, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let offset = offset + done as u64;
            done += self.read_part(offset, &mut buffer[done..], self.max_transfer)?;
        }
        Ok(())
    }

    /// As [`read_at`](Self::read_at), but after each transfer, of 64 KiB or one block at most, other
    /// tasks have their turn, on any executor. What others write meanwhile may be read in part.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub async fn read_at_yielding(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(), Error<D::Error>> {
        self.check_bounds(offset, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let offset = offset + done as u64;
            done += self.read_part(offset, &mut buffer[done..], self.turn())?;
            if done < buffer.len() {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Writes `bytes` at `offset`. A block of which only a part changes is read first.
    ///
    /// Blocks are written in ascending order, one or more at a time: after a failure those in front
    /// of the transfer that failed have changed. It returns when all is written: on a thread that also runs tasks, write what is
    /// large with [`write_at_yielding`](Self::write_at_yielding).
    ///
    /// # Errors
    ///
    /// When the bytes do not lie on the device (nothing changes then), or it fails.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error<D::Error>> {
        self.check_bounds(offset, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let offset = offset + done as u64;
            done += self.write_part(offset, &bytes[done..], self.max_transfer)?;
        }
        Ok(())
    }

    /// As [`write_at`](Self::write_at), but after each transfer, of 64 KiB or one block at most,
    /// other tasks have their turn, on any executor. If the future is dropped, the blocks in front
    /// have changed, each of them whole.
    ///
    /// # Errors
    ///
    /// As [`write_at`](Self::write_at).
    pub async fn write_at_yielding(
        &mut self,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error<D::Error>> {
        self.check_bounds(offset, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            let offset = offset + done as u64;
            done += self.write_part(offset, &bytes[done..], self.turn())?;
            if done < bytes.len() {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// As [`read_at`](Self::read_at), for whole blocks only: never a byte is copied twice.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at), and when `offset` or the buffer's length is no multiple of the
    /// block size.
    pub fn read_blocks(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Error<D::Error>> {
        self.check_alignment(offset, buffer.len())?;
        self.read_at(offset, buffer)
    }

    /// As [`write_at`](Self::write_at), for whole blocks only: never is a block read first.
    ///
    /// # Errors
    ///
    /// As [`write_at`](Self::write_at), and when `offset` or the number of bytes is no multiple of
    /// the block size.
    pub fn write_blocks(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error<D::Error>> {
        self.check_alignment(offset, bytes.len())?;
        self.write_at(offset, bytes)
    }

    /// Makes durable all that has been written ([`SectorDevice::flush`]).
    ///
    /// # Errors
    ///
    /// [`Error::CannotFlush`] where the device cannot: it is for the program to go on with that or
    /// not. Otherwise when the device says that blocks may be lost.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        if !self.device.can_flush() {
            return Err(Error::CannotFlush);
        }
        self.device.flush().map_err(failed(Operation::Flush, 0, 0))
    }

    /// As [`flush`](Self::flush), but other tasks have their turns as long as it takes, where the device
    /// can go on with it meanwhile ([`SectorDevice::begin_flush`]).
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub async fn flush_yielding(&mut self) -> Result<(), Error<D::Error>> {
        let number = self.begin_flush()?;
        poll_fn(|context| self.poll_flush(number, context)).await
    }

    /// Begins a flush and does not wait for it ([`SectorDevice::begin_flush`]).
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn begin_flush(&mut self) -> Result<u64, Error<D::Error>> {
        if !self.device.can_flush() {
            return Err(Error::CannotFlush);
        }
        self.device
            .begin_flush()
            .map_err(failed(Operation::Flush, 0, 0))
    }

    /// What has become of a flush that was begun ([`SectorDevice::poll_flush`]).
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error<D::Error>>> {
        self.device
            .poll_flush(number, context)
            .map_err(failed(Operation::Flush, 0, 0))
    }

    /// Says that the `len` bytes at `offset`, whole blocks, are no longer needed: they may hold
    /// anything afterwards. Where the device has no use for that ([`SectorDevice::can_discard`]) it
    /// does nothing.
    ///
    /// # Errors
    ///
    /// When the bytes are not whole blocks of the device, or it fails.
    pub fn discard(&mut self, offset: u64, len: u64) -> Result<(), Error<D::Error>> {
        self.geometry.check_blocks(offset, len)?;
        if len == 0 || !self.device.can_discard() {
            return Ok(());
        }
        self.device
            .discard(offset, len)
            .map_err(failed(Operation::Discard, offset, len))
    }

    /// Reads what of a buffer is one transfer of `most` bytes at most; returns how much, at least one
    /// byte.
    fn read_part(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        most: usize,
    ) -> Result<usize, Error<D::Error>> {
        match self.part(offset, buffer.len(), most) {
            Part::Whole(len) => {
                self.device
                    .read_blocks(offset, &mut buffer[..len])
                    .map_err(failed(Operation::Read, offset, len as u64))?;
                Ok(len)
            }
            Part::Within { block, start, len } => {
                self.fetch(block)?;
                buffer[..len].copy_from_slice(&self.block[start..start + len]);
                Ok(len)
            }
        }
    }

    /// Writes what of `bytes` is one transfer of `most` bytes at most; returns how much, at least one
    /// byte.
    fn write_part(
        &mut self,
        offset: u64,
        bytes: &[u8],
        most: usize,
    ) -> Result<usize, Error<D::Error>> {
        let (offset, blocks, len) = match self.part(offset, bytes.len(), most) {
            Part::Whole(len) => (offset, &bytes[..len], len),
            Part::Within { block, start, len } => {
                self.fetch(block)?;
                self.block[start..start + len].copy_from_slice(&bytes[..len]);
                (block, &*self.block, len)
            }
        };
        self.device.write_blocks(offset, blocks).map_err(failed(
            Operation::Write,
            offset,
            blocks.len() as u64,
        ))?;
        Ok(len)
    }

    /// Reads the block at `offset` into the block of our own.
    fn fetch(&mut self, offset: u64) -> Result<(), Error<D::Error>> {
        let len = self.block.len() as u64;
        self.device
            .read_blocks(offset, &mut self.block)
            .map_err(failed(Operation::Read, offset, len))
    }

    /// What of the `remaining` bytes at `offset` is one transfer, at least one byte.
    fn part(&self, offset: u64, remaining: usize, most: usize) -> Part {
        let block_size = self.block.len();
        let start = self.geometry.within_block(offset);
        if start == 0 && remaining >= block_size {
            let len = remaining.min(most);
            return Part::Whole(len - len % block_size);
        }
        Part::Within {
            block: offset - start as u64,
            start,
            len: remaining.min(block_size - start),
        }
    }

    /// Most bytes of a transfer between two turns of other tasks, at least a block.
    fn turn(&self) -> usize {
        self.max_transfer.min(TURN.max(self.block.len()))
    }

    fn check_bounds(&self, offset: u64, len: usize) -> Result<(), Error<D::Error>> {
        self.geometry.check_bytes(offset, len as u64)
    }

    fn check_alignment(&self, offset: u64, len: usize) -> Result<(), Error<D::Error>> {
        self.geometry.check_blocks(offset, len as u64)
    }
}

pub(crate) fn failed<E>(operation: Operation, offset: u64, len: u64) -> impl FnOnce(E) -> Error<E> {
    move |source| Error::Device {
        operation,
        offset,
        len,
        source,
    }
}

/// Is ready when it is polled for the second time; the task is awake until then.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
