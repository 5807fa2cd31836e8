//! The IPv6 header (RFC 8200 §3).

use core::net::Ipv6Addr;

/// Octets of a header without extensions.
pub const HEADER_LEN: usize = 40;
/// Every link carries packets of this many octets (RFC 8200 §5).
pub const MINIMUM_MTU: usize = 1280;

/// What follows a header: the numbers of extension headers and of protocols.
pub mod protocol {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: u8 = 0;
    /// A routing header.
    pub const ROUTING: u8 = 43;
    /// A fragment header.
    pub const FRAGMENT: u8 = 44;
    /// ICMPv6.
    pub const ICMP: u8 = 58;
    /// Nothing.
    pub const NO_NEXT: u8 = 59;
    /// Destination options.
    pub const DESTINATION: u8 = 60;
}

/// What a valid header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// What follows: one of [`protocol`], or another.
    pub next_header: u8,
    /// How many routers may pass it on.
    pub hop_limit: u8,
    /// Differentiated services (the upper six bits) and ECN (the lower two).
    pub traffic_class: u8,
    /// Flow label (RFC 6437), of 20 bits; 0 for none.
    pub flow_label: u32,
    /// Octets behind the header.
    pub payload_len: usize,
}

/// Why a packet was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// No IPv6 header.
    Malformed,
    /// It claims more octets than there are.
    Truncated,
}

/// Writes a flow label into the header at the start of `packet`.
///
/// # Panics
///
/// If `packet` is shorter than four octets.
pub(crate) fn write_flow_label(packet: &mut [u8], label: u32) {
    let [_, b, c, d] = label.to_be_bytes();
    packet[1] = packet[1] & 0xf0 | b & 0x0f;
    packet[2..4].copy_from_slice(&[c, d]);
}

impl Header {
    /// A header for `payload_len` octets of `next_header` between two addresses.
    #[must_use]
    pub fn new(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        next_header: u8,
        payload_len: usize,
    ) -> Self {
        Self {
            source,
            destination,
            next_header,
            hop_limit: 64,
            traffic_class: 0,
            flow_label: 0,
            payload_len,
        }
    }

    /// Reads the header at the start of `packet`, which may be longer than the header says (Ethernet
    /// pads), not shorter. A jumbogram (RFC 2675) says that nothing follows, and is taken at its word.
    ///
    /// # Errors
    ///
    /// [`HeaderError`], when the packet must be dropped without a word.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, HeaderError> {
        let header = packet
            .first_chunk::<HEADER_LEN>()
            .ok_or(HeaderError::Malformed)?;
        let (fixed, addresses) = header.split_at(8);
        let (source, destination) = addresses.split_at(16);
        let (Some(source), Some(destination)) =
            (source.first_chunk::<16>(), destination.first_chunk::<16>())
        else {
            return Err(HeaderError::Malformed);
        };
        let first = u32::from_be_bytes([fixed[0], fixed[1], fixed[2], fixed[3]]);
        let payload_len = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        if first >> 28 != 6 {
            return Err(HeaderError::Malformed);
        }
        if HEADER_LEN + payload_len > packet.len() {
            return Err(HeaderError::Truncated);
        }
        Ok(Self {
            source: Ipv6Addr::from(*source),
            destination: Ipv6Addr::from(*destination),
            next_header: fixed[6],
            hop_limit: fixed[7],
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0xf_ffff,
            payload_len,
        })
    }

    /// Octets of the header and of what is behind it.
    #[inline]
    #[must_use]
    pub fn total_len(&self) -> usize {
        HEADER_LEN + self.payload_len
    }

    /// Writes the header at the start of `packet`.
    ///
    /// # Panics
    ///
    /// If `packet` is shorter than a header, or the payload longer than 65,535 octets.
    #[inline]
    pub fn write(&self, packet: &mut [u8]) {
        let Some(header) = packet.first_chunk_mut::<HEADER_LEN>() else {
            panic!(
                "{} octets do not hold an IPv6 header of {HEADER_LEN}",
                packet.len()
            );
        };
        let payload_len =
            u16::try_from(self.payload_len).expect("an IPv6 payload is at most 65535");
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | (self.flow_label & 0xf_ffff);
        header[0..4].copy_from_slice(&first.to_be_bytes());
        header[4..6].copy_from_slice(&payload_len.to_be_bytes());
        header[6] = self.next_header;
        header[7] = self.hop_limit;
        header[8..24].copy_from_slice(&self.source.octets());
        header[24..40].copy_from_slice(&self.destination.octets());
    }
}
