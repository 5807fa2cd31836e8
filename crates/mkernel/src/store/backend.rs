//! A block device as what `redb` takes for a file.
//!
//! A database grows by doubling, in steps that no device fits. So it may take itself to be longer than the device
//! is: what counts is where it writes. What it has never written is zero and takes no space.
//!
//! It writes to the smallest place that is free and large enough, and of these to the lowest. Where its length is no power of
//! two there are small ones at its end, perhaps beyond the device: then it fails although there is room. A database that
//! was not closed takes any length that it is opened with for its own, so that it can be given one at which
//! everything is on the device.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use blockdev::{BlockDevice, Error, SectorDevice};
use redb::StorageBackend;

use super::database_header::DatabaseHeader;
use super::log::Log;
use super::superblock::{Superblock, most_len};

/// That there is no place on the device for what the database would write: of the transaction nothing has changed, as its
/// commit begins when all else has been written.
#[derive(Debug)]
struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no storage space")
    }
}

impl std::error::Error for NoPlace {}

impl From<NoPlace> for io::Error {
    fn from(no_place: NoPlace) -> Self {
        Self::new(io::ErrorKind::StorageFull, no_place)
    }
}

/// Whether there was no place on the device.
pub(super) fn is_no_place(error: &redb::Error) -> bool {
    match error {
        redb::Error::Io(error) => error.get_ref().is_some_and(|cause| cause.is::<NoPlace>()),
        _ => false,
    }
}

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
    /// How often that has changed, and how often it had when the last slot was made.
    changes: u64,
    saved: u64,
    /// How often a slot was written.
    slots: u64,
    /// The database is being made: until it is there, what the slots say holds.
    creating: bool,
    /// Bytes at the end of the device that may not be written to now.
    withheld: u64,
    require_flush: bool,
}

/// A slot that was written, and is not known to be durable.
#[derive(Clone, Copy)]
struct Slot {
    /// Which one it was.
    number: u64,
    /// The changes that it has.
    changes: u64,
}

/// What is being made durable.
#[derive(Clone, Copy)]
pub(super) struct Syncing {
    /// The device's number of the flush, if it can flush.
    flush: Option<u64>,
    slot: Option<Slot>,
}

impl<D: SectorDevice> Backend<D> {
    pub(super) fn new(device: BlockDevice<D>, current: Superblock, require_flush: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            device,
            current,
            changes: 0,
            saved: 0,
            slots: 0,
            creating: false,
            withheld: 0,
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
        if written.is_empty() {
            return Ok(());
        }
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
            self.changes += 1;
        }
    }

    fn set_len(&mut self, len: u64) {
        self.current.len = len;
        self.current.written = self.current.written.min(len);
        self.changes += 1;
    }

    /// Makes what was written durable, and with it what the superblock says, in one flush: if it says what it said
    /// before, the database is what it was before.
    pub(super) fn sync(&mut self) -> Result<(), Error<D::Error>> {
        let slot = self.write_slot()?;
        match self.device.flush() {
            Err(Error::CannotFlush) if !self.require_flush => (),
            outcome => outcome?,
        }
        self.note_durable(slot);
        Ok(())
    }

    /// Begins what [`sync`](Self::sync) does.
    pub(super) fn begin_sync(&mut self) -> Result<Syncing, Error<D::Error>> {
        let slot = self.write_slot()?;
        let flush = match self.device.begin_flush() {
            Err(Error::CannotFlush) if !self.require_flush => None,
            begun => Some(begun?),
        };
        Ok(Syncing { flush, slot })
    }

    /// What has become of it.
    pub(super) fn poll_sync(
        &mut self,
        sync: Syncing,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error<D::Error>>> {
        if let Some(flush) = sync.flush {
            ready!(self.device.poll_flush(flush, context))?;
        }
        self.note_durable(sync.slot);
        Poll::Ready(Ok(()))
    }

    /// Writes the next slot, if it would say something else than the last one. The one that is durable stays as it is.
    fn write_slot(&mut self) -> Result<Option<Slot>, Error<D::Error>> {
        if self.changes == self.saved || self.creating {
            return Ok(None);
        }
        let next = Superblock {
            generation: self.current.generation + 1,
            ..self.current
        };
        self.slots += 1;
        next.write(&mut self.device)?;
        Ok(Some(Slot {
            number: self.slots,
            changes: self.changes,
        }))
    }

    /// A slot is durable, unless it was written again since.
    fn note_durable(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot
            && slot.number == self.slots
            && slot.changes > self.saved
        {
            self.current.generation += 1;
            self.saved = slot.changes;
        }
    }

    /// To be called before the database is opened: one whose making was interrupted is made from the start, and one that was
    /// not closed begins with a length at which it writes nothing beyond the device, and as little as may be to the
    /// reserve.
    pub(super) fn begin(&mut self, reserve: u64) -> Result<(), Error<D::Error>> {
        self.withhold(0);
        if self.creating || self.current.len == 0 {
            self.creating = true;
            self.current.len = 0;
            self.current.written = 0;
            return Ok(());
        }
        let mut header = [0; DatabaseHeader::SIZE];
        self.read(0, &mut header)?;
        let Some(header) = DatabaseHeader::unclosed(&header) else {
            return Ok(());
        };
        let ordinary = self.capacity().saturating_sub(reserve);
        let step = (reserve / 2).max(1);
        let lens = [
            header.len_within(ordinary, step),
            header.len_within(self.capacity(), 1),
        ];
        let fits = |len: &u64| (self.current.written..self.current.len).contains(len);
        if let Some(len) = lens.into_iter().flatten().find(fits) {
            self.set_len(len);
        }
        Ok(())
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

    /// Keeps so many bytes at the end of the device from being written to.
    pub(super) fn withhold(&mut self, bytes: u64) {
        self.withheld = bytes;
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
        self.capacity().saturating_sub(self.withheld)
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
        // After a power cut the database looks for what it may have lost, also beyond its length, and is to find that it
        // is not there.
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > most_len(state.device.capacity())) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(state.read(offset, out)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        if len > most_len(state.device.capacity()) {
            return Err(NoPlace.into());
        }
        state.set_len(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(self.lock().sync()?)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > state.end()) {
            return Err(NoPlace.into());
        }
        Ok(state.write(offset, data)?)
    }
}
