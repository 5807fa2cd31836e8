//! Keys and values, with group commit: one record of the log, and one flush, for all that waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Bound;
use std::rc::Rc;
use std::task::Waker;

use blockdev::{BlockDevice, SectorDevice};
use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

mod batch;
mod group;

pub use batch::{Batch, MOST_BATCH_BYTES, MOST_KEY_BYTES, MOST_VALUE_BYTES, TooLarge};
pub use group::CommitError;

use batch::Load;
use group::{Place, Waiting};

use super::backend::Syncing;
use super::log::{Operation, Operations, Position};
use super::{OpenError, Options, Store, StoreError};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("mkernel.kv");
/// The epoch of the log that follows what the database has.
const EPOCH: TableDefinition<(), u64> = TableDefinition::new("mkernel.kv.epoch");

/// Bytes of the largest entry that the database has ever had.
const LARGEST: TableDefinition<(), u64> = TableDefinition::new("mkernel.kv.largest");

/// What the database may need beside what it has and gets: for its own tables.
const SLACK: u64 = 256 << 10;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Keys and values on a block device, in the order of the keys' bytes.
///
/// To be cloned for each task that uses it.
pub struct Kv<D> {
    shared: Rc<Shared<D>>,
}

struct Shared<D> {
    store: Store<D>,
    queue: RefCell<VecDeque<Waiting>>,
    /// The committer, when it has nothing to do.
    idle: Cell<Option<Waker>>,
    log: RefCell<Tail>,
}

/// The end of the log.
struct Tail {
    position: Position,
    /// Which opening of the database it follows.
    opening: u64,
    /// Bytes of the device that the database used when it had last written all.
    used: u64,
    /// What came since, and the largest entry that there ever was.
    load: Load,
}

impl Tail {
    /// The start of an epoch.
    fn start(epoch: u64, opening: u64, used: u64, largest: u64) -> Self {
        Self {
            position: Position::start(epoch),
            opening,
            used,
            load: Load {
                largest,
                ..Load::default()
            },
        }
    }

    /// Where on the device the database may end if it is to write what came since, and this too.
    ///
    /// What it has not promised it writes to the same pages again: it needs at most a copy of each that it had, and
    /// what is new, in pages that are a quarter full.
    fn most(&self, load: Load) -> u64 {
        let load = self.load.and(load);
        let copies = self.used + 8 * load.bytes + load.largest_leaf() + SLACK;
        self.used + copies.min(load.cost())
    }
}

impl<D> Clone for Kv<D> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<D> Kv<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    /// Opens the store on `device`, as [`Store::open`]; and the task that commits, to be spawned, which ends when the last
    /// clone is gone.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open(
        device: BlockDevice<D>,
        options: &Options,
    ) -> Result<(Self, impl Future<Output = ()> + use<D>), OpenError> {
        let shared = Rc::new(Shared {
            store: Store::open_with_log(device, options)?,
            queue: RefCell::default(),
            idle: Cell::default(),
            log: RefCell::new(Tail::start(0, 0, 0, 0)),
        });
        shared.with(|_| Ok(())).map_err(OpenError::Store)?;
        let committer = group::commit_all(Rc::clone(&shared));
        Ok((Self { shared }, committer))
    }

    /// The value of a key, if it is there.
    ///
    /// # Errors
    ///
    /// When the device fails.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.read(None, |table| {
            let value = table.get(key)?;
            Ok(value.map(|value| value.value().to_vec()))
        })
    }

    /// The entries with keys in that range, in ascending order, as they are at this moment: as many as have
    /// `most_bytes` together, and one at least.
    ///
    /// # Errors
    ///
    /// When the device fails.
    pub fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        most_entries: usize,
        most_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        // redb panics where a range ends before it begins.
        if is_empty(from, to) {
            return Ok(Vec::new());
        }
        self.shared.read(Vec::new(), |table| {
            let mut entries = Vec::new();
            let mut bytes = 0;
            for entry in table.range::<&[u8]>((from, to))?.take(most_entries) {
                let (key, value) = entry?;
                bytes += key.value().len() + value.value().len();
                if bytes > most_bytes && !entries.is_empty() {
                    break;
                }
                entries.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(entries)
        })
    }

    /// Does what the batch says, and returns when that is durable. Until then nobody sees any of it.
    ///
    /// If the future is dropped before that, it is done or not.
    ///
    /// # Errors
    ///
    /// As [`Store::write`]. A batch that only deletes may take of the reserve.
    pub async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let place = Place::default();
        self.shared
            .queue
            .borrow_mut()
            .push_back(place.take_for(batch));
        if let Some(waker) = self.shared.idle.take() {
            waker.wake();
        }
        place.await
    }

    /// Bytes of the device that the database has ever written to, and bytes that there are for it.
    pub fn usage(&self) -> (u64, u64) {
        self.shared.store.usage()
    }
}

impl<D> Drop for Kv<D> {
    fn drop(&mut self) {
        // The committer has the other one.
        if Rc::strong_count(&self.shared) == 2
            && let Some(waker) = self.shared.idle.take()
        {
            waker.wake();
        }
    }
}

impl<D> fmt::Debug for Kv<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").finish_non_exhaustive()
    }
}

fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(to) | Bound::Excluded(to),
        ) => from >= to,
    }
}

impl<D> Shared<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    fn read<R>(
        &self,
        absent: R,
        look: impl FnOnce(redb::ReadOnlyTable<&'static [u8], &'static [u8]>) -> Result<R, redb::Error>,
    ) -> Result<R, StoreError> {
        self.with(|database| match database.begin_read()?.open_table(TABLE) {
            Ok(table) => Ok(look(table)?),
            Err(TableError::TableDoesNotExist(_)) => Ok(absent),
            Err(error) => Err(error.into()),
        })
    }

    /// Calls `work` with a database that has all that was promised.
    fn with<R>(
        &self,
        work: impl FnOnce(&Database) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.store.with(|database| {
            self.recover(database)?;
            work(database)
        })
    }

    /// Puts what the log has into the database, if that has been opened since, and begins an epoch.
    fn recover(&self, database: &Database) -> Result<(), StoreError> {
        let mut tail = self.log.borrow_mut();
        let opening = self.store.openings();
        if tail.opening == opening {
            return Ok(());
        }
        let mut position = Position::start(epoch(database)?);
        let transaction = database.begin_write()?;
        let mut largest = largest(database, position.epoch)?;
        loop {
            let record = self
                .store
                .with_log(|log, device| log.next(device, &mut position))?;
            let Some(record) = record else { break };
            apply(&transaction, Operations(&record))?;
            let entries = Operations(&record).map(|(key, value)| batch::entry(key, value));
            largest = largest.max(entries.max().unwrap_or(0));
        }
        let epoch = position.epoch.wrapping_add(1);
        begin_epoch(&transaction, epoch, largest)?;
        transaction.commit()?;
        *tail = Tail::start(epoch, opening, self.store.usage().0, largest);
        Ok(())
    }

    /// Does what the group asks for, by way of the log if that has room; others run while that is made durable.
    async fn commit(&self, group: &[Waiting]) -> Result<(), StoreError> {
        let Some(logged) = self.log(group)? else {
            return self.write(group);
        };
        let synced = poll_fn(|context| self.store.poll_sync(logged.sync, context)).await;
        match synced {
            Ok(()) => self.settle(group, &logged),
            Err(_) => self.store.close(),
        }
        synced
    }

    /// Writes a group to the log, and begins to make that durable; none if the database has to take it at once, as there is
    /// no room in the log, or perhaps none for the database.
    fn log(&self, group: &[Waiting]) -> Result<Option<Logged>, StoreError> {
        let Some(space) = group.first().map(|first| first.batch.space()) else {
            return Ok(None);
        };
        let load = load(group);
        let (_, capacity) = self.store.usage();
        self.store.transact(space, |database| {
            self.recover(database)?;
            let mut tail = self.log.borrow_mut();
            if tail.most(load) + self.store.reserve > capacity {
                return Ok(None);
            }
            let appended = self.store.with_log(|log, device| {
                let block_size = device.block_size();
                let Some(record) = log.record(&tail.position, operations(group), block_size) else {
                    return Ok(false);
                };
                log.append(device, &mut tail.position, &record)?;
                Ok(true)
            })?;
            if !appended {
                return Ok(None);
            }
            tail.load = tail.load.and(load);
            let sync = self.store.begin_sync()?;
            let opening = tail.opening;
            Ok(Some(Logged { sync, opening }))
        })
    }

    /// Puts a group into the database that the log has for good. Whatever becomes of that: when the database is opened
    /// anew it has what the log has.
    fn settle(&self, group: &[Waiting], logged: &Logged) {
        let settled = self.with(|database| {
            if self.log.borrow().opening != logged.opening {
                return Ok(());
            }
            let mut transaction = database.begin_write()?;
            apply(&transaction, operations(group))?;
            transaction.set_durability(Durability::None)?;
            Ok(transaction.commit()?)
        });
        if settled.is_err() {
            self.store.close();
        }
    }

    /// Puts a group into the database, on the device, and begins an epoch. The database has all that the log has.
    fn write(&self, group: &[Waiting]) -> Result<(), StoreError> {
        let Some(space) = group.first().map(|first| first.batch.space()) else {
            return Ok(());
        };
        self.store.transact(space, |database| {
            self.recover(database)?;
            let mut tail = self.log.borrow_mut();
            let transaction = database.begin_write()?;
            apply(&transaction, operations(group))?;
            let epoch = tail.position.epoch.wrapping_add(1);
            let largest = tail.load.and(load(group)).largest;
            begin_epoch(&transaction, epoch, largest)?;
            transaction.commit()?;
            *tail = Tail::start(epoch, tail.opening, self.store.usage().0, largest);
            Ok(())
        })
    }
}

/// A group that the log has.
struct Logged {
    sync: Syncing,
    /// The opening of the database that does not have it.
    opening: u64,
}

fn operations(group: &[Waiting]) -> impl Iterator<Item = Operation<'_>> {
    group.iter().flat_map(|waiting| waiting.batch.operations())
}

/// What a group asks of the database.
fn load(group: &[Waiting]) -> Load {
    let loads = group.iter().map(|waiting| waiting.batch.load());
    loads.fold(Load::default(), Load::and)
}

/// The epoch of the log that follows what the database has; 0 if it has nothing.
fn epoch(database: &Database) -> Result<u64, StoreError> {
    Ok(number(database, EPOCH)?.unwrap_or(0))
}

/// Bytes of the largest entry that the database had; the most that there can be if it does not say.
fn largest(database: &Database, epoch: u64) -> Result<u64, StoreError> {
    let most = (MOST_KEY_BYTES + MOST_VALUE_BYTES) as u64;
    let unknown = match epoch {
        0 => 0,
        _ => most,
    };
    Ok(number(database, LARGEST)?.map_or(unknown, |largest| largest.min(most)))
}

/// What a table of one number has.
fn number(
    database: &Database,
    table: TableDefinition<'_, (), u64>,
) -> Result<Option<u64>, StoreError> {
    match database.begin_read()?.open_table(table) {
        Ok(table) => Ok(table.get(())?.map(|number| number.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Puts down that the database has all of the epochs before.
fn begin_epoch(
    transaction: &WriteTransaction,
    epoch: u64,
    largest: u64,
) -> Result<(), redb::Error> {
    transaction.open_table(EPOCH)?.insert((), epoch)?;
    transaction.open_table(LARGEST)?.insert((), largest)?;
    Ok(())
}

fn apply<'a>(
    transaction: &WriteTransaction,
    operations: impl Iterator<Item = Operation<'a>>,
) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(TABLE)?;
    for (key, value) in operations {
        match value {
            Some(value) => drop(table.insert(key, value)?),
            None => drop(table.remove(key)?),
        }
    }
    Ok(())
}
