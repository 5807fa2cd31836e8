//! Random requests of many tasks, polled in any order, dropped at any time, on a device that fails
//! here and there: each from a seed, which a failure names.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use blockdev::scheduled::{Config, Error, Queue};
use blockdev::{Fault, FaultError, FaultyDevice, Operation};

use crate::random::Random;
use crate::volatile::Volatile;

type Device = FaultyDevice<Volatile>;
type Outcome = Result<Vec<u8>, Error<FaultError<std::convert::Infallible>>>;

type Request = Pin<Box<dyn Future<Output = Outcome>>>;

#[derive(Clone, Debug)]
enum What {
    Read(usize),
    Write(Vec<u8>),
    Discard(usize),
    Flush,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applied {
    Yes,
    No,
    Maybe,
}

/// A request, by the order of submission, and what has come of it.
struct Entry {
    offset: usize,
    what: What,
    /// Which of its bytes it changed, or will have: all of them as long as nothing else is known.
    applied: Vec<Applied>,
    future: Option<Request>,
}

impl Entry {
    fn len(&self) -> usize {
        match &self.what {
            What::Read(len) | What::Discard(len) => *len,
            What::Write(bytes) => bytes.len(),
            What::Flush => 0,
        }
    }

    /// What it makes of the byte at `at`, if it changes it, and whether it surely does.
    fn value(&self, at: usize) -> Option<(u8, bool)> {
        let index = at.checked_sub(self.offset)?;
        let applied = *self.applied.get(index)?;
        let value = match &self.what {
            What::Write(bytes) => bytes[index],
            What::Discard(_) => 0,
            What::Read(_) | What::Flush => return None,
        };
        (applied != Applied::No).then_some((value, applied == Applied::Yes))
    }
}

struct World {
    random: Random,
    queue: Queue<Device>,
    config: Config,
    block_size: usize,
    capacity: usize,
    bad_reads: Vec<usize>,
    bad_writes: Vec<usize>,
    log: Vec<Entry>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let block_size = 1 << random.up_to(5);
        let blocks = 4 + random.up_to(20);
        let mut device = FaultyDevice::new(Volatile::new(block_size, blocks, 1 + random.up_to(5)));
        let mut bad = |operation| {
            let count = random.up_to(2);
            let bad: Vec<usize> = (0..count).map(|_| random.up_to(blocks - 1)).collect();
            for block in &bad {
                device.inject(Fault::Block(operation, (block * block_size) as u64));
            }
            bad
        };
        let (bad_reads, bad_writes) = (bad(Operation::Read), bad(Operation::Write));
        let config = Config {
            slice: 1 + random.up_to(20_000),
            requests: 1 + random.up_to(8),
            patience: random.up_to(50_000) as u64,
        };
        Self {
            queue: Queue::with_config(device, config),
            random,
            config,
            block_size,
            capacity: block_size * blocks,
            bad_reads,
            bad_writes,
            log: Vec::new(),
        }
    }

    fn memory(&self) -> Vec<u8> {
        self.queue
            .with_device(|device| device.get_ref().memory.as_bytes().to_vec())
    }

    /// Whether byte `at` may be `byte` when the first `count` requests have been done, and no others.
    fn may_be(&self, byte: u8, at: usize, count: usize) -> bool {
        let values = self.log[..count].iter().rev();
        for (value, surely) in values.filter_map(|entry| entry.value(at)) {
            if surely || value == byte {
                return value == byte;
            }
        }
        byte == 0
    }

    fn submit(&mut self) {
        let mut offset = self.random.up_to(self.capacity - 1);
        let mut len = self.random.up_to(self.capacity - offset);
        if self.random.up_to(1) == 0 {
            offset -= offset % self.block_size;
            len -= len % self.block_size;
        }
        len = len.max(1).min(self.capacity - offset);
        let queue = self.queue.clone();
        let at = offset as u64;
        let (what, future): (What, Request) = match self.random.up_to(9) {
            0..4 => (
                What::Read(len),
                Box::pin(async move { queue.read(at, len).await }),
            ),
            4..8 => {
                let bytes: Vec<u8> = (0..len).map(|_| self.random.up_to(255) as u8).collect();
                let write = bytes.clone();
                (
                    What::Write(bytes),
                    Box::pin(async move { queue.write(at, write).await }),
                )
            }
            8 => {
                offset -= offset % self.block_size;
                len = len
                    .next_multiple_of(self.block_size)
                    .min(self.capacity - offset);
                let (at, count) = (offset as u64, len as u64);
                (
                    What::Discard(len),
                    Box::pin(async move { queue.discard(at, count).await.map(|()| Vec::new()) }),
                )
            }
            _ => (
                What::Flush,
                Box::pin(async move { queue.flush().await.map(|()| Vec::new()) }),
            ),
        };
        let len = if matches!(what, What::Flush) { 0 } else { len };
        let mut entry = Entry {
            offset,
            what,
            applied: vec![Applied::Yes; len],
            future: Some(future),
        };
        if matches!(entry.what, What::Write(_)) && self.may_fail(&entry) {
            entry.applied.fill(Applied::Maybe);
        }
        assert!(poll(&mut entry).is_none(), "others go first");
        self.log.push(entry);
    }

    /// Polls a request that is not done.
    fn poll(&mut self, index: usize) {
        let before = self.transferred();
        let outcome = poll(&mut self.log[index]);
        let moved = self.transferred() - before;
        // A block that changes in part is both read and written, and a transfer of several requests
        // that fails is done again.
        let most = 2 * self.config.slice.max(self.block_size);
        assert!(moved <= most, "{moved} bytes at once, of {most}");
        if let Some(outcome) = outcome {
            self.log[index].future = None;
            self.check(index, outcome);
        }
    }

    fn transferred(&self) -> usize {
        self.queue
            .with_device(|device| device.get_ref().transferred)
    }

    /// Whether a block of a request is among these.
    fn touches(&self, entry: &Entry, bad: &[usize]) -> bool {
        let first = entry.offset / self.block_size;
        let last = (entry.offset + entry.len() - 1) / self.block_size;
        bad.iter().any(|block| (first..=last).contains(block))
    }

    fn may_fail(&self, entry: &Entry) -> bool {
        self.touches(entry, &self.bad_writes) || self.touches(entry, &self.bad_reads)
    }

    fn check(&mut self, index: usize, outcome: Outcome) {
        let entry = &self.log[index];
        match (&entry.what, outcome) {
            (What::Read(_), Ok(bytes)) => {
                assert!(!self.touches(entry, &self.bad_reads));
                assert_eq!(bytes.len(), entry.len());
                for (at, byte) in (entry.offset..).zip(bytes) {
                    assert!(self.may_be(byte, at, index), "byte {at} of read {index}");
                }
            }
            (What::Read(_), Err(_)) => assert!(self.touches(entry, &self.bad_reads)),
            (What::Write(bytes), Ok(back)) => {
                assert_eq!(*bytes, back);
                assert!(!self.touches(entry, &self.bad_writes));
                self.log[index].applied.fill(Applied::Yes);
            }
            (What::Write(_), Err(_)) => assert!(self.may_fail(entry)),
            (What::Discard(_), outcome) => assert!(outcome.is_ok()),
            (What::Flush, outcome) => {
                assert!(outcome.is_ok());
                self.check_durable(index);
            }
        }
    }

    /// After the flush `index` each byte that is durable is as the requests before it made it, or one
    /// behind it.
    fn check_durable(&self, index: usize) {
        let durable = self
            .queue
            .with_device(|device| device.get_ref().durable.clone());
        for (at, byte) in durable.into_iter().enumerate() {
            let mut later = self.log[index..].iter().filter_map(|entry| entry.value(at));
            assert!(
                self.may_be(byte, at, index) || later.any(|(value, _)| value == byte),
                "byte {at} after flush {index}"
            );
        }
    }

    /// Drops a request that nobody has heard of yet.
    fn cancel(&mut self, index: usize) {
        let pending = self.queue.pending();
        self.log[index].future = None;
        let was_done = self.queue.pending() == pending;
        let entry = &self.log[index];
        match &entry.what {
            What::Read(_) | What::Flush => {}
            What::Discard(_) if was_done => {}
            What::Discard(_) => self.log[index].applied.fill(Applied::No),
            What::Write(_) if was_done || self.may_fail(entry) => {}
            // None behind it that touches the same blocks has begun: the device tells how far it has
            // come, which is to the end of a block.
            What::Write(bytes) => {
                let memory = self.memory();
                let same = |at: &usize| memory[entry.offset + at] == bytes[*at];
                let mut done = (0..bytes.len()).take_while(same).count();
                if done < bytes.len() {
                    done -= ((entry.offset + done) % self.block_size).min(done);
                }
                let waits = self.log[..index].iter().any(|it| self.is_before(it, entry));
                let there = memory[..entry.offset + bytes.len()].iter().enumerate();
                for (at, byte) in there.skip(entry.offset + done) {
                    let old = waits || self.may_be(*byte, at, index);
                    assert!(old, "byte {at} of write {index}, which was dropped");
                }
                let applied = &mut self.log[index].applied;
                applied[done..].fill(Applied::No);
                if waits {
                    // It may not have begun, and the same bytes may have been there.
                    applied[..done].fill(Applied::Maybe);
                }
            }
        }
    }

    /// Whether `entry`, of which nobody has heard yet, changes what `later` touches.
    fn is_before(&self, entry: &Entry, later: &Entry) -> bool {
        let blocks = |entry: &Entry| {
            let end = entry.offset + entry.len();
            entry.offset / self.block_size..end.div_ceil(self.block_size)
        };
        let (first, second) = (blocks(entry), blocks(later));
        entry.future.is_some() && first.start < second.end && second.start < first.end
    }

    /// Those that are not done.
    fn open(&self) -> Vec<usize> {
        let open = self.log.iter().enumerate();
        open.filter(|(_, entry)| entry.future.is_some())
            .map(|(index, _)| index)
            .collect()
    }
}

/// Polls a request; its outcome, when it is done.
fn poll(entry: &mut Entry) -> Option<Outcome> {
    let future = entry.future.as_mut().expect("it is not done");
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

#[test]
fn each_sees_what_was_before_it_and_nothing_else() {
    let (mut reads, mut failures, mut dropped) = (0, 0, 0);
    for seed in 0..1500 {
        let mut world = World::new(seed);
        println!("seed {seed}");
        let count = 10 + world.random.up_to(40);
        let most_open = 1 + world.random.up_to(12);
        loop {
            let open = world.open();
            let submits = world.log.len() < count && open.len() < most_open;
            if open.is_empty() && !submits {
                break;
            }
            if submits && (open.is_empty() || world.random.up_to(1) == 0) {
                world.submit();
                continue;
            }
            let index = open[world.random.up_to(open.len() - 1)];
            if world.random.up_to(19) == 0 {
                world.cancel(index);
                dropped += 1;
            } else {
                world.poll(index);
                let entry = &world.log[index];
                let done = entry.future.is_none();
                reads += usize::from(done && matches!(entry.what, What::Read(_)));
                failures += usize::from(done && entry.applied.contains(&Applied::Maybe));
            }
        }
        assert_eq!(world.queue.pending(), 0);
        for (at, byte) in world.memory().into_iter().enumerate() {
            assert!(world.may_be(byte, at, world.log.len()), "byte {at}");
        }
        assert!(world.queue.try_into_inner().is_ok());
    }
    assert!(reads > 10_000 && failures > 500 && dropped > 1000);
}
