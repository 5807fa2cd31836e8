//! Addresses of both families.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use core::str::FromStr;

use super::{v4, v6};

/// An address of one family, or of either: [`Ipv4Addr`], [`Ipv6Addr`] or [`IpAddr`].
pub trait Address: Copy + Eq + fmt::Debug + fmt::Display + FromStr {
    /// An address with a prefix as it may be written.
    const EXAMPLE: &'static str;

    /// The bits of an address of the family.
    fn bits(self) -> u8;

    /// The address with all bits zero but the first `prefix`, of which there are no more than
    /// [`Address::bits`].
    #[must_use]
    fn masked(self, prefix: u8) -> Self;
}

impl Address for Ipv4Addr {
    const EXAMPLE: &'static str = "an IPv4 address with a prefix, like 10.0.0.2/24";

    #[inline]
    fn bits(self) -> u8 {
        32
    }

    #[inline]
    fn masked(self, prefix: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Self::from_bits(self.to_bits() & mask)
    }
}

impl Address for Ipv6Addr {
    const EXAMPLE: &'static str = "an IPv6 address with a prefix, like fd00::2/64";

    #[inline]
    fn bits(self) -> u8 {
        128
    }

    #[inline]
    fn masked(self, prefix: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        Self::from_bits(self.to_bits() & mask)
    }
}

impl Address for IpAddr {
    const EXAMPLE: &'static str = "an address with a prefix, like 10.0.0.2/24 or fd00::2/64";

    fn bits(self) -> u8 {
        match self {
            Self::V4(address) => address.bits(),
            Self::V6(address) => address.bits(),
        }
    }

    fn masked(self, prefix: u8) -> Self {
        match self {
            Self::V4(address) => address.masked(prefix).into(),
            Self::V6(address) => address.masked(prefix).into(),
        }
    }
}

/// An address with the length of its network's prefix, written `10.0.0.2/24` or `fd00::2/64`.
///
/// ```
/// use netstack::proto::ip::Cidr;
///
/// let cidr: Cidr = "10.0.0.2/24".parse()?;
/// assert!(cidr.contains([10, 0, 0, 77].into()));
/// # Ok::<(), netstack::proto::ip::CidrError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr<A = IpAddr> {
    address: A,
    prefix: u8,
}

/// What is wrong with a text or numbers that should have been a [`Cidr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CidrError {
    /// The prefix length, given here, exceeds the bits of the address, given here too.
    Prefix(u8, u8),
    /// The text, given here, is not what was expected, which is given here too.
    Syntax(String, &'static str),
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix, bits) => {
                write!(f, "prefix length {prefix}: expected 0 to {bits}")
            }
            Self::Syntax(text, expected) => write!(f, "\"{text}\": expected {expected}"),
        }
    }
}

impl core::error::Error for CidrError {}

impl<A: Address> Cidr<A> {
    /// `address` in a network whose prefix has `prefix` bits.
    ///
    /// # Errors
    ///
    /// [`CidrError::Prefix`] if `prefix` exceeds the bits of the address.
    pub fn new(address: impl Into<A>, prefix: u8) -> Result<Self, CidrError> {
        let address = address.into();
        match prefix <= address.bits() {
            true => Ok(Self { address, prefix }),
            false => Err(CidrError::Prefix(prefix, address.bits())),
        }
    }

    /// The address itself.
    #[inline]
    #[must_use]
    pub fn address(&self) -> A {
        self.address
    }

    /// The length of the prefix in bits.
    #[inline]
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The network itself: what is behind the prefix is zero.
    #[must_use]
    pub fn network(&self) -> Self {
        Self {
            address: self.address.masked(self.prefix),
            prefix: self.prefix,
        }
    }

    /// Whether `address` lies in the same network.
    #[must_use]
    pub fn contains(&self, address: A) -> bool {
        address.bits() == self.address.bits()
            && address.masked(self.prefix) == self.address.masked(self.prefix)
    }
}

impl Cidr<Ipv4Addr> {
    /// `address` with the prefix that `mask` stands for, if its ones are all in front.
    #[must_use]
    pub fn from_mask(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Self> {
        let bits = mask.to_bits();
        let prefix = bits.leading_ones();
        (bits.count_ones() == prefix).then_some(Self {
            address,
            prefix: prefix as u8,
        })
    }

    /// The network's broadcast address; `None` for prefixes of 31 and 32 bits, which have none
    /// (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        let host = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
        (self.prefix < 31).then(|| Ipv4Addr::from_bits(self.address.to_bits() | host))
    }
}

impl Cidr {
    /// The same as one of IPv4, if it is.
    #[must_use]
    pub fn v4(&self) -> Option<Cidr<Ipv4Addr>> {
        let IpAddr::V4(address) = self.address else {
            return None;
        };
        let prefix = self.prefix;
        Some(Cidr { address, prefix })
    }

    /// The same as one of IPv6, if it is.
    #[must_use]
    pub fn v6(&self) -> Option<Cidr<Ipv6Addr>> {
        let IpAddr::V6(address) = self.address else {
            return None;
        };
        let prefix = self.prefix;
        Some(Cidr { address, prefix })
    }
}

impl From<Cidr<Ipv4Addr>> for Cidr {
    fn from(Cidr { address, prefix }: Cidr<Ipv4Addr>) -> Self {
        let address = address.into();
        Self { address, prefix }
    }
}

impl From<Cidr<Ipv6Addr>> for Cidr {
    fn from(Cidr { address, prefix }: Cidr<Ipv6Addr>) -> Self {
        let address = address.into();
        Self { address, prefix }
    }
}

impl<A: Address> fmt::Display for Cidr<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl<A: Address> FromStr for Cidr<A> {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned(), A::EXAMPLE);
        let (address, prefix) = text.split_once('/').ok_or_else(syntax)?;
        let address: A = address.parse().map_err(|_| syntax())?;
        Self::new(address, prefix.parse().map_err(|_| syntax())?)
    }
}

/// A way to the networks beyond the link, or to stations on it that our addresses' networks leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<A = IpAddr> {
    /// What it leads to; `0.0.0.0/0` or `::/0` for everything.
    pub destination: Cidr<A>,
    /// The router, which is on our link; 0.0.0.0 or :: if the destinations themselves are.
    pub gateway: A,
}

impl From<Route<Ipv4Addr>> for Route {
    fn from(route: Route<Ipv4Addr>) -> Self {
        Self {
            destination: route.destination.into(),
            gateway: route.gateway.into(),
        }
    }
}

impl From<Route<Ipv6Addr>> for Route {
    fn from(route: Route<Ipv6Addr>) -> Self {
        Self {
            destination: route.destination.into(),
            gateway: route.gateway.into(),
        }
    }
}

/// Whether an address can be that of one host. Of IPv4 (RFC 1122 §3.2.1.3, RFC 6890 §2.2.2): not of
/// "this network" (0.0.0.0/8), of a multicast group (224.0.0.0/4), reserved (240.0.0.0/4) or
/// 255.255.255.255. Of IPv6 (RFC 4291 §2.4, §2.5.5): not unspecified, of a multicast group, or one
/// that stands for an IPv4 address. Loopback addresses are hosts' too, but never come from the link.
#[inline]
#[must_use]
pub fn is_host(address: impl Into<IpAddr>) -> bool {
    match address.into() {
        IpAddr::V4(address) => matches!(address.octets()[0], 1..=223),
        IpAddr::V6(address) => {
            // Neither unspecified, nor multicast, nor a mapped one: as a number, as elsewhere the compiler takes it apart.
            let bits = address.to_bits();
            bits != 0 && bits >> 120 != 0xff && bits >> 32 != MAPPED
        }
    }
}

/// The scope identifier of our link-local addresses and of those of others (RFC 4007 §6): a stack has one
/// interface, which is the first.
pub const SCOPE: u32 = 1;

/// An address and a port: a [`SocketAddr`] without flow and scope, in 18 octets. An IPv4 address that
/// is written as one of IPv6 (RFC 4291 §2.5.5.2) is that IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(2))]
pub(crate) struct Endpoint {
    /// One of IPv4 as a mapped one. As octets it would be moved one by one.
    ip: u128,
    port: u16,
}

/// What the upper 96 bits of a mapped address are.
const MAPPED: u128 = 0xffff;

impl Endpoint {
    #[inline]
    pub(crate) const fn new(ip: IpAddr, port: u16) -> Self {
        let ip = match ip {
            IpAddr::V4(ip) => MAPPED << 32 | ip.to_bits() as u128,
            IpAddr::V6(ip) => ip.to_bits(),
        };
        Self { ip, port }
    }

    #[inline]
    pub(crate) const fn ip(&self) -> IpAddr {
        match self.ip >> 32 {
            MAPPED => IpAddr::V4(Ipv4Addr::from_bits(self.ip as u32)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(self.ip)),
        }
    }

    #[inline]
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    #[inline]
    pub(crate) const fn is_ipv6(&self) -> bool {
        self.ip >> 32 != MAPPED
    }

    /// Whether it is the same address, whatever the port.
    #[inline]
    pub(crate) const fn is_at(&self, other: &Self) -> bool {
        let (own, other) = (self.ip, other.ip);
        own == other
    }

    /// The unspecified address of the family.
    pub(crate) fn any(&self) -> Self {
        let ip = match self.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::new(ip, self.port)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip(), address.port())
    }
}

impl From<Endpoint> for SocketAddr {
    #[inline]
    fn from(endpoint: Endpoint) -> Self {
        let port = endpoint.port;
        match endpoint.ip() {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                SocketAddrV6::new(ip, port, 0, SCOPE).into()
            }
            ip => Self::new(ip, port),
        }
    }
}

/// Octets of the IP header, without options or extensions, of packets to an address.
#[inline]
pub(crate) const fn header_len(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => v4::HEADER_LEN,
        IpAddr::V6(_) => v6::HEADER_LEN,
    }
}

/// What counts as one host where hosts are to have equal shares: an IPv4 address, or the 64 bits
/// that name a link of IPv6, on which a host may take any address it likes.
///
/// No link has the first 32 bits zero (RFC 4291 §2.5.5, RFC 6890), as the number of an IPv4 address.
#[inline]
pub(crate) fn host_key(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}
