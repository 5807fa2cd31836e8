//! Flushes that the device goes on with by itself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use blockdev::scheduled::Queue;
use blockdev::{BlockDevice, Error, Geometry, MemoryDevice, SectorDevice, Unsynced};

use super::{Wakes, at, block_on, submit};
use crate::recorder::{BLOCK, Broken};

type Ended = Result<(), Broken>;
type Outcome = Result<(), Error<Arc<Broken>>>;

/// A device whose flushes end when the test says so.
struct Slow {
    memory: MemoryDevice,
    /// What each flush has found, and what came of it.
    flushes: Vec<(Vec<u8>, Option<Ended>)>,
    waiting: Vec<Waker>,
}

impl Slow {
    fn new() -> Self {
        Self {
            memory: MemoryDevice::new(BLOCK, 32).unwrap(),
            flushes: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn end(&mut self, outcome: Result<(), Broken>) {
        let goes_on = self.flushes.iter_mut().find(|(_, ended)| ended.is_none());
        goes_on.expect("one was begun").1 = Some(outcome);
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl SectorDevice for Slow {
    type Error = Broken;

    fn geometry(&self) -> Geometry {
        self.memory.geometry()
    }

    fn read_blocks(&mut self, offset: u64, blocks: &mut [u8]) -> Result<(), Broken> {
        let Ok(()) = self.memory.read_blocks(offset, blocks);
        Ok(())
    }

    fn write_blocks(&mut self, offset: u64, blocks: &[u8]) -> Result<(), Broken> {
        let Ok(()) = self.memory.write_blocks(offset, blocks);
        Ok(())
    }

    fn can_flush(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), Broken> {
        unreachable!("nobody waits")
    }

    fn begin_flush(&mut self) -> Result<u64, Broken> {
        self.flushes.push((self.memory.as_bytes().to_vec(), None));
        Ok(self.flushes.len() as u64 - 1)
    }

    fn poll_flush(&mut self, number: u64, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self.flushes[number as usize].1 {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.waiting.push(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn discard(&mut self, _: u64, _: u64) -> Result<(), Broken> {
        unreachable!("it cannot")
    }
}

/// A future, and how often it was woken.
struct Task<'a> {
    future: Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a> Task<'a> {
    /// A flush, polled until it sleeps.
    fn asleep(queue: &'a Queue<Slow>) -> Self {
        let mut task = Self {
            future: submit(queue.flush()),
            wakes: Arc::default(),
        };
        for _ in 0..10 {
            task.wakes.0.store(0, Ordering::Relaxed);
            assert!(task.poll().is_pending());
            if task.wakes() == 0 {
                return task;
            }
        }
        panic!("it never sleeps")
    }

    fn poll(&mut self) -> Poll<Outcome> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

fn flushes(queue: &Queue<Slow>) -> usize {
    queue.with_device(|device| device.flushes.len())
}

#[test]
fn others_go_on_and_later_flushes_share_the_next() {
    let queue = Queue::new(Slow::new());
    block_on(queue.write(0, vec![1; BLOCK])).unwrap();
    let mut first = Task::asleep(&queue);
    assert_eq!(flushes(&queue), 1);
    block_on(queue.write(at(1), vec![2; BLOCK])).unwrap();
    assert_eq!(block_on(queue.read(0, 1)), Ok(vec![1]));
    let mut second = Task::asleep(&queue);
    let mut third = Task::asleep(&queue);
    assert_eq!((flushes(&queue), queue.pending()), (1, 3));

    queue.with_device(|device| device.end(Ok(())));
    assert!(first.wakes() > 0 && second.wakes() > 0 && third.wakes() > 0);
    // Whoever is polled first, those of the first are done, and the next one begins.
    assert!(second.poll().is_pending());
    assert_eq!(first.poll(), Poll::Ready(Ok(())));
    while flushes(&queue) == 1 {
        assert!(second.poll().is_pending());
    }
    assert!(third.poll().is_pending());
    queue.with_device(|device| {
        assert_eq!(device.flushes[0].0[at(1) as usize], 0);
        assert_eq!(device.flushes[1].0[at(1) as usize], 2);
        device.end(Err(Broken));
    });
    for task in [&mut second, &mut third] {
        let Poll::Ready(Err(error)) = task.poll() else {
            panic!("it has ended, and failed");
        };
        assert_eq!(error.to_string(), "flush failed: broken on purpose",);
    }
    assert_eq!((flushes(&queue), queue.pending()), (2, 0));
}

#[test]
fn the_end_of_a_flush_is_for_those_alone_who_wait_for_it() {
    let queue = Queue::new(Slow::new());
    let mut flush = Task::asleep(&queue);
    let asked = |queue: &Queue<Slow>| queue.with_device(|device| device.waiting.len());
    let before = asked(&queue);
    for _ in 0..100 {
        assert_eq!(block_on(queue.read(0, 1)), Ok(vec![0]));
    }
    assert_eq!(asked(&queue), before);
    queue.with_device(|device| device.end(Ok(())));
    assert_eq!(block_on(queue.read(0, 1)), Ok(vec![0]));
    assert!(flush.wakes() > 0);
    assert_eq!(flush.poll(), Poll::Ready(Ok(())));
}

#[test]
fn a_flush_that_is_given_up_keeps_nobody_waiting() {
    let queue = Queue::new(Slow::new());
    let first = Task::asleep(&queue);
    let mut second = Task::asleep(&queue);
    drop(first);
    assert_eq!(queue.pending(), 1);
    queue.with_device(|device| device.end(Ok(())));
    while flushes(&queue) == 1 {
        assert!(second.wakes() > 0);
        assert!(second.poll().is_pending());
    }
    queue.with_device(|device| device.end(Ok(())));
    assert_eq!(second.poll(), Poll::Ready(Ok(())));
}

/// Every device that is around another hands it on.
#[test]
fn a_device_around_another_goes_on_with_it_too() {
    let device = Unsynced::new(blockdev::FaultyDevice::new(Slow::new()));
    let mut disk = BlockDevice::new(blockdev::Cached::new(
        device,
        blockdev::CacheConfig::default(),
    ));
    disk.write_at(0, &[3; BLOCK]).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut flush = Box::pin(disk.flush_yielding());
    assert!(flush.as_mut().poll(&mut context).is_pending());
    drop(flush);
    let number = disk.begin_flush().unwrap();
    assert!(disk.poll_flush(number, &mut context).is_pending());
    let slow = disk.get_mut().get_mut().get_mut().get_mut();
    assert_eq!(slow.flushes[0].0[..BLOCK], [3; BLOCK]);
    slow.end(Ok(()));
    slow.end(Err(Broken));
    assert!(matches!(
        disk.poll_flush(number, &mut context),
        Poll::Ready(Err(_))
    ));
    let number = number - 1;
    assert!(matches!(
        disk.poll_flush(number, &mut context),
        Poll::Ready(Ok(()))
    ));
}
