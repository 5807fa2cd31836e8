//! Frames of a network device that has the feature [`NET_OFFLOAD`](crate::manifest::NET_OFFLOAD): a
//! [`NetHeader`] and the Ethernet frame behind it, in both directions.

use crate::api::NET_HLEN;
use crate::layout::layout;

layout! {
    /// What stands in front of each frame (`struct virtio_net_hdr` of Linux): which work on the
    /// frame is left to whoever receives it.
    ///
    /// All zeros say that there is none. Offsets count from the start of the Ethernet frame.
    pub struct NetHeader, size 10 {
        /// Bits: [`NEEDS_CSUM`](Self::NEEDS_CSUM), [`DATA_VALID`](Self::DATA_VALID).
        0 => pub flags: u8,
        /// [`GSO_NONE`](Self::GSO_NONE), [`GSO_UDP`](Self::GSO_UDP), or [`GSO_TCPV4`](Self::GSO_TCPV4) or
        /// [`GSO_TCPV6`](Self::GSO_TCPV6) and perhaps the bit [`GSO_ECN`](Self::GSO_ECN).
        1 => pub gso_type: u8,
        /// With segmentation, bytes of the headers of Ethernet, IP and TCP or UDP, which each segment gets. A
        /// hint: in what is received it may be more, so the frame itself is looked at.
        2 => pub hdr_len: u16,
        /// With segmentation, bytes of payload in each segment or datagram but the last.
        4 => pub gso_size: u16,
        /// With `NEEDS_CSUM`, where the bytes to be summed start; they go on to the frame's end.
        6 => pub csum_start: u16,
        /// With `NEEDS_CSUM`, where the checksum goes, from `csum_start`. The sum of the pseudo-header
        /// is there already, not inverted.
        8 => pub csum_offset: u16,
    }
}

impl NetHeader {
    /// In `flags`: the checksum is still to be filled in.
    pub const NEEDS_CSUM: u8 = 1;
    /// In `flags`: the checksum has been checked and is good.
    pub const DATA_VALID: u8 = 2;

    /// As `gso_type`: one frame, as it is.
    pub const GSO_NONE: u8 = 0;
    /// As `gso_type`: TCP over IPv4, to be cut into segments.
    pub const GSO_TCPV4: u8 = 1;
    /// As `gso_type`: TCP over IPv6, to be cut into segments. Only where the device has
    /// [`NET_OFFLOAD_V6`](crate::manifest::NET_OFFLOAD_V6), too.
    pub const GSO_TCPV6: u8 = 4;
    /// As `gso_type`: UDP over IPv4 or IPv6 whose payload is that of several datagrams, 128 at most, to be cut apart
    /// (`VIRTIO_NET_HDR_GSO_UDP_L4`); with `NEEDS_CSUM`. Only where the device has
    /// [`NET_OFFLOAD_UDP`](crate::manifest::NET_OFFLOAD_UDP), too.
    pub const GSO_UDP: u8 = 5;
    /// In `gso_type`: of the segments, only the first has the flag CWR.
    pub const GSO_ECN: u8 = 0x80;
}

/// Bytes of the shortest frame with its header.
pub const MIN_FRAME: usize = NetHeader::SIZE + NET_HLEN;
/// Bytes of the longest frame with its header: an IPv4 packet cannot be longer, and neither may one
/// of IPv6 with its header. A buffer to read into has as many.
pub const MAX_FRAME: usize = NetHeader::SIZE + NET_HLEN + u16::MAX as usize;
