//! A store after every power cut that its device allows: all that was promised is there, nothing is there that was
//! never written, and no transaction is there in part.
#![cfg(feature = "store")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use blockdev::power_cut::{Cut, Limits, Recorder, Recording, Tally};
use blockdev::{BlockDevice, Geometry, MemoryDevice, SectorDevice};
use futures_lite::future::{block_on, or};
use mkernel::store::redb::{ReadableTable, TableDefinition, TableError};
use mkernel::store::{Batch, Kv, Options, Space, Store};

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("test");

/// Transactions in a run.
const STEPS: usize = 12;
/// For tests of a few seconds.
const FEW: Limits = Limits {
    exhaustive: 5,
    samples: 2,
    seed: 7,
};

type Content = BTreeMap<u64, Vec<u8>>;

/// What the store held after one more transaction, when that was begun, and when it was promised.
#[derive(Debug, Default)]
struct Step {
    content: Content,
    begun: usize,
    promised: usize,
}

/// A device that forgets a flush.
struct Forgetful {
    device: Recorder,
    /// Flushes until then.
    remaining: Arc<AtomicUsize>,
}

/// That no flush is forgotten.
const NEVER: usize = usize::MAX;
/// The number of one that was begun and is.
const FORGOTTEN: u64 = u64::MAX;

impl Forgetful {
    /// Whether a flush is forgotten.
    fn forgets(&self) -> bool {
        let remaining = self.remaining.load(Relaxed);
        if remaining != NEVER {
            self.remaining.store(remaining.wrapping_sub(1), Relaxed);
        }
        remaining == 0
    }
}

impl SectorDevice for Forgetful {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.device.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Infallible> {
        self.device.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Infallible> {
        self.device.write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        match self.forgets() {
            true => Ok(()),
            false => self.device.flush(),
        }
    }

    fn begin_flush(&mut self) -> Result<u64, Infallible> {
        match self.forgets() {
            true => Ok(FORGOTTEN),
            false => self.device.begin_flush(),
        }
    }

    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Infallible>> {
        match number {
            FORGOTTEN => Poll::Ready(Ok(())),
            _ => self.device.poll_flush(number, context),
        }
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), Infallible> {
        self.device.discard(offset, len)
    }
}

/// What is done on a store, and found there afterwards.
trait Program {
    /// Uses a store on `device` for [`STEPS`] transactions.
    fn run<D>(
        random: &mut fastrand::Rng,
        device: D,
        recorded: impl Fn() -> usize,
        open: impl FnOnce(),
    ) -> Vec<Step>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static;

    /// All that a store on `device` holds, after `key` has been given that value if it has one.
    fn content<D>(device: D, put: Option<(u64, &[u8])>) -> Result<Content, String>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static;
}

/// A [`Store`], with a table of its own.
struct Table;

impl Program for Table {
    fn run<D>(
        random: &mut fastrand::Rng,
        device: D,
        recorded: impl Fn() -> usize,
        open: impl FnOnce(),
    ) -> Vec<Step>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
    {
        let store = Store::open(BlockDevice::new(device), &options()).expect("the device is blank");
        open();
        let mut done = vec![Step::default()];
        for _ in 0..STEPS {
            let mut content = done.last().expect("there is a first").content.clone();
            let changes = changes(random, &mut content);
            let begun = recorded();
            let write = store.write(Space::Ordinary, |transaction| {
                let mut table = transaction.open_table(TABLE)?;
                for (key, value) in &changes {
                    match value {
                        Some(value) => drop(table.insert(key, &**value)?),
                        None => drop(table.remove(key)?),
                    }
                }
                Ok(())
            });
            write.expect("there is room");
            done.push(Step {
                content,
                begun,
                promised: recorded(),
            });
        }
        done
    }

    fn content<D>(device: D, put: Option<(u64, &[u8])>) -> Result<Content, String>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
    {
        let store =
            Store::open(BlockDevice::new(device), &options()).map_err(|error| error.to_string())?;
        if let Some((key, value)) = put {
            let write = store.write(Space::Ordinary, |transaction| {
                transaction.open_table(TABLE)?.insert(key, value)?;
                Ok(())
            });
            write.map_err(|error| error.to_string())?;
        }
        let content = store.read(|transaction| {
            let table = match transaction.open_table(TABLE) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Content::new()),
                Err(error) => return Err(error.into()),
            };
            let entries = table.iter()?.map(|entry| {
                let (key, value) = entry?;
                Ok((key.value(), value.value().to_vec()))
            });
            entries.collect()
        });
        content.map_err(|error| error.to_string())
    }
}

/// A [`Kv`], with several batches under way.
struct KeyValue;

impl Program for KeyValue {
    fn run<D>(
        random: &mut fastrand::Rng,
        device: D,
        recorded: impl Fn() -> usize,
        open: impl FnOnce(),
    ) -> Vec<Step>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
    {
        let (kv, committer) =
            Kv::open(BlockDevice::new(device), &options()).expect("the device is blank");
        open();
        let mut done = vec![Step::default()];
        let work = async {
            while done.len() <= STEPS {
                let begun = recorded();
                let first = done.len();
                let mut commits = Vec::new();
                for _ in 0..random.usize(1..4) {
                    let mut content = done.last().expect("there is a first").content.clone();
                    let mut batch = Batch::new();
                    for (key, value) in changes(random, &mut content) {
                        match value {
                            Some(value) => batch.put(&key.to_be_bytes(), &value),
                            None => batch.delete(&key.to_be_bytes()),
                        }
                        .expect("they are small");
                    }
                    commits.push(kv.commit(batch));
                    done.push(Step {
                        content,
                        begun,
                        promised: usize::MAX,
                    });
                }
                // All of them are queued at their first poll, in this order.
                let commits = commits.into_iter().map(Box::pin);
                let mut commits: Vec<_> = commits.zip(&mut done[first..]).collect();
                poll_fn(|context| {
                    commits.retain_mut(|(commit, step)| match commit.as_mut().poll(context) {
                        Poll::Ready(outcome) => {
                            outcome.expect("there is room");
                            step.promised = recorded();
                            false
                        }
                        Poll::Pending => true,
                    });
                    if commits.is_empty() {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
        };
        block_on(or(work, committer));
        done
    }

    fn content<D>(device: D, put: Option<(u64, &[u8])>) -> Result<Content, String>
    where
        D: SectorDevice<Error: Send + Sync + 'static> + Send + 'static,
    {
        let (kv, committer) =
            Kv::open(BlockDevice::new(device), &options()).map_err(|error| error.to_string())?;
        if let Some((key, value)) = put {
            let mut batch = Batch::new();
            batch.put(&key.to_be_bytes(), value).expect("it is small");
            let mut outcome = Ok(());
            block_on(or(async { outcome = kv.commit(batch).await }, committer));
            outcome.map_err(|error| error.to_string())?;
        }
        let entries = kv
            .range(Bound::Unbounded, Bound::Unbounded, usize::MAX, usize::MAX)
            .map_err(|error| error.to_string())?;
        let entries = entries.into_iter().map(|(key, value)| {
            let key = key.try_into().map(u64::from_be_bytes);
            (key.expect("all keys are of eight bytes"), value)
        });
        Ok(entries.collect())
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.cache_bytes = 256 << 10;
    options
}

fn value(random: &mut fastrand::Rng) -> Vec<u8> {
    let len = match random.u8(..8) {
        0 => random.usize(4000..20_000),
        _ => random.usize(..200),
    };
    vec![random.u8(..); len]
}

/// A few random changes, which are made to `content` too.
fn changes(random: &mut fastrand::Rng, content: &mut Content) -> Vec<(u64, Option<Vec<u8>>)> {
    let changes: Vec<_> = (0..random.usize(1..5))
        .map(|_| {
            let key = random.u64(..12);
            (key, (random.u8(..4) > 0).then(|| value(random)))
        })
        .collect();
    for (key, value) in &changes {
        match value {
            Some(value) => drop(content.insert(*key, value.clone())),
            None => drop(content.remove(key)),
        }
    }
    changes
}

/// Runs a program; with `forgets` the device forgets that flush, counted from when the store is open.
fn run<P: Program>(seed: u64, block_size: usize, forgets: Option<usize>) -> (Recording, Vec<Step>) {
    // What lies about on a device that was used before.
    let mut bytes = vec![0xa5; 1 << 20];
    bytes[..128 << 10].fill(0);
    let device = MemoryDevice::from_bytes(block_size, bytes).expect("the sizes are right");
    let (device, recording) = Recorder::new(device);
    let remaining = Arc::new(AtomicUsize::new(NEVER));
    let device = Forgetful {
        device: device.with_slow_flushes(seed as u32 % 4),
        remaining: Arc::clone(&remaining),
    };
    let open = || remaining.store(forgets.unwrap_or(NEVER), Relaxed);
    let mut random = fastrand::Rng::with_seed(seed);
    let steps = P::run(&mut random, device, || recording.position(), open);
    (recording, steps)
}

/// Opens what the cut left, and says what is wrong with it.
fn check<P: Program>(cut: Cut, steps: &[Step]) -> Result<(), String> {
    let wrong = |what: String| {
        Err(format!(
            "cut between {} and {}, lost {:?}: {what}",
            cut.first, cut.last, cut.lost
        ))
    };
    // It is still there when the store on it is gone.
    let device = Arc::new(Mutex::new(cut.device));
    let found = match P::content(device.clone(), None) {
        Ok(found) => found,
        Err(error) => return wrong(format!("not read: {error}")),
    };
    let least = steps
        .iter()
        .rposition(|step| step.promised <= cut.last)
        .unwrap_or(0);
    let most = steps
        .iter()
        .rposition(|step| step.begun <= cut.last)
        .unwrap_or(0);
    let Some(step) = steps[least..=most]
        .iter()
        .find(|step| step.content == found)
    else {
        return wrong(format!(
            "holds neither what was there after transaction {least} nor after another up to {most}"
        ));
    };
    // It goes on from there, and nothing that was lost comes back.
    let mut expected = step.content.clone();
    expected.insert(99, b"afterwards".to_vec());
    for put in [Some((99, &b"afterwards"[..])), None] {
        match P::content(device.clone(), put) {
            Ok(found) if found == expected => (),
            Ok(_) => return wrong("holds something else when it goes on".to_owned()),
            Err(error) => return wrong(format!("does not go on: {error}")),
        }
    }
    Ok(())
}

fn try_all<P: Program>(seed: u64, block_size: usize, limits: &Limits) -> Tally {
    let (recording, steps) = run::<P>(seed, block_size, None);
    let tally = recording.each_cut(limits, |cut| check::<P>(cut, &steps));
    let tally = tally.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    println!(
        "{}, seed {seed}, blocks of {block_size}: {tally:?}",
        std::any::type_name::<P>()
    );
    tally
}

fn few<P: Program>() {
    for (seed, block_size) in [(1, 512), (2, 4096)] {
        let tally = try_all::<P>(seed, block_size, &FEW);
        assert!(tally.states > 100, "{tally:?}");
    }
}

fn many<P: Program>() {
    for seed in 1..=20 {
        let block_size = [512, 4096, 32 << 10][seed as usize % 3];
        try_all::<P>(
            seed,
            block_size,
            &Limits {
                seed,
                ..Limits::default()
            },
        );
    }
}

/// Nothing is promised on some flushes alone: those by which a file grows, those that such a one follows before anything is
/// promised, and those of batches that change nothing.
fn flushes_left_out<P: Program>(least: usize) {
    let found = (0..8).filter(|&forgets| {
        let (recording, steps) = run::<P>(1, 512, Some(forgets));
        let lost = recording.each_cut(&FEW, |cut| check::<P>(cut, &steps));
        lost.is_err()
    });
    let found: Vec<_> = found.collect();
    assert!(
        found.len() >= least,
        "of eight flushes left out only these were found: {found:?}"
    );
}

#[test]
fn a_table_loses_nothing() {
    few::<Table>();
}

#[test]
fn keys_and_values_lose_nothing() {
    few::<KeyValue>();
}

#[test]
#[ignore = "many minutes: ci/long runs it"]
fn a_table_loses_nothing_with_many_seeds() {
    many::<Table>();
}

#[test]
#[ignore = "many minutes: ci/long runs it"]
fn keys_and_values_lose_nothing_with_many_seeds() {
    many::<KeyValue>();
}

#[test]
fn a_flush_left_out_is_found_in_a_table() {
    flushes_left_out::<Table>(6);
}

#[test]
fn a_flush_left_out_is_found_in_keys_and_values() {
    flushes_left_out::<KeyValue>(5);
}
