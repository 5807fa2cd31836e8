//! Network devices.

use core::fmt;

use solo5_abi::api::NET_HLEN;

use crate::{AcquireError, Entry, Handle, NetError, backend};

/// An acquired network device, which carries Ethernet frames.
pub struct Net {
    pub(crate) device: backend::NetDevice,
    pub(crate) handle: Handle,
    pub(crate) mac_address: [u8; 6],
    pub(crate) mtu: usize,
}

impl Net {
    /// Acquires the device of that manifest entry; [`net!`](crate::net!) declares the entry too.
    ///
    /// # Errors
    ///
    /// When the device has been acquired before, or is not there.
    pub fn acquire(entry: &'static Entry) -> Result<Self, AcquireError> {
        backend::net_acquire(entry)
    }

    /// The handle, by which [`yield_until`](crate::yield_until) reports that a frame can be read.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// The guest's own MAC address on this device.
    pub fn mac_address(&self) -> [u8; 6] {
        self.mac_address
    }

    /// The MTU in bytes, the 14-byte Ethernet header excluded.
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// Bytes of the longest frame, the 14-byte Ethernet header included.
    pub fn max_frame(&self) -> usize {
        self.mtu + NET_HLEN
    }

    /// Sends one frame, Ethernet header included, without blocking. A frame for which the host has
    /// no room is lost, as it may be anywhere on its way.
    ///
    /// # Errors
    ///
    /// When the frame is shorter than 14 or longer than [`max_frame`](Self::max_frame) bytes, and
    /// when the host fails.
    pub fn write(&self, frame: &[u8]) -> Result<(), NetError> {
        let (min, max) = (NET_HLEN, self.max_frame());
        if !(min..=max).contains(&frame.len()) {
            let length = frame.len();
            return Err(NetError::FrameLength { length, min, max });
        }
        backend::net_write(self, frame)
    }

    /// Receives one frame, Ethernet header included, without blocking: its length, or `None` when
    /// none is queued.
    ///
    /// # Errors
    ///
    /// When `buffer` is shorter than [`max_frame`](Self::max_frame), and when the host fails.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
        let min = self.max_frame();
        if buffer.len() < min {
            let length = buffer.len();
            return Err(NetError::BufferLength { length, min });
        }
        backend::net_read(self, buffer)
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("handle", &self.handle)
            .field("mac_address", &self.mac_address)
            .field("mtu", &self.mtu)
            .finish_non_exhaustive()
    }
}
