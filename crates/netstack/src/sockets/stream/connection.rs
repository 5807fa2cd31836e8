//! What the halves of a stream share.

use bytes::Bytes;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use super::call::Call;
use crate::driver::{DriverRef, Limit};
use crate::proto::Instant;
use crate::proto::tcp::{ConnectionId, Error, Status, Tcp};

/// A connection that a user holds.
pub(super) struct Connection {
    pub(super) driver: DriverRef,
    pub(super) id: ConnectionId,
    pub(super) read: Side,
    pub(super) write: Side,
}

// With the counts of an `Rc` and an allocator's header it fills whole units of 32.
const _: () = assert!(size_of::<Connection>() <= 64);

/// Time-outs of one direction.
#[derive(Default)]
pub(super) struct Side {
    pub(super) timeout: TimeOut,
    /// The end of a wait by the traits of `futures-io`.
    pub(super) task_limit: Cell<Limit>,
}

/// A time-out that may change, in nanoseconds; half the size of a [`Duration`].
#[derive(Default)]
pub(super) struct TimeOut(Cell<Option<NonZeroU64>>);

impl TimeOut {
    #[inline]
    pub(super) fn get(&self) -> Option<Duration> {
        self.0.get().map(|it| Duration::from_nanos(it.get()))
    }

    /// At least a nanosecond, and 584 years at most.
    pub(super) fn set(&self, timeout: Option<Duration>) {
        self.0.set(timeout.map(|timeout| {
            let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN)
        }));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.with(|driver| {
            let now = driver.now();
            driver.end_limit(self.read.task_limit.get_mut());
            driver.end_limit(self.write.task_limit.get_mut());
            driver.close_connection(self.id);
            driver.tcp().release(now, self.id);
            driver.after_call();
        });
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Connection");
        if let Some(Ok(status)) = self.driver.look(|driver| driver.tcp().status(self.id)) {
            f.field("local", &status.local);
            f.field("remote", &status.remote);
            f.field("state", &status.state);
        }
        f.finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(driver: DriverRef, id: ConnectionId) -> Self {
        driver.with(|driver| driver.open_connection(id));
        Self {
            driver,
            id,
            read: Side::default(),
            write: Side::default(),
        }
    }

    pub(super) fn status(&self) -> io::Result<Status> {
        self.driver.with(|driver| Ok(driver.tcp().status(self.id)?))
    }

    pub(super) async fn read_exact(&self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = self.read(buffer).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buffer = &mut buffer[read..];
        }
        Ok(())
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Call::read(self, |tcp, now, id| tcp.receive(now, id, buffer)).await
    }

    pub(super) async fn read_chunk(&self, max: usize) -> io::Result<Option<Bytes>> {
        let chunk = Call::read(self, |tcp, now, id| tcp.receive_bytes(now, id, max)).await?;
        Ok((max == 0 || !chunk.is_empty()).then_some(chunk))
    }

    pub(super) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Call::read(self, |tcp, _, id| tcp.peek(id, buffer)).await
    }

    pub(super) async fn write(&self, data: &[u8]) -> io::Result<usize> {
        Call::write(self, |tcp, _, id| tcp.send(id, data)).await
    }

    pub(super) async fn write_all(&self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let written = self.write(data).await?;
            data = &data[written..];
        }
        Ok(())
    }

    pub(super) async fn write_chunk(&self, mut chunk: Bytes) -> io::Result<()> {
        while !chunk.is_empty() {
            Call::write(self, |tcp, _, id| tcp.send_bytes(id, &mut chunk)).await?;
        }
        Ok(())
    }

    pub(super) async fn flushed(&self) -> io::Result<()> {
        Call::write(self, |tcp, _, id| tcp.poll_flushed(id)).await
    }

    pub(super) fn shutdown(&self) -> io::Result<()> {
        self.call(|tcp, now, id| tcp.shutdown(now, id))
    }

    pub(super) fn call<T>(
        &self,
        call: impl FnOnce(&mut Tcp, Instant, ConnectionId) -> Result<T, Error>,
    ) -> io::Result<T> {
        self.driver.with(|driver| {
            let now = driver.now();
            let result = call(driver.tcp(), now, self.id);
            driver.after_call();
            Ok(result?)
        })
    }

    /// What is set of the connection.
    pub(super) fn setting<T>(
        &self,
        setting: impl FnOnce(&Tcp, ConnectionId) -> Result<T, Error>,
    ) -> io::Result<T> {
        self.driver
            .with(|driver| Ok(setting(driver.tcp(), self.id)?))
    }
}
