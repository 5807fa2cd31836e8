use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::io::{self, SeekFrom};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::Queue;
use super::pending::Pending;
use super::request::Work;
use crate::{Error, SectorDevice, cursor};

/// Most bytes of one request.
const MOST: usize = 64 << 10;

/// A position on a device that tasks share, for code that reads and writes asynchronous streams
/// (feature `futures-io`).
///
/// The device has the size that it has: at its end nothing is read and nothing can be written.
///
/// A write of up to 64 KiB is taken at once and done by the time that the next one, a flush or a
/// close is ready, which also say whether it failed. One that is still under way when the cursor is
/// dropped is [cancelled](super#cancellation). Flushing and closing flush the queue.
///
/// ```
/// use blockdev::MemoryDevice;
/// use blockdev::scheduled::{AsyncCursor, Queue};
/// use futures_lite::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, future, io};
///
/// future::block_on(async {
///     let mut disk = AsyncCursor::new(Queue::new(MemoryDevice::new(512, 2)?));
///     disk.write_all(b"Hello World!").await?;
///     disk.flush().await?;
///     disk.seek(io::SeekFrom::Start(6)).await?;
///     let mut bytes = Vec::new();
///     disk.read_to_end(&mut bytes).await?;
///     assert_eq!((&bytes[..7], bytes.len()), (&b"World!\0"[..], 1018));
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct AsyncCursor<D: SectorDevice> {
    queue: Queue<D>,
    position: u64,
    /// A read at the position that nobody has waited for to its end.
    reading: Option<Pending<D>>,
    /// What was read at the position and did not fit.
    read: Vec<u8>,
    writing: Option<Pending<D>>,
    flushing: Option<Pending<D>>,
}

impl<D: SectorDevice> AsyncCursor<D> {
    /// The start of a device.
    pub fn new(queue: Queue<D>) -> Self {
        Self {
            queue,
            position: 0,
            reading: None,
            read: Vec::new(),
            writing: None,
            flushing: None,
        }
    }

    /// Where the next read or write begins, in bytes from the start of the device. It may lie
    /// beyond the end.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The device.
    pub fn queue(&self) -> &Queue<D> {
        &self.queue
    }

    /// How many of `wanted` bytes there are from the position to the end, in one request.
    fn available(&self, wanted: usize) -> usize {
        let left = self.queue.capacity().saturating_sub(self.position);
        usize::try_from(left).map_or(wanted, |left| left.min(wanted).min(MOST))
    }

    /// What has been read is of no use elsewhere, or when it has changed.
    fn forget_read(&mut self) {
        self.reading = None;
        self.read = Vec::new();
    }

    /// Ready when no write is under way.
    fn poll_written(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), super::Error<D::Error>>> {
        let Some(writing) = &mut self.writing else {
            return Poll::Ready(Ok(()));
        };
        let result = ready!(Pin::new(writing).poll(context));
        self.writing = None;
        Poll::Ready(result.map(|_| ()))
    }
}

impl<D: SectorDevice> AsyncRead for AsyncCursor<D>
where
    D::Error: Send + Sync + 'static,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.read.is_empty() {
            let len = this.available(buffer.len());
            if len == 0 {
                return Poll::Ready(Ok(0));
            }
            let new = || {
                let work = Work::Read(Vec::new());
                this.queue.request(work, this.position, len as u64)
            };
            let reading = this.reading.get_or_insert_with(new);
            let result = ready!(Pin::new(reading).poll(context));
            this.reading = None;
            this.read = result?;
        }
        let len = buffer.len().min(this.read.len());
        buffer[..len].copy_from_slice(&this.read[..len]);
        this.read.drain(..len);
        this.position += len as u64;
        Poll::Ready(Ok(len))
    }
}

impl<D: SectorDevice> AsyncWrite for AsyncCursor<D>
where
    D::Error: Send + Sync + 'static,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(context))?;
        let len = self.available(bytes.len());
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        self.forget_read();
        // A flush that nobody waited for is none of what is written now.
        self.flushing = None;
        let work = Work::Write(bytes[..len].to_vec());
        let mut writing = self.queue.request(work, self.position, len as u64);
        // Nobody waits for it as yet: this submits it.
        let submitted = Pin::new(&mut writing).poll(&mut Context::from_waker(Waker::noop()));
        debug_assert!(submitted.is_pending());
        self.writing = Some(writing);
        self.position += len as u64;
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(context))?;
        let this = &mut *self;
        if !this.queue.can_flush() {
            return Poll::Ready(Err(Error::<D::Error>::CannotFlush.into()));
        }
        let new = || this.queue.request(Work::Flush, 0, 0);
        let flushing = this.flushing.get_or_insert_with(new);
        let result = ready!(Pin::new(flushing).poll(context));
        this.flushing = None;
        result?;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl<D: SectorDevice> AsyncSeek for AsyncCursor<D>
where
    D::Error: Send + Sync + 'static,
{
    fn poll_seek(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let position = cursor::seek(self.position, self.queue.capacity(), to)?;
        if position != self.position {
            self.forget_read();
            self.position = position;
        }
        Poll::Ready(Ok(position))
    }
}
