//! Large reads and writes that let others run.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use blockdev::{BlockDevice, Error};

use crate::recorder::Call::{Read, Write};
use crate::recorder::{BLOCK, Broken, Recorder};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls at most so many times; each poll that is pending must have woken. Returns the outcome and the number of polls.
fn poll<T>(future: impl Future<Output = T>, most: usize) -> (Option<T>, usize) {
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut future = pin!(future);
    for polls in 1..=most {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return (Some(outcome), polls);
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), polls);
    }
    (None, most)
}

#[test]
fn others_run_after_each_block() {
    let mut disk = BlockDevice::new(Recorder::new(8));
    let offset = BLOCK as u64 - 2;
    let written = poll(disk.write_at_yielding(offset, &[7; 2 * BLOCK + 4]), 9);
    assert_eq!(written, (Some(Ok(())), 4));
    let mut bytes = [0; 2 * BLOCK + 4];
    assert_eq!(
        poll(disk.read_at_yielding(offset, &mut bytes), 9),
        (Some(Ok(())), 4)
    );
    assert_eq!(bytes, [7; 2 * BLOCK + 4]);
    // What lies in one block keeps nobody waiting.
    assert_eq!(poll(disk.write_at_yielding(0, &[1; BLOCK]), 9).1, 1);
    assert_eq!(poll(disk.read_at_yielding(5, &mut []), 9).1, 1);
}

#[test]
fn a_turn_is_64_kib_at_most() {
    let mut recorder = Recorder::new(300);
    recorder.max_blocks = 200;
    let mut disk = BlockDevice::new(recorder);
    let mut bytes = vec![0; 290 * BLOCK];
    assert_eq!(
        poll(disk.read_at_yielding(BLOCK as u64, &mut bytes), 9),
        (Some(Ok(())), 3)
    );
    assert_eq!(poll(disk.write_at_yielding(0, &bytes), 9).1, 3);
    assert_eq!(
        disk.get_ref().calls,
        [
            Read(1, 128),
            Read(129, 128),
            Read(257, 34),
            Write(0, 128),
            Write(128, 128),
            Write(256, 34)
        ]
    );
}

#[test]
fn a_write_that_is_dropped_has_written_whole_blocks() {
    let mut disk = BlockDevice::new(Recorder::new(8));
    assert_eq!(
        poll(disk.write_at_yielding(BLOCK as u64, &[7; 5 * BLOCK]), 2),
        (None, 2)
    );
    assert_eq!(disk.get_ref().calls, [Write(1, 1), Write(2, 1)]);
}

#[test]
fn errors_are_those_of_the_calls_that_do_not_yield() {
    let mut disk = BlockDevice::new(Recorder::new(2));
    let (outcome, polls) = poll(disk.write_at_yielding(BLOCK as u64, &[7; BLOCK + 1]), 9);
    assert!(
        matches!(outcome, Some(Err(Error::OutOfBounds { .. }))),
        "{outcome:?}"
    );
    assert_eq!((polls, disk.get_ref().calls.len()), (1, 0));
    disk.get_mut().broken = Some(Read(1, 1));
    let mut bytes = [0; 2 * BLOCK];
    let (outcome, _) = poll(disk.read_at_yielding(0, &mut bytes), 9);
    let Some(Err(Error::Device { offset, source, .. })) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((offset, source), (BLOCK as u64, Broken));
}
