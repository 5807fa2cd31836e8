//! Ethernet II framing.

use core::fmt;

/// Octets of an Ethernet header, which an MTU does not count.
pub const HEADER_LEN: usize = 14;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// EtherType of ARP.
pub const ARP: u16 = 0x0806;

/// A hardware address, shown as `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All stations.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether it is a group address: broadcast or multicast.
    #[inline]
    #[must_use]
    pub fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether one station can have it: no group address and not zero.
    #[must_use]
    pub fn is_station(self) -> bool {
        !self.is_group() && self != Self::default()
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An Ethernet II header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whom the frame is for.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// What it carries.
    pub ether_type: u16,
}

impl Header {
    /// Reads the header at the start of `frame`; `None` if the frame is shorter than a header.
    #[inline]
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let header = frame.first_chunk::<HEADER_LEN>()?;
        let (destination, rest) = header.split_first_chunk()?;
        let (source, ether_type) = rest.split_first_chunk()?;
        Some(Self {
            destination: MacAddr(*destination),
            source: MacAddr(*source),
            ether_type: u16::from_be_bytes(*ether_type.first_chunk()?),
        })
    }

    /// Writes the header at the start of `frame`.
    ///
    /// # Panics
    ///
    /// If `frame` is shorter than a header.
    #[inline]
    pub fn write(&self, frame: &mut [u8]) {
        frame[..6].copy_from_slice(&self.destination.0);
        frame[6..12].copy_from_slice(&self.source.0);
        frame[12..14].copy_from_slice(&self.ether_type.to_be_bytes());
    }
}
