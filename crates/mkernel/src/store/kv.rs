//! Keys and values, with group commit: one record of the log, and one flush, for all that waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Bound;
use std::rc::Rc;
use std::task::{Poll, Waker};

use blockdev::{BlockDevice, SectorDevice};
use redb::{Database, Durability, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use super::log::{Operation, Operations, Position};
use super::{OpenError, Options, Space, Store, StoreError};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("mkernel.kv");
/// The epoch of the log that follows what the database has.
const EPOCH: TableDefinition<(), u64> = TableDefinition::new("mkernel.kv.epoch");

/// Most bytes of a key.
pub const MOST_KEY_BYTES: usize = 1024;
/// Most bytes of a value.
pub const MOST_VALUE_BYTES: usize = 1 << 20;
/// Most bytes of a batch, keys and values together.
pub const MOST_BATCH_BYTES: usize = 4 << 20;

/// Most bytes that one group takes from the queue, but for one batch.
const GROUP_BYTES: usize = 1 << 20;
/// What the database may need on the device for one operation, beside twice its bytes: a page for each level, and as
/// many that are split.
const OPERATION_COST: u64 = 32 << 10;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// A key, and its value or that it goes.
type Owned = (Box<[u8]>, Option<Box<[u8]>>);

/// Operations that are done together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Owned>,
    bytes: usize,
}

/// Why an operation does not go into a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooLarge {
    /// The key has more than [`MOST_KEY_BYTES`].
    Key {
        /// Bytes of the key.
        bytes: usize,
    },
    /// The value has more than [`MOST_VALUE_BYTES`].
    Value {
        /// Bytes of the value.
        bytes: usize,
    },
    /// The batch would have more than [`MOST_BATCH_BYTES`].
    Batch {
        /// Bytes that it would have.
        bytes: usize,
    },
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, bytes, most) = match *self {
            Self::Key { bytes } => ("key", bytes, MOST_KEY_BYTES),
            Self::Value { bytes } => ("value", bytes, MOST_VALUE_BYTES),
            Self::Batch { bytes } => ("batch", bytes, MOST_BATCH_BYTES),
        };
        write!(f, "{what} of {bytes} bytes, expected {most} at most")
    }
}

impl std::error::Error for TooLarge {}

impl Batch {
    /// No operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `key` that value.
    ///
    /// # Errors
    ///
    /// When something is too large; the batch is as before then.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), TooLarge> {
        if value.len() > MOST_VALUE_BYTES {
            return Err(TooLarge::Value { bytes: value.len() });
        }
        self.push(key, Some(value))
    }

    /// Takes `key` away, if it is there.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn delete(&mut self, key: &[u8]) -> Result<(), TooLarge> {
        self.push(key, None)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    fn push(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), TooLarge> {
        if key.len() > MOST_KEY_BYTES {
            return Err(TooLarge::Key { bytes: key.len() });
        }
        // What the operation has beside its bytes in memory and in the log.
        let bytes = self.bytes + key.len() + value.map_or(0, <[u8]>::len) + 64;
        if bytes > MOST_BATCH_BYTES {
            return Err(TooLarge::Batch { bytes });
        }
        self.operations.push((key.into(), value.map(Into::into)));
        self.bytes = bytes;
        Ok(())
    }

    fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let operations = self.operations.iter();
        operations.map(|(key, value)| (&**key, value.as_deref()))
    }

    fn space(&self) -> Space {
        match self.operations.iter().all(|(_, value)| value.is_none()) {
            true => Space::Reserve,
            false => Space::Ordinary,
        }
    }

    /// The most that the database may need on the device.
    fn cost(&self) -> u64 {
        self.operations.len() as u64 * OPERATION_COST + 2 * self.bytes as u64
    }
}

/// Why a batch was not committed: as [`StoreError`], but shared by all whose transaction it was.
#[derive(Clone, Debug)]
pub struct CommitError(Rc<StoreError>);

impl CommitError {
    /// What went wrong.
    pub fn get_ref(&self) -> &StoreError {
        &self.0
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CommitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// What a waiting task and the committer have in common.
#[derive(Default)]
struct Ticket {
    outcome: Cell<Option<Result<(), CommitError>>>,
    waker: Cell<Option<Waker>>,
    cancelled: Cell<bool>,
}

struct Waiting {
    batch: Batch,
    ticket: Rc<Ticket>,
}

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
    /// What the database may need on the device for what it has not yet written there.
    cost: u64,
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
            log: RefCell::new(Tail {
                position: Position::start(0),
                opening: 0,
                cost: 0,
            }),
        });
        shared.with(|_| Ok(())).map_err(OpenError::Store)?;
        let committer = commit_all(Rc::clone(&shared));
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
        let place = Place(Rc::default());
        self.shared.queue.borrow_mut().push_back(Waiting {
            batch,
            ticket: Rc::clone(&place.0),
        });
        if let Some(waker) = self.shared.idle.take() {
            waker.wake();
        }
        poll_fn(|context| match place.0.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                place.0.waker.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Bytes of the device that the database has ever written to, and bytes that there are for it.
    pub fn usage(&self) -> (u64, u64) {
        self.shared.store.usage()
    }
}

/// Says when nobody waits any more.
struct Place(Rc<Ticket>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.cancelled.set(true);
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

async fn commit_all<D>(shared: Rc<Shared<D>>)
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    while shared.wait().await {
        // Whoever is ready to ask for something comes along.
        crate::yield_now().await;
        let group = shared.take();
        match shared.commit(&group) {
            Err(_) if group.len() > 1 => {
                // Who can be served is served.
                for one in &group {
                    answer(
                        std::slice::from_ref(one),
                        shared.commit(std::slice::from_ref(one)),
                    );
                    crate::yield_now().await;
                }
            }
            outcome => answer(&group, outcome),
        }
    }
}

fn answer(group: &[Waiting], outcome: Result<(), StoreError>) {
    let outcome = outcome.map_err(|error| CommitError(Rc::new(error)));
    for waiting in group {
        waiting.ticket.outcome.set(Some(outcome.clone()));
        if let Some(waker) = waiting.ticket.waker.take() {
            waker.wake();
        }
    }
}

impl<D> Shared<D>
where
    D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
{
    /// Waits until there is something to do; false if there never will be.
    async fn wait(self: &Rc<Self>) -> bool {
        poll_fn(|context| {
            if !self.queue.borrow().is_empty() {
                return Poll::Ready(true);
            }
            if Rc::strong_count(self) == 1 {
                return Poll::Ready(false);
            }
            self.idle.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// What is next in the queue, all of it of one kind, without that for which nobody waits.
    fn take(&self) -> Vec<Waiting> {
        let mut queue = self.queue.borrow_mut();
        let mut group: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.front() {
            let other = group
                .first()
                .is_some_and(|first| first.batch.space() != next.batch.space());
            bytes += next.batch.bytes;
            if other || (bytes > GROUP_BYTES && !group.is_empty()) {
                break;
            }
            group.extend(
                queue
                    .pop_front()
                    .filter(|next| !next.ticket.cancelled.get()),
            );
        }
        group
    }

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
        loop {
            let record = self
                .store
                .with_log(|log, device| log.next(device, &mut position))?;
            let Some(record) = record else { break };
            apply(&transaction, Operations(&record))?;
        }
        let epoch = position.epoch + 1;
        transaction.open_table(EPOCH)?.insert((), epoch)?;
        transaction.commit()?;
        *tail = Tail {
            position: Position::start(epoch),
            opening,
            cost: 0,
        };
        Ok(())
    }

    fn commit(&self, group: &[Waiting]) -> Result<(), StoreError> {
        let Some(space) = group.first().map(|first| first.batch.space()) else {
            return Ok(());
        };
        let operations = || group.iter().flat_map(|waiting| waiting.batch.operations());
        let cost = group.iter().map(|waiting| waiting.batch.cost()).sum();
        self.store.transact(space, |database| {
            self.recover(database)?;
            let mut tail = self.log.borrow_mut();
            let mut transaction = database.begin_write()?;
            apply(&transaction, operations())?;
            if self.append(&mut tail, operations(), cost)? {
                // The log has it: the database may keep it in memory.
                transaction.set_durability(Durability::None)?;
                transaction.commit()?;
                return Ok(());
            }
            let epoch = tail.position.epoch + 1;
            transaction.open_table(EPOCH)?.insert((), epoch)?;
            transaction.commit()?;
            tail.position = Position::start(epoch);
            tail.cost = 0;
            Ok(())
        })
    }

    /// Makes the operations durable in the log; false if the database has to, as there is no room in the log, or
    /// perhaps none for the database.
    fn append<'a>(
        &self,
        tail: &mut Tail,
        operations: impl Iterator<Item = Operation<'a>>,
        cost: u64,
    ) -> Result<bool, StoreError> {
        let (used, capacity) = self.store.usage();
        let cost = tail.cost + cost;
        if used + cost + self.store.reserve > capacity {
            return Ok(false);
        }
        self.store
            .with_log(|log, device| {
                let Some(record) = log.record(&tail.position, operations, device.block_size())
                else {
                    return Ok(false);
                };
                log.append(device, &mut tail.position, &record)?;
                Ok(true)
            })
            .and_then(|appended| {
                if appended {
                    tail.cost = cost;
                    self.store.flush()?;
                }
                Ok(appended)
            })
    }
}

/// The epoch of the log that follows what the database has; 0 if it has nothing.
fn epoch(database: &Database) -> Result<u64, StoreError> {
    match database.begin_read()?.open_table(EPOCH) {
        Ok(table) => Ok(table.get(())?.map_or(0, |epoch| epoch.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(0),
        Err(error) => Err(error.into()),
    }
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
