//! The asynchronous stream over a shared device.

use std::io::{ErrorKind, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Waker};

use blockdev::MemoryDevice;
use blockdev::scheduled::{AsyncCursor, Queue};
use futures_lite::future::block_on;
use futures_lite::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

use crate::recorder::{Call, Recorder};

fn cursor() -> AsyncCursor<MemoryDevice> {
    AsyncCursor::new(Queue::new(MemoryDevice::new(512, 4).unwrap()))
}

#[test]
fn streams_copy() {
    block_on(async {
        let text: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let queue = Queue::new(MemoryDevice::new(512, 1000).unwrap());
        let mut disk = AsyncCursor::new(queue.clone());
        disk.seek(SeekFrom::Start(100)).await.unwrap();
        futures_lite::io::copy(&text[..], &mut disk).await.unwrap();
        disk.close().await.unwrap();
        assert_eq!(disk.position(), 200_100);

        let mut from = AsyncCursor::new(queue.clone());
        from.seek(SeekFrom::Current(100)).await.unwrap();
        let mut to = AsyncCursor::new(queue.clone());
        to.seek(SeekFrom::End(-200_000)).await.unwrap();
        let copied = futures_lite::io::copy((&mut from).take(200_000), &mut to).await;
        assert_eq!(copied.unwrap(), 200_000);
        to.flush().await.unwrap();
        assert_eq!(from.queue().read(312_000, 200_000).await, Ok(text));
    });
}

#[test]
fn the_end_is_the_end() {
    block_on(async {
        let mut disk = cursor();
        assert_eq!(disk.seek(SeekFrom::End(-2)).await.unwrap(), 2046);
        assert_eq!(disk.write(b"abc").await.unwrap(), 2);
        assert_eq!(disk.write(b"c").await.unwrap(), 0);
        assert_eq!(disk.read(&mut [0; 4]).await.unwrap(), 0);
        disk.seek(SeekFrom::Current(-1)).await.unwrap();
        let mut rest = Vec::new();
        disk.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"b");
        disk.seek(SeekFrom::Start(u64::MAX)).await.unwrap();
        assert_eq!(disk.read(&mut [0; 4]).await.unwrap(), 0);
        let error = disk.seek(SeekFrom::Current(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(disk.position(), u64::MAX);
    });
}

#[test]
fn a_read_that_nobody_waited_for_is_not_lost() {
    let mut disk = cursor();
    block_on(disk.write_all(b"one two")).unwrap();
    block_on(disk.seek(SeekFrom::Start(0))).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = [0; 7];
    assert!(
        Pin::new(&mut disk)
            .poll_read(&mut context, &mut bytes)
            .is_pending()
    );
    // Less is asked for than had been.
    assert_eq!(block_on(disk.read(&mut bytes[..3])).unwrap(), 3);
    assert_eq!(block_on(disk.read(&mut bytes[3..])).unwrap(), 4);
    assert_eq!(&bytes, b"one two");

    // What was read is not what is written now.
    block_on(disk.seek(SeekFrom::Start(0))).unwrap();
    assert!(
        Pin::new(&mut disk)
            .poll_read(&mut context, &mut bytes)
            .is_pending()
    );
    block_on(disk.write_all(b"ONE")).unwrap();
    block_on(disk.read(&mut bytes[..4])).unwrap();
    assert_eq!(&bytes[..4], b" two");
}

#[test]
fn the_next_call_says_that_a_write_failed() {
    let mut recorder = Recorder::new(8);
    recorder.broken = Some(Call::Write(2, 1));
    let mut disk = AsyncCursor::new(Queue::new(recorder));
    block_on(async {
        disk.seek(SeekFrom::Start(1024)).await.unwrap();
        assert_eq!(disk.write(&[1; 512]).await.unwrap(), 512);
        let error = disk.write(&[1; 512]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "write of 512 bytes at offset 1024 failed: broken on purpose"
        );
        disk.write_all(&[1; 512]).await.unwrap();
        disk.flush().await.unwrap();
        disk.queue().with_device(|device| {
            assert_eq!(device.calls[1..], [Call::Write(3, 1), Call::Flush]);
            device.broken = Some(Call::Read(4, 1));
        });
        assert!(disk.read(&mut [0; 512]).await.is_err());
        disk.queue().with_device(|device| device.can_flush = false);
        let error = disk.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn a_flush_that_nobody_waited_for_is_none_of_what_is_written_later() {
    let mut disk = AsyncCursor::new(Queue::new(Recorder::new(8)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut disk).poll_flush(&mut context).is_pending());
    block_on(async {
        disk.write_all(&[1; 512]).await.unwrap();
        disk.flush().await.unwrap();
    });
    disk.queue().with_device(|device| {
        assert_eq!(device.calls, [Call::Write(0, 1), Call::Flush]);
    });
}

#[test]
fn a_cursor_that_is_dropped_leaves_nothing_behind() {
    let queue = Queue::new(MemoryDevice::new(512, 4).unwrap());
    let mut disk = AsyncCursor::new(queue.clone());
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        Pin::new(&mut disk)
            .poll_write(&mut context, &[1; 512])
            .is_ready()
    );
    assert_eq!(queue.pending(), 1);
    drop(disk);
    assert_eq!(queue.pending(), 0);
    assert!(
        queue
            .try_into_inner()
            .unwrap()
            .as_bytes()
            .iter()
            .all(|byte| *byte == 0)
    );
}
