//! Guest memory of hvt, and the only way to it for whatever the guest asks.

use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicU32;

use manifest_gen::elf::Segment;
use solo5_abi::elf::MIN_ADDRESS;
use vm_memory::{MmapRegion, VolatileMemory, VolatileMemoryError, VolatileSlice};

use super::fault::Fault;

/// An address and a length as the guest gave them: nothing is known about them.
///
/// [`GuestMemory::readable`] and [`GuestMemory::writable`] make memory of it, or refuse.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unchecked {
    /// What it is for, for the message.
    pub(super) what: &'static str,
    pub(super) address: u64,
    pub(super) len: u64,
}

/// The memory of the guest, a mapping of the tender's that begins at guest address 0.
///
/// The guest may change any of it at any moment (it has one processor, but the ring is served by a second thread of
/// the tender): it is copied in and out, and never referenced.
#[derive(Debug)]
pub(super) struct GuestMemory {
    region: MmapRegion,
    /// End of the memory that the guest may name in a hypercall; what follows is the area of the ring.
    limit: u64,
    /// What the tender's own mapping forbids to write.
    read_only: Vec<Range<u64>>,
}

impl GuestMemory {
    /// Zeroed memory of `size` bytes, of which the guest may name those below `limit`.
    pub(super) fn new(size: u64, limit: u64) -> io::Result<Self> {
        let region = MmapRegion::new(usize::try_from(size).map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        Ok(Self {
            region,
            limit: limit.min(size),
            read_only: Vec::new(),
        })
    }

    /// Where the tender has it, for KVM.
    pub(super) fn host_address(&self) -> u64 {
        self.region.as_ptr().expose_provenance() as u64
    }

    /// Bytes of it, the area of the ring included.
    pub(super) fn size(&self) -> u64 {
        self.region.size() as u64
    }

    /// Any part of it, for the tender's own use.
    pub(super) fn slice(
        &self,
        start: u64,
        len: u64,
    ) -> Result<VolatileSlice<'_>, VolatileMemoryError> {
        let word = |value| {
            usize::try_from(value)
                .map_err(|_| VolatileMemoryError::OutOfBounds { addr: usize::MAX })
        };
        self.region.get_slice(word(start)?, word(len)?)
    }

    /// A word of it that the guest and the tender share.
    pub(super) fn atomic(&self, address: u64) -> Result<&AtomicU32, VolatileMemoryError> {
        let address = usize::try_from(address)
            .map_err(|_| VolatileMemoryError::OutOfBounds { addr: usize::MAX })?;
        self.region.get_atomic_ref(address)
    }

    /// Copies `bytes` to `start`, where the tender has seen to it that there is memory.
    pub(super) fn write(&self, start: u64, bytes: &[u8]) {
        self.slice(start, bytes.len() as u64)
            .expect("the tender's tables lie below 1 MiB")
            .copy_from(bytes);
    }

    /// Takes from the tender's mapping what a segment does not need: writing if it is read-only, executing always.
    ///
    /// A guest that writes there stops with a translation fault: its own page tables would let it.
    pub(super) fn protect(&mut self, segment: &Segment) -> io::Result<()> {
        let slice = self
            .slice(segment.start, segment.end - segment.start)
            .map_err(io::Error::other)?;
        let flags = libc::PROT_READ
            | if segment.is_writable() {
                libc::PROT_WRITE
            } else {
                0
            };
        // SAFETY: the pages are guest memory, in which no Rust object lives, and `writable` hands out none of them
        // once they are read-only.
        if unsafe { libc::mprotect(slice.ptr_guard_mut().as_ptr().cast(), slice.len(), flags) } != 0
        {
            return Err(io::Error::last_os_error());
        }
        if !segment.is_writable() {
            self.read_only.push(segment.start..segment.end);
        }
        Ok(())
    }

    /// The memory for the tender to read, if it lies where the guest may name memory.
    ///
    /// As in Solo5's own tender, the last byte below the limit is out of reach.
    pub(super) fn readable(&self, memory: Unchecked) -> Result<VolatileSlice<'_>, Fault> {
        let Unchecked { what, address, len } = memory;
        let outside = Fault::Pointer {
            what,
            address,
            len,
            limit: self.limit,
        };
        match address.checked_add(len) {
            Some(end) if address < self.limit && end < self.limit => {
                self.slice(address, len).map_err(|_| outside)
            }
            _ => Err(outside),
        }
    }

    /// The memory for the tender to write, if the guest could write there too.
    pub(super) fn writable(&self, memory: Unchecked) -> Result<VolatileSlice<'_>, Fault> {
        let slice = self.readable(memory)?;
        let Unchecked { what, address, len } = memory;
        // `readable` has checked the sum.
        let end = address + len;
        if address < MIN_ADDRESS
            || self
                .read_only
                .iter()
                .any(|range| address < range.end && range.start < end)
        {
            return Err(Fault::ReadOnly { what, address, len });
        }
        Ok(slice)
    }
}

#[cfg(test)]
mod tests;
