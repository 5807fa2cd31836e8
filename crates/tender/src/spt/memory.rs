//! Guest memory of spt: a mapping at the very addresses that the guest uses.

use std::io;
use std::ptr;

use manifest_gen::elf::Segment;
use solo5_abi::spt::MEM_BASE;
use vm_memory::{VolatileMemoryError, VolatileSlice};

use super::SptError;

/// The mapping from [`MEM_BASE`] to the memory size, in which the guest runs until the process ends.
pub(super) struct Memory {
    base: *mut u8,
    end: u64,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, from which every slice of it is borrowed.
        unsafe { libc::munmap(self.base.cast(), (self.end - MEM_BASE) as usize) };
    }
}

impl Memory {
    /// Maps zeroed memory, readable and writable, and executable if asked for.
    pub(super) fn map(end: u64, executable: bool) -> Result<Self, SptError> {
        let error = |source: io::Error, hint| SptError::Map {
            start: MEM_BASE,
            end,
            source,
            hint,
        };
        let len = usize::try_from(end - MEM_BASE).expect("usize has 64 bits");
        let protection =
            libc::PROT_READ | libc::PROT_WRITE | if executable { libc::PROT_EXEC } else { 0 };
        let flags = libc::MAP_PRIVATE
            | libc::MAP_ANONYMOUS
            | libc::MAP_NORESERVE
            | libc::MAP_FIXED_NOREPLACE;
        let wanted = ptr::with_exposed_provenance_mut::<libc::c_void>(MEM_BASE as usize);
        // SAFETY: MAP_FIXED_NOREPLACE leaves existing mappings alone, so nothing of this process can be overwritten.
        let mapped = unsafe { libc::mmap(wanted, len, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            let source = io::Error::last_os_error();
            let hint = match source.raw_os_error() {
                // Beyond is where position-independent programs, libraries and stacks are.
                Some(libc::EEXIST) if end < 1 << 40 => {
                    " (this tender itself is in the way: it must be built position-independent)"
                }
                Some(libc::EEXIST) => {
                    " (expected --mem=N with N up to 67108864: beyond 64 TiB is what this tender itself needs)"
                }
                Some(libc::EPERM) => " (sysctl vm.mmap_min_addr must be 65536 at most)",
                _ => " (see --mem)",
            };
            return Err(error(source, hint));
        }
        if mapped != wanted {
            // A kernel before 4.17 takes the address for a hint; the mapping elsewhere dies with the process.
            return Err(error(
                io::Error::from_raw_os_error(libc::EEXIST),
                " (Linux 4.17 or newer is needed)",
            ));
        }
        Ok(Self {
            base: mapped.cast(),
            end,
        })
    }

    /// The guest memory from `start` on, `len` bytes.
    pub(super) fn slice(
        &self,
        start: u64,
        len: u64,
    ) -> Result<VolatileSlice<'_>, VolatileMemoryError> {
        let out = || VolatileMemoryError::OutOfBounds {
            addr: start as usize,
        };
        let offset = start.checked_sub(MEM_BASE).ok_or_else(out)?;
        start
            .checked_add(len)
            .filter(|&stop| stop <= self.end)
            .ok_or_else(out)?;
        // SAFETY: `base..base + (end - MEM_BASE)` is one mapping, which lasts as long as `self` does, and the checks above
        // keep the slice inside. No reference to it exists anywhere, and the guest does not run yet.
        Ok(unsafe { VolatileSlice::new(self.base.add(offset as usize), len as usize) })
    }

    /// Copies `bytes` to `start`, which must be within guest memory below the executable.
    pub(super) fn write(&self, start: u64, bytes: &[u8]) {
        let slice = self.slice(start, bytes.len() as u64);
        slice
            .expect("boot information lies below the entry point, which is in memory")
            .copy_from(bytes);
    }

    /// Gives the pages of a segment the protection that it asks for.
    pub(super) fn protect(&self, segment: &Segment) -> Result<(), SptError> {
        let error = |source| SptError::Protect {
            start: segment.start,
            end: segment.end,
            source,
        };
        let slice = self.slice(segment.start, segment.end - segment.start);
        let slice = slice.map_err(|e| error(io::Error::other(e)))?;
        let flags = [
            (segment.is_readable(), libc::PROT_READ),
            (segment.is_writable(), libc::PROT_WRITE),
            (segment.is_executable(), libc::PROT_EXEC),
        ];
        let flags = flags
            .iter()
            .filter(|(set, _)| *set)
            .fold(libc::PROT_NONE, |all, (_, flag)| all | flag);
        let start = slice.ptr_guard_mut().as_ptr();
        // SAFETY: the pages are guest memory, in which no Rust object lives.
        match unsafe { libc::mprotect(start.cast(), slice.len(), flags) } {
            0 => Ok(()),
            _ => Err(error(io::Error::last_os_error())),
        }
    }
}
