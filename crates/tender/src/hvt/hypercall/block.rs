//! The hypercalls of block devices.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use hostdev::ImageError;
use solo5_abi::api::SolResult;
use solo5_abi::hvt::{BlockDiscard, BlockFlush, BlockIo, Hypercall};
use solo5_abi::manifest::{BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_MANY};

use super::{Hypercalls, pollfd, raw, wait};
use crate::attach::BlockDevice;
use crate::flush::{Background, SUCCEEDED};
use crate::hvt::fault::Fault;
use crate::hvt::io as guest_io;
use crate::hvt::memory::Unchecked;
use crate::polling::{add_count, read_count};

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

    pub(super) fn block_flush(&mut self, call: Hypercall, address: u64) -> Result<(), Fault> {
        self.has_block_devices(call)?;
        let (bytes, slot) = self.argument_mut(address)?;
        let mut flush = BlockFlush::from_bytes(&bytes);
        let devices = self.devices;
        let mut devices = devices.block.iter();
        let device = devices.find(|device| device.handle as u64 == flush.handle);
        let device = device.filter(|device| device.has(BLOCK_FLUSH));
        flush.ret = raw(match device {
            Some(device) => self.flush(call, device)?,
            None => SolResult::Einval,
        });
        slot.copy_from(&flush.to_bytes());
        Ok(())
    }

    /// Flushes a device that can be flushed, or begins to, or tells what came of that.
    fn flush(&mut self, call: Hypercall, device: &BlockDevice) -> Result<SolResult, Fault> {
        let bit = 1 << device.handle;
        let is_begun = self.flushing & bit != 0;
        let image = &device.image;
        match (call, &device.background) {
            (Hypercall::FlushBegin, Some(_)) if is_begun => Ok(SolResult::Again),
            (Hypercall::FlushBegin, Some(background)) => {
                add_count(&background.begin, 1).map_err(failed("begin a flush"))?;
                self.flushing |= bit;
                Ok(SolResult::Ok)
            }
            (Hypercall::FlushEnd, Some(background)) if is_begun => {
                let outcome = match read_count(&background.end) {
                    Ok(outcome) => outcome,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(SolResult::Again);
                    }
                    Err(error) => return Err(failed("hear of a flush")(error)),
                };
                self.flushing &= !bit;
                Ok(match (result(image.check()), outcome) {
                    (SolResult::Ok, SUCCEEDED) => SolResult::Ok,
                    (SolResult::Ok, _) => SolResult::Eunspec,
                    (lost, _) => lost,
                })
            }
            (Hypercall::FlushBegin | Hypercall::FlushEnd, _) => Ok(SolResult::Einval),
            (_, background) => {
                // The kernel tells of an error only one of two that flush.
                if let (true, Some(background)) = (is_begun, background) {
                    self.wait_for_end(background)?;
                }
                Ok(result(image.flush()))
            }
        }
    }

    /// Waits for the end of a flush that was begun.
    fn wait_for_end(&self, background: &Background) -> Result<(), Fault> {
        let mut end = [pollfd(background.end.as_raw_fd(), libc::POLLIN)];
        let mut timeout = libc::timespec {
            tv_sec: libc::time_t::MAX,
            tv_nsec: 0,
        };
        while wait(&mut end, &mut timeout)? == 0 {}
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

fn failed(what: &'static str) -> impl Fn(io::Error) -> Fault {
    move |error| Fault::Io {
        what,
        errno: error.raw_os_error().unwrap_or(0),
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
