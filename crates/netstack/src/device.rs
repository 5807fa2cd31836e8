//! The two things that a stack needs of the world: a frame device and a timer.

use std::io;
use std::task::{Context, Poll};

use crate::proto::Instant;
use crate::proto::ethernet::MacAddr;

/// A network interface that carries Ethernet II frames, without their frame check sequence.
///
/// All methods return at once. A frame is at most [`FrameDevice::mtu`] octets and 14 of Ethernet
/// header long.
pub trait FrameDevice {
    /// Octets of the largest packet behind an Ethernet header, which is not counted.
    fn mtu(&self) -> usize;

    /// The hardware address of the interface.
    fn mac(&self) -> MacAddr;

    /// Reads the next frame into `buffer`, which has room for the longest, and returns its length;
    /// `None` when no frame waits.
    ///
    /// # Errors
    ///
    /// When the device is broken: the stack stops, and its runner returns the error.
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>>;

    /// Sends a frame. A device that is busy drops it, as a link may.
    ///
    /// # Errors
    ///
    /// When the frame was not sent. The stack counts that and goes on.
    fn write(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Ready when a frame may wait. When pending, the context's task is woken once one does; only
    /// the task of the last call is.
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A monotonic clock with one alarm.
pub trait Timer {
    /// The time now. It is asked once for each batch of frames, so it should be cheap.
    fn now(&self) -> Instant;

    /// Ready when `deadline` has come. When pending, the context's task is woken then, or a little
    /// later. The deadline and the task of the last call are the ones that count.
    fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()>;
}
