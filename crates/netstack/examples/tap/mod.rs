//! A frame device over a TAP interface, and a timer, for an ordinary process on Linux.

use async_io::Async;
use bytes::BytesMut;
use hostdev::Tap;
use netstack::proto::Instant;
use netstack::proto::link::ethernet::MacAddr;
use netstack::{FrameDevice, Received, Timer};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A TAP interface.
pub(crate) struct TapDevice {
    tap: Async<Tap>,
    mac: MacAddr,
}

impl TapDevice {
    /// Attaches to the TAP interface `name`, which must exist and be up; `mac` is the address of
    /// our end of it.
    pub(crate) fn open(name: &str, mac: MacAddr) -> io::Result<Self> {
        let tap = Tap::open(name).map_err(io::Error::other)?;
        Ok(Self {
            tap: Async::new_nonblocking(tap)?,
            mac,
        })
    }
}

impl FrameDevice for TapDevice {
    fn mtu(&self) -> usize {
        self.tap.get_ref().mtu().into()
    }

    fn mac(&self) -> MacAddr {
        self.mac
    }

    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>> {
        let length = self.tap.get_ref().read_frame(buffer)?;
        Ok(length.map(Received::unchecked))
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        self.tap.get_ref().write_frame(frame)
    }

    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tap.poll_readable(context)
    }
}

/// The host's monotonic clock.
pub(crate) struct HostTimer {
    start: std::time::Instant,
    alarm: Option<(Instant, async_io::Timer)>,
}

impl HostTimer {
    /// A timer whose time starts now.
    pub(crate) fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
            alarm: None,
        }
    }
}

impl Timer for HostTimer {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.start.elapsed().as_nanos() as u64)
    }

    fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let at = self.start + Duration::from_nanos(deadline.as_nanos());
        let (set, timer) = self
            .alarm
            .get_or_insert_with(|| (deadline, async_io::Timer::at(at)));
        if *set != deadline {
            *set = deadline;
            timer.set_at(at);
        }
        match Pin::new(timer).poll(context) {
            Poll::Ready(_) => {
                self.alarm = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
