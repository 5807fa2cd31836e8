//! A durable store: [`redb`] on a block device of the unikernel, with its feature `store`.
//!
//! ```no_run
//! use mkernel::store::{Options, Space, Store, redb::{ReadableDatabase, TableDefinition}};
//!
//! const VISITS: TableDefinition<&str, u64> = TableDefinition::new("visits");
//!
//! let disk = mkernel::block::open(mkernel::block!("disk")?)?;
//! let store = Store::open(disk, &Options::default())?;
//! store.write(Space::Ordinary, |transaction| {
//!     transaction.open_table(VISITS)?.insert("front page", 1)?;
//!     Ok(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! When [`Store::write`] has returned, what it wrote is on the device and survives the loss of power, if the host
//! can make writes durable: [`Options::require_flush`] says whether the store may be without. A transaction is there as a
//! whole or not at all. Everything is done at once, as long as it takes: no frame is read meanwhile.
//!
//! A [`Kv`] is for services: keys and values, with one flush for all the tasks that wait for one, during which the others go
//! on.
//!
//! # Space
//!
//! The device is the store's from its first to its last byte. A device that begins with zeros becomes a store when it is
//! opened, any other content is left alone. [`LEAST_CAPACITY`] is the least size.
//! An eighth of the device, 1 MiB at most, is for transactions with [`Space::Reserve`]: deleting takes room before it
//! gives any.
//!
//! # After a failure
//!
//! A database in which a write or a flush has failed is no longer used. It is opened again from what is on the
//! device by the next transaction, which takes as long as to read all of it, and fails if the device still
//! does.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Instant;

use blockdev::{BlockDevice, Error, SectorDevice};
pub use redb;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

mod backend;
mod database_header;
mod error;
mod kv;
mod log;
mod superblock;

pub use error::{OpenError, StoreError};
pub use kv::{
    Batch, CommitError, Entry, Kv, MOST_BATCH_BYTES, MOST_KEY_BYTES, MOST_VALUE_BYTES, TooLarge,
};

use backend::{Backend, Syncing};
use log::Log;
use superblock::Superblock;

/// The smallest device that holds a store.
pub const LEAST_CAPACITY: u64 = 1 << 20;

/// To find out that a store is full costs an opening; this is how much longer it is then taken to be full.
const PAUSE_WHEN_FULL: u32 = 20;

/// The largest log: at the start all of it may have to be done again.
const MOST_LOG: u64 = 32 << 20;
/// Logs are multiples of this, and so of every block size.
const LOG_UNIT: u64 = 64 << 10;

/// How a store is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes of memory for what has been read, and for what a transaction has not yet written; 4 MiB if nothing else is
    /// said.
    pub cache_bytes: usize,
    /// Whether the store is opened only where the host can make writes durable, which is so if nothing else is said.
    /// Without that, the loss of power may lose or damage what was written.
    pub require_flush: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 4 << 20,
            require_flush: true,
        }
    }
}

/// What a transaction may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// What is free, but for the reserve.
    Ordinary,
    /// Also the reserve: for what makes room.
    Reserve,
}

/// A store on a block device.
pub struct Store<D> {
    backend: Backend<D>,
    /// None after a failure.
    database: RefCell<Option<Database>>,
    cache_bytes: usize,
    reserve: u64,
    /// Until when nothing is tried, as it would find no room.
    full_until: Cell<Option<Instant>>,
    openings: Cell<u64>,
}

impl<D> Store<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    /// Opens the store on `device`, or makes one there if the device begins with zeros.
    ///
    /// After a power cut or a `kill` all that is there is read.
    ///
    /// # Errors
    ///
    /// When the device is too small, cannot make writes durable although that is required, holds something else, or
    /// holds a store that was cut short; when it fails.
    pub fn open(device: BlockDevice<D>, options: &Options) -> Result<Self, OpenError> {
        Self::open_or_create(device, options, 0)
    }

    /// As [`open`](Self::open), but a store that is made has a log.
    fn open_with_log(device: BlockDevice<D>, options: &Options) -> Result<Self, OpenError> {
        let log = (device.capacity() / 8).min(MOST_LOG) & !(LOG_UNIT - 1);
        Self::open_or_create(device, options, log)
    }

    fn open_or_create(
        mut device: BlockDevice<D>,
        options: &Options,
        log: u64,
    ) -> Result<Self, OpenError> {
        let capacity = device.capacity();
        if capacity < LEAST_CAPACITY {
            return Err(OpenError::TooSmall { capacity });
        }
        if options.require_flush && !device.get_ref().can_flush() {
            return Err(OpenError::CannotFlush);
        }
        let found = Superblock::read(&mut device).map_err(failed)?;
        if let Some(expected) = found.map(|found| found.least_capacity())
            && expected > capacity
        {
            return Err(OpenError::CutShort { capacity, expected });
        }
        if found.is_none() && !is_blank(&mut device).map_err(failed)? {
            return Err(OpenError::NotAStore);
        }
        let superblock = found.unwrap_or_else(|| Superblock::new(log, random()));
        let backend = Backend::new(device, superblock, options.require_flush);
        if found.is_none() {
            backend.lock().format().map_err(failed)?;
        }
        let store = Self {
            backend,
            database: RefCell::new(None),
            cache_bytes: options.cache_bytes,
            reserve: (capacity / 8).min(1 << 20),
            full_until: Cell::new(None),
            openings: Cell::new(0),
        };
        store.with(|_| Ok(())).map_err(OpenError::Store)?;
        Ok(store)
    }

    /// Calls `look` with what has been committed.
    ///
    /// # Errors
    ///
    /// Those of `look`, and when the device fails.
    pub fn read<R>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.with(|database| Ok(look(&database.begin_read()?)?))
    }

    /// Calls `change` in a transaction, and commits it: when this returns, it is durable.
    ///
    /// # Errors
    ///
    /// Those of `change`, after which nothing has changed; when there is no room, and when the device fails.
    pub fn write<R>(
        &self,
        space: Space,
        change: impl FnOnce(&WriteTransaction) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.transact(space, |database| {
            let transaction = database.begin_write()?;
            match change(&transaction) {
                Ok(value) => {
                    transaction.commit()?;
                    Ok(value)
                }
                Err(error) => {
                    transaction.abort()?;
                    Err(error.into())
                }
            }
        })
    }

    /// Calls `work`, which makes one transaction.
    fn transact<R>(
        &self,
        space: Space,
        work: impl FnOnce(&Database) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        if space == Space::Ordinary
            && self
                .full_until
                .get()
                .is_some_and(|end| Instant::now() < end)
        {
            return Err(self.full());
        }
        self.with(|database| {
            self.backend.lock().withhold(match space {
                Space::Ordinary => self.reserve,
                Space::Reserve => 0,
            });
            let outcome = work(database);
            self.backend.lock().withhold(0);
            if let Err(StoreError::Database(error)) = &outcome
                && backend::is_no_place(error)
            {
                self.full_until.set(Some(Instant::now()));
                return Err(self.full());
            }
            if outcome.is_ok() {
                self.full_until.set(None);
            }
            outcome
        })
    }

    /// Bytes of the device that have ever been written to, and bytes that there are.
    pub fn usage(&self) -> (u64, u64) {
        let state = self.backend.lock();
        (state.used(), state.capacity())
    }

    /// How often the database has been opened.
    fn openings(&self) -> u64 {
        self.openings.get()
    }

    /// Calls `work` with the log and the device.
    fn with_log<R>(
        &self,
        work: impl FnOnce(Log, &mut BlockDevice<D>) -> Result<R, Error<D::Error>>,
    ) -> Result<R, StoreError> {
        let mut state = self.backend.lock();
        let (log, device) = state.log();
        work(log, device).map_err(io)
    }

    /// Begins to make durable what was written.
    fn begin_sync(&self) -> Result<Syncing, StoreError> {
        self.backend.lock().begin_sync().map_err(io)
    }

    /// What has become of that.
    fn poll_sync(&self, sync: Syncing, context: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        self.backend.lock().poll_sync(sync, context).map_err(io)
    }

    fn full(&self) -> StoreError {
        let capacity = self.backend.lock().capacity();
        StoreError::Full { capacity }
    }

    /// Calls `work` with the database, which is opened if there is none; after a failure there is none.
    fn with<R>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let Ok(mut slot) = self.database.try_borrow_mut() else {
            return Err(StoreError::Nested);
        };
        // redb trusts what it finds on the device up to a point, and panics beyond it.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let database = match slot.take() {
                Some(database) => database,
                None => self.open_database()?,
            };
            let outcome = work(&database);
            if !outcome.as_ref().is_err_and(is_fatal) {
                *slot = Some(database);
            }
            outcome
        }));
        outcome.unwrap_or_else(|panic| Err(StoreError::Damaged(message(&*panic))))
    }

    /// Gives up the database: the next transaction opens it anew.
    fn close(&self) {
        if let Ok(mut slot) = self.database.try_borrow_mut() {
            let database = slot.take();
            // As what it finds on the device may be anything, it may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
        }
    }

    fn open_database(&self) -> Result<Database, StoreError> {
        let start = Instant::now();
        self.backend.lock().begin(self.reserve).map_err(io)?;
        let database = Database::builder()
            .set_cache_size(self.cache_bytes)
            .create_with_backend(self.backend.clone())?;
        self.backend.lock().end_creation().map_err(io)?;
        self.openings.set(self.openings.get() + 1);
        if self.full_until.get().is_some() {
            let pause = start.elapsed() * PAUSE_WHEN_FULL;
            self.full_until.set(Some(Instant::now() + pause));
        }
        Ok(database)
    }
}

impl<D> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Whether a database cannot go on after this.
fn is_fatal(error: &StoreError) -> bool {
    match error {
        StoreError::Full { .. } | StoreError::Damaged(_) => true,
        StoreError::Nested => false,
        StoreError::Database(error) => matches!(
            error,
            redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::LockPoisoned(_)
        ),
    }
}

fn io<E: std::error::Error + Send + Sync + 'static>(error: Error<E>) -> StoreError {
    StoreError::Database(redb::Error::Io(error.into()))
}

fn failed<E: std::error::Error + Send + Sync + 'static>(error: Error<E>) -> OpenError {
    OpenError::Store(io(error))
}

/// A number that no other store has.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Whether there are but zeros where file systems, partition tables and stores have their first data.
fn is_blank<D: SectorDevice>(device: &mut BlockDevice<D>) -> Result<bool, Error<D::Error>> {
    let mut bytes = [0; 4096];
    for offset in (0..128 << 10).step_by(bytes.len()) {
        device.read_at(offset, &mut bytes)?;
        if bytes != [0; 4096] {
            return Ok(false);
        }
    }
    Ok(true)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or(panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic").to_owned()
}
