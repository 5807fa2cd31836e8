//! Scheduled access: order, what is done at once, room, flushes, failures, cancellation.

mod flushes;
mod model;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use blockdev::scheduled::{Config, Queue};
use blockdev::{Error, Operation};

use crate::recorder::Call::{Discard, Flush, Read, Write};
use crate::recorder::{BLOCK, Broken, Call, Recorder};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once; what is pending must have woken.
fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Poll<T> {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let outcome = future.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(outcome.is_ready() || wakes.0.load(Ordering::Relaxed) == 1);
    outcome
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(future);
    for _ in 0..1000 {
        if let Poll::Ready(outcome) = poll(&mut future) {
            return outcome;
        }
    }
    panic!("it is never done");
}

/// Submits a request.
fn submit<'a, T>(future: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    let mut future: Pin<Box<dyn Future<Output = T> + 'a>> = Box::pin(future);
    assert!(poll(&mut future).is_pending(), "others go first");
    future
}

fn recorder(blocks: usize, max_blocks: usize) -> Recorder {
    let mut recorder = Recorder::new(blocks);
    recorder.max_blocks = max_blocks;
    recorder.can_discard = true;
    recorder
}

fn calls(queue: &Queue<Recorder>) -> Vec<Call> {
    queue.with_device(|device| std::mem::take(&mut device.calls))
}

fn at(block: u64) -> u64 {
    block * BLOCK as u64
}

/// A queue whose slice is as large as it may be.
fn queue(max_blocks: usize) -> Queue<Recorder> {
    let config = Config {
        slice: usize::MAX,
        ..Config::default()
    };
    Queue::with_config(recorder(32, max_blocks), config)
}

#[test]
fn bytes_are_read_as_they_were_written() {
    let queue = queue(4);
    let bytes: Vec<u8> = (0..1500_u32).map(|i| i as u8).collect();
    let back = block_on(queue.write(300, bytes.clone())).unwrap();
    assert_eq!(back, bytes, "the buffer comes back");
    assert_eq!(
        calls(&queue),
        [
            Read(0, 1),
            Write(0, 1),
            Write(1, 2),
            Read(3, 1),
            Write(3, 1)
        ]
    );
    assert_eq!(block_on(queue.read(300, 1500)), Ok(bytes.clone()));
    assert_eq!(
        block_on(queue.read_into(301, vec![9; 3])),
        Ok(bytes[1..4].to_vec())
    );
    assert_eq!(block_on(queue.read(1800, 2)), Ok(vec![0; 2]));
    assert_eq!(queue.pending(), 0);
    assert_eq!((queue.capacity(), queue.block_size()), (at(32), BLOCK));
}

#[test]
fn requests_go_upwards_and_then_from_the_lowest() {
    let queue = queue(1);
    block_on(queue.read(at(9), BLOCK)).unwrap();
    calls(&queue);
    let requests = [3, 20, 12, 7, 31, 10].map(|block| submit(queue.read(at(block), BLOCK)));
    for request in requests {
        block_on(request).unwrap();
    }
    let order = [10, 12, 20, 31, 3, 7].map(|block| Read(block, 1));
    assert_eq!(calls(&queue), order);
}

#[test]
fn requests_that_follow_each_other_are_one_transfer() {
    let queue = queue(4);
    let blocks = [5, 2, 4, 3, 1, 9, 6];
    let writes = blocks.map(|block| submit(queue.write(at(block), vec![block as u8; BLOCK])));
    for write in writes {
        block_on(write).unwrap();
    }
    assert_eq!(calls(&queue), [Write(1, 4), Write(5, 2), Write(9, 1)]);
    let reads = blocks.map(|block| submit(queue.read(at(block), BLOCK)));
    // Neither with what is written, nor with a part of a block.
    let write = submit(queue.write(at(7), vec![7; BLOCK]));
    let part = submit(queue.read(at(10), 1));
    for (block, read) in blocks.into_iter().zip(reads) {
        assert_eq!(block_on(read), Ok(vec![block as u8; BLOCK]));
    }
    block_on(write).unwrap();
    assert_eq!(block_on(part), Ok(vec![0]));
    assert_eq!(
        calls(&queue),
        // From behind block 9 on.
        [Read(10, 1), Read(1, 4), Read(5, 2), Write(7, 1), Read(9, 1)]
    );
}

#[test]
fn a_slice_is_done_at_once_and_no_more() {
    let config = Config {
        slice: 8 * BLOCK,
        ..Config::default()
    };
    let queue = Queue::with_config(recorder(64, 16), config);
    let mut read = submit(queue.read(0, 20 * BLOCK));
    for done in [8, 16] {
        assert!(poll(&mut read).is_pending());
        assert_eq!(calls(&queue), [Read(done - 8, 8)]);
    }
    assert!(poll(&mut read).is_ready());
    assert_eq!(calls(&queue), [Read(16, 4)]);

    // Calls are dear: two of a block each are not done at once.
    let mut first = submit(queue.read(at(20), BLOCK));
    let mut second = submit(queue.read(at(30), BLOCK));
    assert!(poll(&mut first).is_ready());
    assert_eq!(calls(&queue), [Read(20, 1)]);
    assert!(poll(&mut second).is_ready());

    // What fits in the rest of a slice joins; what does not is not cut for it.
    let first = submit(queue.write(at(32), vec![1; 5 * BLOCK]));
    let second = submit(queue.write(at(37), vec![1; 4 * BLOCK]));
    block_on(first).unwrap();
    block_on(second).unwrap();
    assert_eq!(calls(&queue)[1..], [Write(32, 5), Write(37, 4)]);
}

#[test]
fn who_was_overtaken_by_too_much_goes_first() {
    let config = Config {
        slice: 8 * BLOCK,
        patience: at(24),
        ..Config::default()
    };
    let queue = Queue::with_config(recorder(256, 8), config);
    block_on(queue.read(at(1), BLOCK)).unwrap();
    // A stream that is always ahead of the head, in front of which there is one request.
    let mut low = submit(queue.read(0, BLOCK));
    let mut stream = submit(queue.read(at(2), 100 * BLOCK));
    calls(&queue);
    for slice in 0..3 {
        assert!(poll(&mut stream).is_pending());
        assert_eq!(calls(&queue), [Read(2 + 8 * slice, 8)]);
    }
    assert!(poll(&mut stream).is_pending());
    assert_eq!(calls(&queue), [Read(0, 1)]);
    assert!(poll(&mut low).is_ready());
}

#[test]
fn what_touches_the_same_block_is_done_in_order() {
    let queue = queue(8);
    let before = submit(queue.read(at(4), BLOCK));
    let first = submit(queue.write(at(4) + 10, vec![1; 2 * BLOCK]));
    let between = submit(queue.read(at(5), BLOCK));
    let second = submit(queue.write(at(3), vec![2; 2 * BLOCK]));
    let gone = submit(queue.discard(at(5), at(1)));
    let after = submit(queue.read(at(3), 3 * BLOCK));
    // In the reverse order of their submission, as far as who asks is concerned.
    let after = block_on(after).unwrap();
    assert_eq!(after[..2 * BLOCK], [2; 2 * BLOCK]);
    assert_eq!(after[2 * BLOCK..], [0; BLOCK], "discarded");
    block_on(gone).unwrap();
    block_on(second).unwrap();
    assert_eq!(block_on(between).unwrap(), [1; BLOCK]);
    block_on(first).unwrap();
    assert_eq!(block_on(before).unwrap(), [0; BLOCK]);
}

#[test]
fn a_request_waits_for_a_place_in_its_order() {
    let config = Config {
        requests: 2,
        slice: usize::MAX,
        ..Config::default()
    };
    let queue = Queue::with_config(recorder(32, 1), config);
    let requests = [8, 6, 4, 2].map(|block| submit(queue.write(at(block), vec![1; BLOCK])));
    assert_eq!(queue.pending(), 4);
    for request in requests {
        block_on(request).unwrap();
    }
    assert_eq!(calls(&queue), [6, 8, 2, 4].map(|block| Write(block, 1)));
}

#[test]
fn flushes_wait_for_what_was_written_before_and_share_one() {
    let queue = queue(1);
    let write = submit(queue.write(at(9), vec![1; BLOCK]));
    let first = submit(queue.flush());
    let late = submit(queue.write(at(3), vec![1; BLOCK]));
    let second = submit(queue.flush());
    block_on(first).unwrap();
    block_on(second).unwrap();
    assert_eq!(calls(&queue), [Write(3, 1), Write(9, 1), Flush]);
    block_on(late).unwrap();
    block_on(write).unwrap();

    // What was asked for later is not waited for.
    let flush = submit(queue.flush());
    let late = submit(queue.write(at(3), vec![1; BLOCK]));
    block_on(flush).unwrap();
    assert_eq!(calls(&queue), [Flush]);
    drop(late);

    queue.with_device(|device| device.broken = Some(Flush));
    let first = submit(queue.flush());
    let second = submit(queue.flush());
    for flush in [second, first] {
        let error = block_on(flush).unwrap_err();
        assert_eq!(error.to_string(), "flush failed: broken on purpose");
    }
    assert_eq!(calls(&queue), [Flush]);
    queue.with_device(|device| device.can_flush = false);
    assert_eq!(block_on(queue.flush()), Err(Error::CannotFlush));
    assert_eq!(calls(&queue), []);
}

#[test]
fn who_failed_is_told_and_nobody_else() {
    let queue = queue(8);
    queue.with_device(|device| device.broken = Some(Write(4, 1)));
    let writes = [3, 4, 5].map(|block| submit(queue.write(at(block), vec![1; BLOCK])));
    let outcomes = writes.map(block_on);
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(calls(&queue), [Write(3, 3)]);

    queue.with_device(|device| device.broken = Some(Write(3, 3)));
    let writes = [3, 4, 5].map(|block| submit(queue.write(at(block), vec![2; BLOCK])));
    assert!(writes.map(block_on).iter().all(Result::is_ok), "each alone");
    let alone = [Write(3, 3), Write(3, 1), Write(4, 1), Write(5, 1)];
    assert_eq!(calls(&queue), alone);
}

#[test]
fn a_failure_names_the_transfer() {
    let queue = queue(8);
    queue.with_device(|device| device.broken = Some(Read(2, 1)));
    let error = block_on(queue.write(at(2) + 1, vec![1; BLOCK])).unwrap_err();
    let expected = Error::Device {
        operation: Operation::Read,
        offset: at(2),
        len: BLOCK as u64,
        source: Arc::new(Broken),
    };
    assert_eq!(error, expected);
    queue.with_device(|device| device.broken = Some(Discard(2, 3)));
    let error = block_on(queue.discard(at(2), at(3))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "discard of 1536 bytes at offset 1024 failed: broken on purpose"
    );
    let outside = block_on(queue.read(at(32), 1)).unwrap_err();
    assert!(matches!(outside, Error::OutOfBounds { .. }));
    let outside = block_on(queue.write(at(31), vec![0; BLOCK + 1])).unwrap_err();
    assert!(matches!(outside, Error::OutOfBounds { .. }));
    let odd = block_on(queue.discard(1, 512)).unwrap_err();
    assert!(matches!(odd, Error::Misaligned { .. }));
    calls(&queue);
    assert_eq!(block_on(queue.read(at(32), 0)), Ok(Vec::new()));
    assert_eq!(block_on(queue.write(5, Vec::new())), Ok(Vec::new()));
    assert_eq!(block_on(queue.discard(0, 0)), Ok(()));
    assert_eq!(calls(&queue), [], "there is nothing to do");
}

#[test]
fn a_request_that_is_dropped_is_taken_back() {
    let config = Config {
        slice: 2 * BLOCK,
        requests: 2,
        ..Config::default()
    };
    let queue = Queue::with_config(recorder(32, 8), config);
    let mut write = submit(queue.write(at(1), vec![1; 5 * BLOCK]));
    let overlapping = submit(queue.write(at(2), vec![2; BLOCK]));
    let waiting = submit(queue.write(at(9), vec![3; BLOCK]));
    let flush = submit(queue.flush());
    assert!(poll(&mut write).is_pending());
    assert_eq!(calls(&queue), [Write(1, 2)]);
    drop(write);
    drop(waiting);
    block_on(flush).unwrap();
    assert_eq!(calls(&queue), [Write(2, 1), Flush]);
    // Done, but nobody has asked: it has happened all the same.
    drop(overlapping);
    assert_eq!(queue.pending(), 0);
    let bytes = queue.with_device(|device| device.memory.as_bytes().to_vec());
    let blocks: Vec<u8> = bytes.chunks(BLOCK).map(|block| block[0]).collect();
    assert_eq!(blocks[..10], [0, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
    let device = queue.try_into_inner().unwrap();
    assert_eq!(device.calls, []);
}

#[test]
fn who_is_not_polled_keeps_nobody_waiting() {
    let config = Config {
        requests: 1,
        slice: BLOCK,
        ..Config::default()
    };
    let queue = Queue::with_config(recorder(32, 8), config);
    let forgotten = submit(queue.write(0, vec![1; 9 * BLOCK]));
    let also = submit(queue.write(0, vec![2; BLOCK]));
    assert_eq!(block_on(queue.read(0, BLOCK)), Ok(vec![2; BLOCK]));
    let other = queue.clone();
    drop((forgotten, also));
    assert!(queue.try_into_inner().is_err(), "there is another handle");
    assert!(other.try_into_inner().is_ok());
}

#[test]
fn a_request_is_polled_to_its_end_without_an_executor() {
    let queue = queue(8);
    let mut read = pin!(queue.read(0, BLOCK));
    let mut context = Context::from_waker(Waker::noop());
    assert!(read.as_mut().poll(&mut context).is_pending());
    assert!(format!("{queue:?}").contains("pending: 1"));
    assert!(read.as_mut().poll(&mut context).is_ready());
}
