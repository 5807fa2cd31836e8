//! Stores that were changed behind their back: nothing of ours panics, and reads and memory are bounded.
//!
//! The input says which of a few stores it begins with, and what is written over it: places, as three octets, lengths
//! of one octet, and octets. Sums of the superblock and of the log are made right, unless the first octet has its
//! highest bit set.
#![no_main]

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::mem;
use std::ops::Bound;
use std::pin::{Pin, pin};
use std::process::abort;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use mkernel::block::{BlockDevice, Geometry, blockdev};
use mkernel::store::redb::{ReadableTable, TableDefinition};
use mkernel::store::{Batch, Kv, LEAST_CAPACITY, Options, Space, Store};
use mkernel_fuzz::memory::{self, Counting};
use mkernel_fuzz::panics;

use blockdev::{MemoryDevice, SectorDevice};

/// More than any image may make us hold, beside itself.
const MAX_HELD: usize = 64 << 20;
/// More reads than any call may make.
const MAX_READS: usize = 1 << 18;
/// Where the log begins; its length is an eighth of the device.
const LOG: usize = 8192;
const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("table");

#[global_allocator]
static COUNTING: Counting = Counting;

static READS: AtomicUsize = AtomicUsize::new(0);

/// A device in memory that counts reads, and is still there when the store on it is gone.
#[derive(Clone)]
struct Device(Arc<Mutex<MemoryDevice>>);

impl Device {
    fn new(octets: Vec<u8>) -> Self {
        let memory = MemoryDevice::from_bytes(512, octets).expect("whole blocks");
        Self(Arc::new(Mutex::new(memory)))
    }

    fn with<R>(&self, work: impl FnOnce(&mut MemoryDevice) -> R) -> R {
        work(&mut self.0.lock().expect("memory does not panic"))
    }
}

impl SectorDevice for Device {
    type Error = Infallible;

    fn geometry(&self) -> Geometry {
        self.with(|memory| memory.geometry())
    }

    fn max_transfer(&self) -> usize {
        self.with(|memory| memory.max_transfer())
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Infallible> {
        if READS.fetch_add(1, Ordering::Relaxed) > MAX_READS {
            eprintln!("more than {MAX_READS} reads for one call");
            abort();
        }
        self.with(|memory| memory.read_blocks(offset, blocks))
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Infallible> {
        self.with(|memory| memory.write_blocks(offset, blocks))
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn discard(&mut self, _offset: u64, _len: u64) -> Result<(), Infallible> {
        Ok(())
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.cache_bytes = 1 << 20;
    options
}

/// The outcome of `work`, while the committer runs; none if both wait.
fn run<R>(
    work: impl Future<Output = R>,
    mut committer: Pin<&mut impl Future<Output = ()>>,
) -> Option<R> {
    let mut work = pin!(work);
    let both = poll_fn(|context| {
        let outcome = work.as_mut().poll(context);
        _ = committer.as_mut().poll(context);
        outcome
    });
    let mut both = pin!(both);
    let mut context = Context::from_waker(Waker::noop());
    (0..1000).find_map(|_| match both.as_mut().poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    })
}

fn batch(first: u8, keys: u8, len: usize) -> Batch {
    let mut batch = Batch::new();
    for key in first..first + keys {
        batch.put(&[key], &vec![key; len]).expect("it is small");
    }
    batch
}

/// What is on a device after `batches`, and after the store was closed, or not.
fn keys_and_values(batches: &[Batch], closed: bool) -> Vec<u8> {
    let device = Device::new(vec![0; LEAST_CAPACITY as usize]);
    let (kv, committer) =
        Kv::open(BlockDevice::new(device.clone()), &options()).expect("it is blank");
    let mut committer = Box::pin(committer);
    for batch in batches {
        let outcome = run(kv.commit(batch.clone()), committer.as_mut());
        outcome.expect("it is answered").expect("there is room");
    }
    let octets = || device.with(|memory| memory.as_bytes().to_vec());
    if !closed {
        return octets();
    }
    drop((committer, kv));
    octets()
}

fn table() -> Vec<u8> {
    let device = Device::new(vec![0; LEAST_CAPACITY as usize]);
    let store = Store::open(BlockDevice::new(device.clone()), &options()).expect("it is blank");
    let written = store.write(Space::Ordinary, |transaction| {
        let mut table = transaction.open_table(TABLE)?;
        for key in 0..100 {
            table.insert(key, &[1; 50][..])?;
        }
        Ok(())
    });
    written.expect("there is room");
    drop(store);
    device.with(|memory| memory.as_bytes().to_vec())
}

static STORES: LazyLock<[Vec<u8>; 6]> = LazyLock::new(|| {
    let few = [batch(0, 20, 100), batch(10, 5, 9000)];
    [
        keys_and_values(&[], true),
        keys_and_values(&few, true),
        keys_and_values(&few, false),
        keys_and_values(&[batch(0, 20, 10), batch(5, 5, 50), batch(7, 2, 0)], false),
        table(),
        vec![0; LEAST_CAPACITY as usize],
    ]
});

/// Writes the sums of what may be superblocks and records of the log.
fn make_sums_right(octets: &mut [u8]) {
    for slot in [0, 4096] {
        let sum = crc32fast::hash(&octets[slot..slot + 48]);
        octets[slot + 48..slot + 52].copy_from_slice(&sum.to_le_bytes());
    }
    let mut record = LOG;
    for _ in 0..16 {
        let Some((header, rest)) = octets[record..].split_first_chunk_mut::<32>() else {
            break;
        };
        let (covered, sum) = header.split_at_mut(28);
        let len = u32::from_le_bytes(covered[24..].try_into().expect("four octets")) as usize;
        let Some(operations) = rest.get(..len) else {
            break;
        };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(covered);
        hasher.update(operations);
        sum.copy_from_slice(&hasher.finalize().to_le_bytes());
        record += (32 + len).next_multiple_of(512);
        if record >= octets.len() {
            break;
        }
    }
}

/// The store that the input describes.
fn store(input: &[u8]) -> Option<Vec<u8>> {
    let (&which, mut patches) = input.split_first()?;
    let mut octets = STORES[usize::from(which & 0x7f) % STORES.len()].clone();
    while let Some((&[a, b, c, len], rest)) = patches.split_first_chunk() {
        let (patch, rest) = rest.split_at_checked(len.into()).unwrap_or((rest, &[]));
        let start = u32::from_be_bytes([0, a, b, c]) as usize % octets.len();
        let end = (start + patch.len()).min(octets.len());
        octets[start..end].copy_from_slice(&patch[..end - start]);
        patches = rest;
    }
    if which & 0x80 == 0 {
        make_sums_right(&mut octets);
    }
    Some(octets)
}

fn look_at_keys_and_values(device: &Device) {
    let calls_reset = || READS.store(0, Ordering::Relaxed);
    calls_reset();
    let Ok((kv, committer)) = Kv::open(BlockDevice::new(device.clone()), &options()) else {
        return;
    };
    let mut committer = Box::pin(committer);
    for key in [0, 7, 12, 200] {
        calls_reset();
        _ = kv.get(&[key]);
    }
    for _ in 0..2 {
        calls_reset();
        _ = kv.range(Bound::Unbounded, Bound::Included(&[15]), 100, 1 << 20);
        calls_reset();
        let mut all = batch(3, 9, 3000);
        all.delete(&[15]).expect("it is small");
        if run(kv.commit(all), committer.as_mut()).is_none() {
            eprintln!("a commit is never answered");
            abort();
        }
    }
    calls_reset();
    let mut all = Batch::new();
    for key in 0..30 {
        all.delete(&[key]).expect("it is small");
    }
    _ = run(kv.commit(all), committer.as_mut());
    _ = kv.usage();
}

fn look_at_table(device: &Device) {
    READS.store(0, Ordering::Relaxed);
    let Ok(store) = Store::open(BlockDevice::new(device.clone()), &options()) else {
        return;
    };
    _ = store.read(|transaction| {
        let table = transaction.open_table(TABLE)?;
        for entry in table.iter()?.take(1000) {
            entry?;
        }
        Ok(())
    });
    READS.store(0, Ordering::Relaxed);
    _ = store.write(Space::Reserve, |transaction| {
        let mut table = transaction.open_table(TABLE)?;
        table.remove(3)?;
        table.insert(1000, &[2; 2000][..])?;
        Ok(())
    });
}

fuzz_target!(|input: &[u8]| {
    // They become errors.
    panics::contain(&["/redb-"]);
    let Some(octets) = store(input) else { return };
    let table = Device::new(octets.clone());
    let keys_and_values = Device::new(octets);
    memory::limit(memory::in_use() + MAX_HELD);
    look_at_keys_and_values(&keys_and_values);
    look_at_table(&table);
    memory::limit(usize::MAX);
    mem::drop((table, keys_and_values));
});
