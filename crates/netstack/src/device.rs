//! The two things that a stack needs of the world: a frame device and a timer.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::proto::Instant;
use crate::proto::interface::{Joined, Run};
use crate::proto::link::ethernet::{self, MacAddr};

/// A network interface that carries Ethernet II frames, without their frame check sequence.
///
/// All methods return at once, without calling the stack. A frame is at most [`FrameDevice::mtu`]
/// octets and 14 of Ethernet header long.
///
/// The methods with a body are for devices that offload work from the stack (segmentation of TCP
/// and UDP, and checksums, as virtio-net and most network cards do); others leave them alone.
pub trait FrameDevice {
    /// Octets of the largest packet behind an Ethernet header, which is not counted.
    fn mtu(&self) -> usize;

    /// The hardware address of the interface.
    fn mac(&self) -> MacAddr;

    /// Reads the next frame into `buffer`, whose length is [`FrameDevice::buffer_size`], or exchanges
    /// it for a buffer of the same length that holds the frame; `None` when no frame waits. A device
    /// that has joined segments may give a frame that is longer than the MTU.
    ///
    /// # Errors
    ///
    /// When the device is broken: the stack stops, and its runner returns the error.
    fn try_read(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Received>>;

    /// Sends a frame. A device that is busy drops it, as a link may.
    ///
    /// # Errors
    ///
    /// When the frame was not sent. The stack counts that and goes on.
    fn write(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Ready when a frame may wait. When pending, the context's task is woken once one does; only
    /// the task of the last call is.
    fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the device cuts runs of TCP segments over IPv4 apart: then they are given to
    /// [`FrameDevice::write_run`].
    fn offload(&self) -> bool {
        false
    }

    /// Whether it does so with those over IPv6, too; of no account without [`FrameDevice::offload`].
    fn offload_v6(&self) -> bool {
        false
    }

    /// Whether it does so with runs of UDP datagrams over either; of no account without [`FrameDevice::offload`].
    fn offload_udp(&self) -> bool {
        false
    }

    /// Octets of the buffer that [`FrameDevice::try_read`] wants.
    fn buffer_size(&self) -> usize {
        ethernet::HEADER_LEN + self.mtu()
    }

    /// Sends a run of TCP segments or UDP datagrams that are written as one frame, which begins at
    /// [`HEADROOM`](crate::proto::interface::HEADROOM); what is before it is the device's to write.
    ///
    /// # Errors
    ///
    /// As [`FrameDevice::write`].
    fn write_run(&mut self, buffer: &mut [u8], run: &Run) -> io::Result<()> {
        let _ = (buffer, run);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A frame that was received into a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Where in the buffer it lies.
    pub frame: Range<usize>,
    /// The checksum of TCP or UDP need not be verified: the device has done so, or the segment comes
    /// from the same machine and has none yet.
    pub checksummed: bool,
    /// If UDP datagrams were joined to it, how; their checksums need not be verified either then.
    pub joined: Option<Joined>,
}

impl Received {
    /// A frame of that length at the start of the buffer, of which the stack is to verify all
    /// checksums.
    #[must_use]
    pub const fn unchecked(length: usize) -> Self {
        Self {
            frame: 0..length,
            checksummed: false,
            joined: None,
        }
    }
}

/// A monotonic clock with one alarm.
pub trait Timer {
    /// The time now. It is asked once for each batch of frames, so it should be cheap.
    fn now(&self) -> Instant;

    /// Ready when `deadline` has come. When pending, the context's task is woken then, or a little
    /// later. The deadline and the task of the last call are the ones that count.
    fn poll_until(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()>;
}
