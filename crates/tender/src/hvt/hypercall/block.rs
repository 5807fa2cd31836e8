//! The hypercalls of block devices.

use std::os::fd::AsFd;

use hostdev::ImageError;
use solo5_abi::api::SolResult;
use solo5_abi::hvt::{BlockDiscard, BlockFlush, BlockIo, Hypercall};
use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY};

use super::{Hypercalls, raw};
use crate::attach::BlockDevice;
use crate::hvt::fault::Fault;
use crate::hvt::io as guest_io;
use crate::hvt::memory::Unchecked;

impl Hypercalls<'_> {
    /// The block device with that handle.
    fn block_device(&self, handle: u64) -> Option<&BlockDevice> {
        let mut devices = self.devices.block.iter();
        devices.find(|device| device.handle as u64 == handle)
    }

    fn has_block_devices(&self, call: Hypercall) -> Result<(), Fault> {
        match self.devices.block.is_empty() {
            true => Err(Fault::Absent { call }),
            false => Ok(()),
        }
    }

    pub(super) fn block_io(&self, call: Hypercall, address: u64) -> Result<(), Fault> {
        self.has_block_devices(call)?;
        let (bytes, slot) = self.argument_mut(address)?;
        let mut io = BlockIo::from_bytes(&bytes);
        io.ret = raw(self.transfer(call, &io)?);
        slot.copy_from(&io.to_bytes());
        Ok(())
    }

    /// Moves one block, or as many as the device may be asked for at once.
    fn transfer(&self, call: Hypercall, io: &BlockIo) -> Result<SolResult, Fault> {
        let Some(device) = self.block_device(io.handle) else {
            return Ok(SolResult::Einval);
        };
        let inside = is_inside(device, io.offset, io.len) && io.len <= device.max_transfer();
        let (Ok(offset), true) = (i64::try_from(io.offset), inside) else {
            return Ok(SolResult::Einval);
        };
        let buffer = Unchecked {
            what: "block buffer",
            address: io.data,
            len: io.len,
        };
        let fd = device.image.as_fd();
        let moved = if call == Hypercall::BlockRead {
            let buffer = self.memory.writable(buffer)?;
            guest_io::pread_all(fd, &buffer, offset)
        } else {
            let buffer = self.memory.readable(buffer)?;
            match device.image.is_whole() {
                true => guest_io::pwrite_all(fd, &buffer, offset),
                false => Err(guest_io::END_OF_FILE),
            }
        };
        // A full or failing disk of the host, or an image that has become shorter, is an error of the guest's disk.
        Ok(match moved {
            Ok(()) => SolResult::Ok,
            // Solo5's own interface has no other.
            Err(_) if !device.has(BLOCK_MANY) => SolResult::Eunspec,
            Err(guest_io::END_OF_FILE) => SolResult::Eshrunk,
            Err(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => SolResult::Enospc,
            Err(_) => SolResult::Eunspec,
        })
    }

    pub(super) fn block_flush(&self, address: u64) -> Result<(), Fault> {
        self.has_block_devices(Hypercall::BlockFlush)?;
        let (bytes, slot) = self.argument_mut(address)?;
        let mut flush = BlockFlush::from_bytes(&bytes);
        let device = self.block_device(flush.handle);
        let device = device.filter(|device| device.has(BLOCK_FLUSH));
        flush.ret = raw(device.map_or(SolResult::Einval, |device| result(device.image.flush())));
        slot.copy_from(&flush.to_bytes());
        Ok(())
    }

    pub(super) fn block_discard(&self, address: u64) -> Result<(), Fault> {
        self.has_block_devices(Hypercall::BlockDiscard)?;
        let (bytes, slot) = self.argument_mut(address)?;
        let mut discard = BlockDiscard::from_bytes(&bytes);
        let (offset, len) = (discard.offset, discard.len);
        let device = self.block_device(discard.handle);
        let device =
            device.filter(|device| device.has(BLOCK_DISCARD) && is_inside(device, offset, len));
        discard.ret = raw(device.map_or(SolResult::Einval, |device| {
            result(device.image.discard(offset, len))
        }));
        slot.copy_from(&discard.to_bytes());
        Ok(())
    }
}

/// What came of a call that is an extension.
fn result(done: Result<(), ImageError>) -> SolResult {
    match done {
        Ok(()) => SolResult::Ok,
        Err(ImageError::Shrunk { .. }) => SolResult::Eshrunk,
        Err(ImageError::NoSpace(_)) => SolResult::Enospc,
        Err(ImageError::Lost | ImageError::Io(_)) => SolResult::Eunspec,
    }
}

/// Whether these are whole blocks of the device, at least one.
fn is_inside(device: &BlockDevice, offset: u64, len: u64) -> bool {
    let block = u64::from(device.image.block_size().get());
    let end = offset.checked_add(len);
    len > 0
        && len.is_multiple_of(block)
        && offset.is_multiple_of(block)
        && end.is_some_and(|end| end <= device.image.capacity())
}
