//! A block device as what `redb` takes for a file.
//!
//! A database grows by doubling, in steps that no device fits. So it may take itself to be longer than the device
//! is: what counts is where it writes, which is at the lowest place that is free. What it has never written is
//! zero and takes no space.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blockdev::{BlockDevice, Error, SectorDevice};
use redb::StorageBackend;

use super::log::Log;
use super::superblock::Superblock;

/// Zeros that are written at a time.
const ZEROS: [u8; 4096] = [0; 4096];

/// The device of a store, shared with the database of the moment.
pub(super) struct Backend<D>(Arc<Mutex<State<D>>>);

impl<D> Clone for Backend<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

pub(super) struct State<D> {
    device: BlockDevice<D>,
    /// What the next slot will say, but for the generation, which is that of the last one.
    current: Superblock,
    /// Whether that differs from the last slot.
    changed: bool,
    /// The database is being made: until it is there, what the slots say holds.
    creating: bool,
    /// Bytes at the end of the device that may not be written to now.
    withheld: u64,
    /// Something had no place since the transaction began.
    full: bool,
    require_flush: bool,
}

impl<D: SectorDevice> Backend<D> {
    pub(super) fn new(device: BlockDevice<D>, current: Superblock, require_flush: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            device,
            current,
            changed: false,
            creating: false,
            withheld: 0,
            full: false,
            require_flush,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<D>> {
        // What a panic interrupted is at most one transfer, and then the database is opened anew.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: SectorDevice> State<D> {
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Error<D::Error>> {
        let there = self.current.written.saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (written, never) = out.split_at_mut(there);
        never.fill(0);
        self.device.read_at(self.current.data() + offset, written)
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), Error<D::Error>> {
        while self.current.written < offset {
            let gap = offset - self.current.written;
            let zeros = &ZEROS[..gap.min(ZEROS.len() as u64) as usize];
            self.device
                .write_at(self.current.data() + self.current.written, zeros)?;
            self.note_written(self.current.written + zeros.len() as u64);
        }
        self.device.write_at(self.current.data() + offset, data)?;
        self.note_written(offset + data.len() as u64);
        Ok(())
    }

    fn note_written(&mut self, end: u64) {
        if end > self.current.written {
            self.current.written = end;
            self.changed = true;
        }
    }

    fn set_len(&mut self, len: u64) {
        self.current.len = len;
        self.current.written = self.current.written.min(len);
        self.changed = true;
    }

    /// Makes what was written durable, and with it what the superblock says, in one flush: if it says what it said
    /// before, the database is what it was before.
    pub(super) fn sync(&mut self) -> Result<(), Error<D::Error>> {
        if self.changed && !self.creating {
            let next = Superblock {
                generation: self.current.generation + 1,
                ..self.current
            };
            next.write(&mut self.device)?;
        }
        match self.device.flush() {
            Err(Error::CannotFlush) if !self.require_flush => (),
            outcome => outcome?,
        }
        if self.changed && !self.creating {
            self.current.generation += 1;
            self.changed = false;
        }
        Ok(())
    }

    /// To be called before the database is opened: one whose making was interrupted is made from the start.
    pub(super) fn begin(&mut self) {
        if self.creating || self.current.len == 0 {
            self.creating = true;
            self.current.len = 0;
            self.current.written = 0;
        }
    }

    /// The database is there.
    pub(super) fn end_creation(&mut self) -> Result<(), Error<D::Error>> {
        if !mem::take(&mut self.creating) {
            return Ok(());
        }
        self.sync().inspect_err(|_| self.creating = true)
    }

    /// Writes the superblock as it is, for a device that has none.
    pub(super) fn format(&mut self) -> Result<(), Error<D::Error>> {
        self.current.write(&mut self.device)?;
        self.sync()
    }

    pub(super) fn begin_transaction(&mut self, withheld: u64) {
        self.withheld = withheld;
        self.full = false;
    }

    /// Whether something had no place.
    pub(super) fn end_transaction(&mut self) -> bool {
        self.withheld = 0;
        mem::take(&mut self.full)
    }

    /// The log, and the device that it is on.
    pub(super) fn log(&mut self) -> (Log, &mut BlockDevice<D>) {
        let log = Log {
            bytes: self.current.log,
            identity: self.current.identity,
        };
        (log, &mut self.device)
    }

    /// The end of what may be written now.
    fn end(&self) -> u64 {
        self.device.capacity() - self.current.data() - self.withheld
    }

    pub(super) fn used(&self) -> u64 {
        self.current.written
    }

    pub(super) fn capacity(&self) -> u64 {
        self.device.capacity() - self.current.data()
    }
}

impl<D> fmt::Debug for Backend<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

impl<D> StorageBackend for Backend<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().current.len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.lock();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > state.current.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(state.read(offset, out)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.lock().set_len(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(self.lock().sync()?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > state.end()) {
            state.full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(state.write(offset, data)?)
    }
}
