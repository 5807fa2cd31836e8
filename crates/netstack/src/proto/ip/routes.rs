//! Addresses, prefixes and the choice of the next hop (RFC 1122 §3.3.1).

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

/// An address with the length of its network's prefix, written `10.0.0.2/24`.
///
/// ```
/// use netstack::proto::ip::Cidr;
///
/// let cidr: Cidr = "10.0.0.2/24".parse()?;
/// assert!(cidr.contains([10, 0, 0, 77].into()));
/// assert_eq!(cidr.broadcast(), Some([10, 0, 0, 255].into()));
/// # Ok::<(), netstack::proto::ip::CidrError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: Ipv4Addr,
    prefix: u8,
}

/// What is wrong with a text or numbers that should have been a [`Cidr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CidrError {
    /// The prefix length, given here, exceeds 32.
    Prefix(u8),
    /// The text, given here, is not an address, a slash and a number.
    Syntax(String),
}

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "prefix length {prefix}: expected 0 to 32"),
            Self::Syntax(text) => {
                write!(
                    f,
                    "\"{text}\": expected an IPv4 address with a prefix, like 10.0.0.2/24"
                )
            }
        }
    }
}

impl core::error::Error for CidrError {}

impl Cidr {
    /// `address` in a network whose prefix has `prefix` bits.
    ///
    /// # Errors
    ///
    /// [`CidrError::Prefix`] if `prefix` exceeds 32.
    pub fn new(address: Ipv4Addr, prefix: u8) -> Result<Self, CidrError> {
        match prefix {
            0..=32 => Ok(Self { address, prefix }),
            _ => Err(CidrError::Prefix(prefix)),
        }
    }

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

    /// The address itself.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    fn mask(&self) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(self.prefix))
            .unwrap_or(0)
    }

    /// The network itself: what is behind the prefix is zero.
    #[must_use]
    pub fn network(&self) -> Self {
        Self {
            address: Ipv4Addr::from_bits(self.address.to_bits() & self.mask()),
            prefix: self.prefix,
        }
    }

    /// Whether `address` lies in the same network.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.address.to_bits() ^ address.to_bits()) & self.mask() == 0
    }

    /// The network's broadcast address; `None` for prefixes of 31 and 32 bits, which have none
    /// (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        (self.prefix < 31).then(|| Ipv4Addr::from_bits(self.address.to_bits() | !self.mask()))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(syntax)?;
        let address = address.parse().map_err(|_| syntax())?;
        Self::new(address, prefix.parse().map_err(|_| syntax())?)
    }
}

/// Whether an address can be that of one host (RFC 1122 §3.2.1.3, RFC 6890 §2.2.2): not of "this
/// network" (0.0.0.0/8), of a multicast group (224.0.0.0/4), reserved (240.0.0.0/4) or
/// 255.255.255.255. Loopback addresses are hosts' too, but never come from the link.
#[inline]
#[must_use]
pub const fn is_host(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 1..=223)
}

/// A way to the networks beyond the link, or to stations on it that our addresses' networks leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What it leads to; `0.0.0.0/0` for everything.
    pub destination: Cidr,
    /// The router, which is on our link; 0.0.0.0 if the destinations themselves are.
    pub gateway: Ipv4Addr,
}

/// Where a datagram goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// Back to ourselves.
    Local,
    /// To the station with this address on the link.
    Station(Ipv4Addr),
    /// To all stations on the link.
    Broadcast,
    /// To the stations of a multicast group.
    Multicast,
}

/// Our addresses and routes.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    addresses: Vec<Cidr>,
    routes: Vec<Route>,
}

impl Routes {
    /// Our addresses, in the order in which they were added.
    #[must_use]
    pub fn addresses(&self) -> &[Cidr] {
        &self.addresses
    }

    /// The routes, the longest prefix first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Adds an address of ours, replacing the entry for the same address.
    pub fn add_address(&mut self, cidr: Cidr) {
        self.remove_address(cidr.address());
        self.addresses.push(cidr);
    }

    /// Takes an address away; tells whether it was there.
    pub fn remove_address(&mut self, address: Ipv4Addr) -> bool {
        let before = self.addresses.len();
        self.addresses.retain(|cidr| cidr.address() != address);
        self.addresses.len() < before
    }

    /// Adds a route, replacing the one to the same prefix.
    pub fn add_route(&mut self, route: Route) {
        self.remove_route(route.destination);
        let prefix = route.destination.prefix();
        let not_shorter = |other: &Route| other.destination.prefix() >= prefix;
        let at = self.routes.partition_point(not_shorter);
        self.routes.insert(at, route);
    }

    /// Takes the route to `destination` away; tells whether it was there.
    pub fn remove_route(&mut self, destination: Cidr) -> bool {
        let before = self.routes.len();
        self.routes.retain(|route| {
            route.destination.prefix() != destination.prefix()
                || !route.destination.contains(destination.address())
        });
        self.routes.len() < before
    }

    /// Whether `address` is one of ours (loopback included).
    #[inline]
    #[must_use]
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|cidr| cidr.address() == address) || address.is_loopback()
    }

    /// Whether `address` means every station: 255.255.255.255 or a network's broadcast address.
    #[must_use]
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast()
            || self
                .addresses
                .iter()
                .any(|cidr| cidr.broadcast() == Some(address))
    }

    /// Whether `address` can be the source of a datagram from the link: a station's address that
    /// is not ours (RFC 1122 §3.2.1.3).
    #[must_use]
    pub fn is_valid_source(&self, address: Ipv4Addr) -> bool {
        is_host(address) && !(self.is_broadcast(address) || self.is_local(address))
    }

    /// Whether a datagram to `destination` may carry `source`: an address of ours, and no loopback
    /// address on the link (RFC 1122 §3.2.1.3).
    #[must_use]
    pub fn may_send(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.is_local(source) && (!source.is_loopback() || self.is_local(destination))
    }

    /// The next hop towards `destination`; `None` if no route leads there, as to what can be no host.
    #[must_use]
    pub fn hop(&self, destination: Ipv4Addr) -> Option<Hop> {
        if self.is_local(destination) {
            return Some(Hop::Local);
        }
        if self.is_broadcast(destination) {
            return Some(Hop::Broadcast);
        }
        if destination.is_multicast() {
            return Some(Hop::Multicast);
        }
        if !is_host(destination) {
            return None;
        }
        if self.addresses.iter().any(|cidr| cidr.contains(destination)) {
            return Some(Hop::Station(destination));
        }
        let route = self
            .routes
            .iter()
            .find(|route| route.destination.contains(destination))?;
        Some(Hop::Station(match route.gateway.is_unspecified() {
            true => destination,
            false => route.gateway,
        }))
    }

    /// The address of ours from which to speak to `destination`: the one in the next hop's
    /// network, else the first.
    #[must_use]
    pub fn source_for(&self, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        let hop = match self.hop(destination)? {
            Hop::Local => return Some(destination),
            Hop::Station(hop) => hop,
            Hop::Broadcast | Hop::Multicast => destination,
        };
        let near = self.addresses.iter().find(|cidr| cidr.contains(hop));
        near.or(self.addresses.first()).map(Cidr::address)
    }
}
