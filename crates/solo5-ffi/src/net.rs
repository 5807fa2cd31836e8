//! Network devices.

use core::fmt;

use solo5_abi::api::NET_HLEN;
use solo5_abi::net::{MAX_FRAME, MIN_FRAME};

use crate::{AcquireError, Entry, Handle, NetError, backend};

/// An acquired network device, which carries Ethernet frames.
pub struct Net {
    pub(crate) device: backend::NetDevice,
    pub(crate) handle: Handle,
    pub(crate) mac_address: [u8; 6],
    pub(crate) mtu: usize,
    pub(crate) offload: bool,
    pub(crate) offload_v6: bool,
    pub(crate) offload_udp: bool,
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

    /// Bytes of the longest frame on the wire, the 14-byte Ethernet header included.
    pub fn max_frame(&self) -> usize {
        self.mtu + NET_HLEN
    }

    /// Whether each frame, in both directions, is preceded by a [`NetHeader`](crate::NetHeader):
    /// the device was declared with `offload`, and the tender can do it.
    ///
    /// Then TCP over IPv4 may be sent and is received in frames of up to 64 KiB, whatever the MTU,
    /// which the header tells how to cut into segments. And any frame that is received, also one
    /// that is not to be cut (`GSO_NONE`), may lack its checksum, as `NEEDS_CSUM` tells: what is
    /// found in its place is no reason to discard it, and who forwards the frame fills it in.
    pub fn has_offload(&self) -> bool {
        self.offload
    }

    /// Whether TCP over IPv6, too, may be sent and is received in frames of up to 64 KiB (`GSO_TCPV6`): never
    /// without [`has_offload`](Self::has_offload). A tender may know only that.
    pub fn has_offload_v6(&self) -> bool {
        self.offload_v6
    }

    /// Whether UDP over IPv4 and IPv6, too, may be sent and is received in frames of up to 64 KiB (`GSO_UDP`), which the
    /// header tells how to cut into datagrams, of which the last may be shorter: never without the other two. At most 128
    /// are received in a frame; Linux before 6.9 takes no more than 64.
    pub fn has_offload_udp(&self) -> bool {
        self.offload_udp
    }

    /// Bytes that a buffer to [`read`](Self::read) into must hold: [`max_frame`](Self::max_frame),
    /// or with offload 65,559, which are the [`NetHeader`](crate::NetHeader), the Ethernet header
    /// and the longest IP packet.
    pub fn read_size(&self) -> usize {
        if self.offload {
            MAX_FRAME
        } else {
            self.max_frame()
        }
    }

    /// Sends one frame, Ethernet header included, without blocking. A frame for which the host has
    /// no room is lost, as it may be anywhere on its way.
    ///
    /// With [offload](Self::has_offload), a [`NetHeader`](crate::NetHeader) stands in front of it.
    /// The host checks it, and one that does not fit the frame is an error or loses the frame.
    ///
    /// # Errors
    ///
    /// When the frame is shorter than 14 or longer than [`max_frame`](Self::max_frame) bytes, or
    /// with offload not of 24 to 65,559 bytes, and when the host fails.
    pub fn write(&self, frame: &[u8]) -> Result<(), NetError> {
        let min = if self.offload { MIN_FRAME } else { NET_HLEN };
        let max = self.read_size();
        if !(min..=max).contains(&frame.len()) {
            let length = frame.len();
            return Err(NetError::FrameLength { length, min, max });
        }
        backend::net_write(self, frame)
    }

    /// Receives one frame, Ethernet header included, without blocking: its length, or `None` when
    /// none is queued. With [offload](Self::has_offload), a [`NetHeader`](crate::NetHeader) stands
    /// in front of it and counts in the length.
    ///
    /// # Errors
    ///
    /// When `buffer` is shorter than [`read_size`](Self::read_size), and when the host fails.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, NetError> {
        let min = self.read_size();
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
            .field("offload", &self.offload)
            .field("offload_v6", &self.offload_v6)
            .field("offload_udp", &self.offload_udp)
            .finish_non_exhaustive()
    }
}
