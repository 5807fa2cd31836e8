//! Keys and values on a device that fails, fills up and loses power: what was acknowledged or shown is there
//! afterwards, and nothing else is.
#![cfg(feature = "store")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::ops::Bound;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use blockdev::{BlockDevice, Fault, FaultyDevice, Geometry, MemoryDevice, Operation, SectorDevice};
use futures_lite::future::{block_on, or};
use mkernel::store::{Batch, Kv, Options, StoreError};

/// Keys that there are.
const KEYS: u8 = 40;

/// A device in memory that loses what was not flushed when it loses power.
struct Volatile {
    now: MemoryDevice,
    flushed: Vec<u8>,
    /// Offsets of blocks written since the last flush.
    unflushed: BTreeSet<u64>,
    /// The flushes that were begun, by their numbers.
    flushes: Vec<Begun>,
}

/// A flush that goes on.
#[derive(Default)]
struct Begun {
    /// The blocks that it makes durable, as they were when it was begun; none when it has ended.
    blocks: BTreeMap<u64, Vec<u8>>,
    /// How often is asked after it before it has ended.
    polls: u8,
}

impl Volatile {
    fn new(block_size: usize, blocks: usize) -> Self {
        let now = MemoryDevice::new(block_size, blocks).expect("the sizes are right");
        Self {
            flushed: now.as_bytes().to_vec(),
            now,
            unflushed: BTreeSet::new(),
            flushes: Vec::new(),
        }
    }

    /// Of what was not flushed, a part is lost, and with it the flushes that go on.
    fn lose_power(&mut self, random: &mut fastrand::Rng) {
        let block_size = self.now.geometry().block_size();
        self.flushes.clear();
        for offset in std::mem::take(&mut self.unflushed) {
            let block = offset as usize..offset as usize + block_size;
            if random.bool() {
                let Ok(()) = self.now.write_blocks(offset, &self.flushed[block]);
            } else {
                self.flushed[block.clone()].copy_from_slice(&self.now.as_bytes()[block]);
            }
        }
    }
}

impl SectorDevice for Volatile {
    type Error = std::convert::Infallible;

    fn geometry(&self) -> Geometry {
        self.now.geometry()
    }

    fn max_transfer(&self) -> usize {
        self.now.max_transfer()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Self::Error> {
        self.now.read_blocks(offset, blocks)
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Self::Error> {
        let block_size = self.geometry().block_size();
        let offsets = (offset..offset + blocks.len() as u64).step_by(block_size);
        self.unflushed.extend(offsets);
        self.now.write_blocks(offset, blocks)
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        let block_size = self.now.geometry().block_size();
        for offset in std::mem::take(&mut self.unflushed) {
            let block = offset as usize..offset as usize + block_size;
            self.flushed[block.clone()].copy_from_slice(&self.now.as_bytes()[block]);
        }
        // Those that go on have nothing left to do.
        self.flushes
            .iter_mut()
            .for_each(|begun| begun.blocks.clear());
        Ok(())
    }

    fn begin_flush(&mut self) -> Result<u64, Self::Error> {
        let block_size = self.now.geometry().block_size();
        let blocks = self.unflushed.iter().map(|&offset| {
            let block = offset as usize..offset as usize + block_size;
            (offset, self.now.as_bytes()[block].to_vec())
        });
        let begun = Begun {
            blocks: blocks.collect(),
            polls: 3,
        };
        self.flushes.push(begun);
        Ok(self.flushes.len() as u64 - 1)
    }

    fn poll_flush(
        &mut self,
        number: u64,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        let begun = &mut self.flushes[number as usize];
        if begun.polls > 0 {
            begun.polls -= 1;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        for (offset, bytes) in std::mem::take(&mut begun.blocks) {
            let block = offset as usize..offset as usize + bytes.len();
            if self.now.as_bytes()[block.clone()] == bytes {
                self.unflushed.remove(&offset);
            }
            self.flushed[block].copy_from_slice(&bytes);
        }
        Poll::Ready(Ok(()))
    }

    fn discard(&mut self, _: u64, _: u64) -> Result<(), Self::Error> {
        unreachable!("it cannot discard")
    }
}

/// A device that is still there when the store on it is gone.
type Kept = Arc<Mutex<FaultyDevice<Volatile>>>;

type Value = Option<Vec<u8>>;
type Committer = Pin<Box<dyn Future<Output = ()>>>;

/// What each key may have: one value, but for what failed or was cancelled since.
#[derive(Default)]
struct Model(BTreeMap<u8, Vec<Value>>);

impl Model {
    fn may_be(&mut self, key: u8) -> &mut Vec<Value> {
        self.0.entry(key).or_insert_with(|| vec![None])
    }

    /// `value` was found: from now on nothing else is right.
    fn found(&mut self, key: u8, value: Value, when: &str) {
        let may_be = self.may_be(key);
        assert!(
            may_be.contains(&value),
            "{when}: key {key} has {:?}, may have {:?}",
            summary(&value),
            may_be.iter().map(summary).collect::<Vec<_>>()
        );
        *may_be = vec![value];
    }

    fn found_all(&mut self, entries: Vec<(Vec<u8>, Vec<u8>)>, when: &str) {
        let mut entries: BTreeMap<u8, Vec<u8>> = entries
            .into_iter()
            .map(|(key, value)| (key[0], value))
            .collect();
        for key in 0..KEYS {
            self.found(key, entries.remove(&key), when);
        }
        assert_eq!(entries, BTreeMap::new(), "{when}: keys that nobody wrote");
    }
}

fn summary(value: &Value) -> Option<(usize, Option<u8>)> {
    value
        .as_ref()
        .map(|value| (value.len(), value.first().copied()))
}

fn open(device: &Kept) -> Result<(Kv<Kept>, Committer), String> {
    let mut options = Options::default();
    options.cache_bytes = 256 << 10;
    let (kv, committer) =
        Kv::open(BlockDevice::new(device.clone()), &options).map_err(|error| error.to_string())?;
    Ok((kv, Box::pin(committer)))
}

/// How a run is.
#[derive(Clone, Copy)]
struct Course {
    /// Of 100 steps so many inject a fault.
    faults: u8,
    /// Most bytes of a value.
    most: usize,
}

struct Run {
    random: fastrand::Rng,
    course: Course,
    device: Kept,
    model: Model,
    serial: u8,
    full: usize,
    acknowledged: usize,
    failed: usize,
}

impl Run {
    fn device(&self) -> MutexGuard<'_, FaultyDevice<Volatile>> {
        self.device.lock().expect("no test has panicked with it")
    }

    fn changes(&mut self) -> Vec<(u8, Value)> {
        let random = &mut self.random;
        let deletes = random.u8(..4) == 0;
        (0..random.usize(1..4))
            .map(|_| {
                let key = random.u8(..KEYS);
                self.serial = self.serial.wrapping_add(1);
                let len = match random.u8(..4) {
                    0 => random.usize(..self.course.most),
                    1 => random.usize(..self.course.most.min(5000)),
                    _ => random.usize(..self.course.most.min(100)),
                };
                (key, (!deletes).then(|| vec![self.serial; len]))
            })
            .collect()
    }

    /// Several commits at once, some of which are cancelled.
    fn commit(&mut self, kv: &Kv<Kept>, committer: &mut Committer) {
        let all: Vec<_> = (0..self.random.usize(1..4))
            .map(|_| self.changes())
            .collect();
        let cancelled: Vec<_> = all.iter().map(|_| self.random.u8(..16) == 0).collect();
        let batches = all.iter().map(|changes| {
            let mut batch = Batch::new();
            for (key, value) in changes {
                match value {
                    Some(value) => batch.put(&[*key], value),
                    None => batch.delete(&[*key]),
                }
                .expect("they fit");
            }
            batch
        });
        let mut commits: Vec<_> = batches
            .map(|batch| Some(Box::pin(kv.commit(batch))))
            .collect();
        let mut outcomes: Vec<_> = commits.iter().map(|_| None).collect();
        let wait = poll_fn(|context| {
            for (index, slot) in commits.iter_mut().enumerate() {
                let Some(commit) = slot else { continue };
                if let Poll::Ready(outcome) = commit.as_mut().poll(context) {
                    outcomes[index] = Some(outcome);
                    *slot = None;
                } else if cancelled[index] {
                    *slot = None;
                }
            }
            match commits.iter().all(Option::is_none) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        block_on(or(wait, committer));
        for (changes, outcome) in all.into_iter().zip(outcomes) {
            let last: BTreeMap<_, _> = changes.into_iter().collect();
            match outcome {
                Some(Ok(())) => {
                    self.acknowledged += 1;
                    for (key, value) in last {
                        *self.model.may_be(key) = vec![value];
                    }
                }
                Some(Err(error)) if matches!(error.get_ref(), StoreError::Full { .. }) => {
                    self.full += 1;
                }
                failed_or_cancelled => {
                    self.failed += usize::from(failed_or_cancelled.is_some());
                    for (key, value) in last {
                        self.model.may_be(key).push(value);
                    }
                }
            }
        }
    }

    fn break_something(&mut self) {
        let random = &mut self.random;
        let operation = [
            Operation::Read,
            Operation::Write,
            Operation::Write,
            Operation::Flush,
        ][random.usize(..4)];
        let fault = match random.u8(..6) {
            0 => Fault::All(operation),
            _ => Fault::Nth(operation, random.u64(..12)),
        };
        self.device().inject(fault);
    }

    fn go(&mut self, steps: usize) {
        let (mut kv, mut committer) = open(&self.device).expect("the device is blank");
        for step in 0..steps {
            if self.random.u8(..100) < self.course.faults {
                self.break_something();
            }
            if self.random.u8(..8) == 0 {
                self.device().repair();
            }
            match self.random.u8(..40) {
                0..25 => self.commit(&kv, &mut committer),
                25..36 => {
                    let key = self.random.u8(..KEYS);
                    if let Ok(value) = kv.get(&[key]) {
                        self.model.found(key, value, &format!("step {step}, get"));
                    }
                }
                36 | 37 => {
                    if let Ok(entries) =
                        kv.range(Bound::Unbounded, Bound::Unbounded, usize::MAX, usize::MAX)
                    {
                        self.model
                            .found_all(entries, &format!("step {step}, range"));
                    }
                }
                how => {
                    match self.random.u8(..3) {
                        // As with a kill: nothing is closed.
                        0 => std::mem::forget((kv, committer)),
                        1 => {
                            std::mem::forget((kv, committer));
                            let mut device = self.device.lock().expect("as ever");
                            device.get_mut().lose_power(&mut self.random);
                        }
                        _ => drop((committer, kv)),
                    }
                    if how == 38 {
                        // Perhaps with faults.
                        drop(open(&self.device));
                    }
                    self.device().repair();
                    (kv, committer) = open(&self.device)
                        .unwrap_or_else(|error| panic!("step {step}: not opened: {error}"));
                    let entries = kv
                        .range(Bound::Unbounded, Bound::Unbounded, usize::MAX, usize::MAX)
                        .unwrap_or_else(|error| panic!("step {step}: not read: {error}"));
                    self.model
                        .found_all(entries, &format!("step {step}, opened anew"));
                }
            }
        }
    }
}

fn run(seed: u64, bytes: usize, course: Course, steps: usize) -> Run {
    println!("seed {seed}, {bytes} bytes");
    let block_size = if seed.is_multiple_of(2) { 512 } else { 4096 };
    let device = FaultyDevice::new(Volatile::new(block_size, bytes / block_size));
    let mut run = Run {
        random: fastrand::Rng::with_seed(seed),
        course,
        device: Arc::new(Mutex::new(device)),
        model: Model::default(),
        serial: 0,
        full: 0,
        acknowledged: 0,
        failed: 0,
    };
    run.go(steps);
    println!(
        "acknowledged {}, full {}, failed {}",
        run.acknowledged, run.full, run.failed
    );
    run
}

/// Most bytes of a value.
fn most(seed: u64) -> usize {
    [500, 5000, 30_000, 70_000, 140_000, 300_000, 600_000][seed as usize % 7]
}

/// Bytes of a device, from 1 to 4 MiB.
fn bytes(seed: u64) -> usize {
    (1 << 20) + ((seed as usize * 7 % 49) << 16)
}

#[test]
fn what_was_acknowledged_survives_a_device_that_fails() {
    for seed in 0..20 {
        let course = Course {
            faults: 15,
            most: 20_000,
        };
        let run = run(seed, 1 << 20 << (seed % 3), course, 400);
        assert!(run.acknowledged > 0 && run.failed > 0);
    }
}

#[test]
fn what_was_acknowledged_has_room_on_a_full_device() {
    for seed in 0..20 {
        let course = Course {
            faults: 0,
            most: most(seed),
        };
        let run = run(seed, bytes(seed), course, 600);
        assert!(run.acknowledged > 0);
    }
}

#[test]
fn what_was_acknowledged_survives_a_full_device_that_fails() {
    // In the last, a group was refused for want of room, and was there all the same.
    for seed in (0..20).chain([264]) {
        let course = Course {
            faults: 10,
            most: most(seed),
        };
        let run = run(seed, bytes(seed), course, 600);
        assert!(run.acknowledged > 0);
    }
}
