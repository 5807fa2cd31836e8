//! What surrounds a segment: what IP knows of one that arrived, and has to know of one that is sent.

use core::net::IpAddr;

use crate::proto::ip::{Ecn, Endpoint};

/// What the IP layer knows of a segment that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpMeta {
    /// The sender's address. The IP layer has dropped broadcast and multicast sources.
    pub source: IpAddr,
    /// The address of ours that the segment was sent to; never broadcast or multicast.
    pub destination: IpAddr,
    /// The ECN field of the IP header.
    pub ecn: Ecn,
    /// The device vouches for the segment's checksum, which may not even be in the header yet.
    pub checksummed: bool,
}

/// What the IP layer has to know of a segment that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxMeta {
    /// Our address and port, and the peer's.
    pub(crate) local: Endpoint,
    pub(crate) remote: Endpoint,
    /// Octets of the segment: TCP header, options and payload.
    pub len: usize,
    /// Not zero: this is a run of full segments with so many octets of payload each, which the device
    /// is to cut apart. Its checksum field holds the sum of the pseudo-header alone.
    pub cut: u16,
    /// The flow label to set (RFC 6437), which no packet of IPv4 has.
    pub(crate) flow_label: u32,
    /// The ECN field to set.
    pub ecn: Ecn,
    /// Time to live to set.
    pub ttl: u8,
    /// Whether to set DF (path-MTU discovery, RFC 1191).
    pub dont_fragment: bool,
}

impl TxMeta {
    /// Our address.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.local.ip()
    }

    /// The peer's address.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.remote.ip()
    }
}

/// Where segments are written: the frame buffers of a device.
///
/// For each segment the engine calls [`reserve`](TxSink::reserve), fills all of the octets that it
/// was given and calls [`commit`](TxSink::commit).
pub trait TxSink {
    /// Gives room for exactly `meta.len` octets, with room for the lower layers' headers before
    /// them; `None` when the device takes no more now, which ends this round of transmission.
    fn reserve(&mut self, meta: &TxMeta) -> Option<&mut [u8]>;

    /// As [`reserve`](TxSink::reserve), right after a [`commit`](TxSink::commit) of a segment with the
    /// same `meta`: what the lower layers wrote for that may hold for this.
    #[inline]
    fn reserve_again(&mut self, meta: &TxMeta) -> Option<&mut [u8]> {
        self.reserve(meta)
    }

    /// Sends the segment written to the octets last reserved.
    fn commit(&mut self);

    /// Octets that a run of full segments to the destination of `meta` may have, TCP header
    /// included, when the device can cut it apart; zero when it cannot.
    fn longest_run(&self, meta: &TxMeta) -> usize {
        let _ = meta;
        0
    }
}
