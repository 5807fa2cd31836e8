use alloc::boxed::Box;
use alloc::vec;
use core::future::poll_fn;
use core::mem;
use core::task::Poll;

use crate::{Error, Geometry, Operation};

/// Something that transfers one block at a time.
///
/// Implement it for what you have, then put a [`BlockDevice`] around it.
pub trait SectorDevice {
    /// Why a transfer failed.
    type Error: core::error::Error;

    /// The size of the device and of its blocks. It does not change.
    fn geometry(&self) -> Geometry;

    /// Reads the block that begins at byte `offset`.
    ///
    /// A [`BlockDevice`] calls this with the offset of a block of the device and a buffer of a
    /// block's size. A device that is called otherwise may fail or panic.
    ///
    /// # Errors
    ///
    /// When the block cannot be read; the buffer may hold anything then.
    fn read_block(&mut self, offset: u64, block: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes the block that begins at byte `offset`.
    ///
    /// What is true of the arguments of [`read_block`](Self::read_block) is true here.
    ///
    /// # Errors
    ///
    /// When the block cannot be written; the device may hold anything there then.
    fn write_block(&mut self, offset: u64, block: &[u8]) -> Result<(), Self::Error>;

    /// Makes what has been written durable, as far as the device can.
    ///
    /// A device that cannot do more than hand blocks on (Solo5's have no such call) leaves this as
    /// it is: it does nothing.
    ///
    /// # Errors
    ///
    /// When blocks that were written may be lost.
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<D: SectorDevice + ?Sized> SectorDevice for &mut D {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }

    fn read_block(&mut self, offset: u64, block: &mut [u8]) -> Result<(), Self::Error> {
        (**self).read_block(offset, block)
    }

    fn write_block(&mut self, offset: u64, block: &[u8]) -> Result<(), Self::Error> {
        (**self).write_block(offset, block)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
}

/// Reads and writes any bytes of a [`SectorDevice`].
///
/// It keeps no block beyond a call: whatever else changes the device is seen at once.
#[derive(Debug)]
pub struct BlockDevice<D> {
    device: D,
    geometry: Geometry,
    /// A block that is read or written in part passes through here.
    block: Box<[u8]>,
}

/// The part of a request that lies in one block.
struct Part {
    /// Where the block begins.
    block: u64,
    /// Where the part begins within the block.
    start: usize,
    /// Bytes of the part.
    len: usize,
}

impl<D: SectorDevice> BlockDevice<D> {
    /// Takes a device; allocates one block.
    pub fn new(device: D) -> Self {
        let geometry = device.geometry();
        Self {
            device,
            geometry,
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
            done += self.read_part(offset + done as u64, &mut buffer[done..])?;
        }
        Ok(())
    }

    /// As [`read_at`](Self::read_at), but after each block other tasks have their turn, on any
    /// executor. What others write meanwhile may be read in part.
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
            done += self.read_part(offset + done as u64, &mut buffer[done..])?;
            if done < buffer.len() {
                yield_now().await;
            }
        }
        Ok(())
    }

    /// Writes `bytes` at `offset`. A block of which only a part changes is read first.
    ///
    /// Blocks are written one by one in ascending order: after a failure those in front have
    /// changed. It returns when all is written: on a thread that also runs tasks, write what is
    /// large with [`write_at_yielding`](Self::write_at_yielding).
    ///
    /// # Errors
    ///
    /// When the bytes do not lie on the device (nothing changes then), or it fails.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error<D::Error>> {
        self.check_bounds(offset, bytes.len())?;
        let mut done = 0;
        while done < bytes.len() {
            done += self.write_part(offset + done as u64, &bytes[done..])?;
        }
        Ok(())
    }

    /// As [`write_at`](Self::write_at), but after each block other tasks have their turn, on any
    /// executor. If the future is dropped, the blocks in front have changed, each of them whole.
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
            done += self.write_part(offset + done as u64, &bytes[done..])?;
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

    /// Makes what has been written durable, as far as the device can
    /// ([`SectorDevice::flush`]).
    ///
    /// # Errors
    ///
    /// When the device says that blocks may be lost.
    pub fn flush(&mut self) -> Result<(), Error<D::Error>> {
        self.device.flush().map_err(failed(Operation::Flush, 0))
    }

    /// Reads what of a buffer lies in its first block; returns how much, at least one byte.
    fn read_part(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error<D::Error>> {
        let part = self.part(offset, buffer.len());
        let target = &mut buffer[..part.len];
        if part.len == self.block.len() {
            self.device
                .read_block(part.block, target)
                .map_err(failed(Operation::Read, part.block))?;
        } else {
            self.fetch(part.block)?;
            target.copy_from_slice(&self.block[part.start..part.start + part.len]);
        }
        Ok(part.len)
    }

    /// Writes what of `bytes` lies in its first block; returns how much, at least one byte.
    fn write_part(&mut self, offset: u64, bytes: &[u8]) -> Result<usize, Error<D::Error>> {
        let part = self.part(offset, bytes.len());
        let source = &bytes[..part.len];
        let block = if part.len == self.block.len() {
            source
        } else {
            self.fetch(part.block)?;
            self.block[part.start..part.start + part.len].copy_from_slice(source);
            &self.block
        };
        self.device
            .write_block(part.block, block)
            .map_err(failed(Operation::Write, part.block))?;
        Ok(part.len)
    }

    /// Reads the block at `offset` into the block of our own.
    fn fetch(&mut self, offset: u64) -> Result<(), Error<D::Error>> {
        self.device
            .read_block(offset, &mut self.block)
            .map_err(failed(Operation::Read, offset))
    }

    /// What of the `remaining` bytes at `offset` lies in the first block, at least one byte.
    fn part(&self, offset: u64, remaining: usize) -> Part {
        let start = self.geometry.within_block(offset);
        Part {
            block: offset - start as u64,
            start,
            len: remaining.min(self.block.len() - start),
        }
    }

    fn check_bounds(&self, offset: u64, len: usize) -> Result<(), Error<D::Error>> {
        if self.geometry.contains(offset, len) {
            return Ok(());
        }
        Err(Error::OutOfBounds {
            offset,
            len,
            capacity: self.geometry.capacity(),
        })
    }

    fn check_alignment(&self, offset: u64, len: usize) -> Result<(), Error<D::Error>> {
        let block_size = self.geometry.block_size();
        if self.geometry.within_block(offset) == 0 && len.is_multiple_of(block_size) {
            return Ok(());
        }
        Err(Error::Misaligned {
            offset,
            len,
            block_size,
        })
    }
}

fn failed<E>(operation: Operation, offset: u64) -> impl FnOnce(E) -> Error<E> {
    move |source| Error::Device {
        operation,
        offset,
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
