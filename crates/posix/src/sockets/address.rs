//! Addresses, as C has them and as Rust has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::rc::Rc;

use libc::{AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, EAFNOSUPPORT, EINVAL, ENODEV};
use netstack::proto::ip::SCOPE;

use crate::error::{Result, fail};

/// Which addresses a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    /// Those of IPv4 too, written as IPv6 addresses (RFC 4291 section 2.5.5.2).
    V6,
}

/// The name of a Unix socket: a path, or one of its own that begins with a zero.
pub(crate) type Name = Rc<[u8]>;

/// An address that a call is given or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// None: `connect` then ends what was tied to a peer.
    Unspecified,
    Internet(SocketAddr),
    /// Of a Unix socket that has no name.
    Unnamed,
    Unix(Name),
}

/// Octets that the longest of them takes.
pub(crate) const LONGEST: usize = size_of::<libc::sockaddr_un>();
const INTERNET6: usize = size_of::<libc::sockaddr_in6>();

impl Address {
    /// Reads a `sockaddr`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is too short, `EAFNOSUPPORT` if it is of no family that is known here.
    pub(crate) fn read(octets: &[u8]) -> Result<Self> {
        let Some((family, rest)) = octets.split_first_chunk() else {
            return fail(EINVAL);
        };
        let family = i32::from(u16::from_ne_bytes(*family));
        match family {
            AF_UNSPEC => return Ok(Self::Unspecified),
            AF_UNIX => return Self::read_name(rest),
            _ => {}
        }
        let Some((port, rest)) = rest.split_first_chunk() else {
            return fail(EINVAL);
        };
        let port = u16::from_be_bytes(*port);
        match family {
            AF_INET => match rest.first_chunk::<4>() {
                Some(address) if octets.len() >= size_of::<libc::sockaddr_in>() => {
                    let address = Ipv4Addr::from(*address);
                    Ok(Self::Internet((address, port).into()))
                }
                _ => fail(EINVAL),
            },
            AF_INET6 => {
                let parts = (rest.get(..4), rest.get(4..20), rest.get(20..24));
                let (Some(flow), Some(address), Some(scope)) = parts else {
                    return fail(EINVAL);
                };
                let address: [u8; 16] = address.try_into().unwrap_or_default();
                let word = |octets: &[u8]| octets.try_into().map_or(0, u32::from_ne_bytes);
                let address = SocketAddrV6::new(address.into(), port, word(flow), word(scope));
                Ok(Self::Internet(address.into()))
            }
            _ => fail(EAFNOSUPPORT),
        }
    }

    /// Reads what follows the family of a Unix socket's: a path ends with a zero, or where the address does.
    fn read_name(octets: &[u8]) -> Result<Self> {
        let name = match octets {
            [] => return Ok(Self::Unnamed),
            [0, ..] => octets,
            _ => octets.split(|octet| *octet == 0).next().unwrap_or_default(),
        };
        match octets.len() <= LONGEST - 2 {
            true => Ok(Self::Unix(name.into())),
            false => fail(EINVAL),
        }
    }

    /// Writes a `sockaddr`; its length.
    pub(crate) fn write(&self, octets: &mut [u8; LONGEST]) -> usize {
        let family = |number: i32| (number as u16).to_ne_bytes();
        match self {
            Self::Unspecified | Self::Unnamed => {
                octets[..2].copy_from_slice(&family(AF_UNIX));
                2
            }
            Self::Unix(name) => {
                octets[..2].copy_from_slice(&family(AF_UNIX));
                octets[2..2 + name.len()].copy_from_slice(name);
                let zero = usize::from(name.first() != Some(&0));
                (2 + name.len() + zero).min(LONGEST)
            }
            Self::Internet(SocketAddr::V4(address)) => {
                octets[..2].copy_from_slice(&family(AF_INET));
                octets[2..4].copy_from_slice(&address.port().to_be_bytes());
                octets[4..8].copy_from_slice(&address.ip().octets());
                octets[8..16].fill(0);
                size_of::<libc::sockaddr_in>()
            }
            Self::Internet(SocketAddr::V6(address)) => {
                octets[..2].copy_from_slice(&family(AF_INET6));
                octets[2..4].copy_from_slice(&address.port().to_be_bytes());
                octets[4..8].copy_from_slice(&address.flowinfo().to_ne_bytes());
                octets[8..24].copy_from_slice(&address.ip().octets());
                octets[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
                INTERNET6
            }
        }
    }
}

impl Family {
    /// That of an address.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// All addresses.
    pub(crate) fn any(self) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::UNSPECIFIED, 0).into(),
            Self::V6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    /// The number of C.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::V4 => AF_INET,
            Self::V6 => AF_INET6,
        }
    }

    /// An address that a program has given to a socket of this family: an IPv4 address as itself.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if the socket cannot speak it, `ENODEV` if it is of a link that is not ours.
    pub(crate) fn inward(self, address: SocketAddr) -> Result<SocketAddr> {
        match (self, address) {
            (Self::V4, SocketAddr::V6(_)) => fail(EAFNOSUPPORT),
            (Self::V6, SocketAddr::V4(_)) => fail(EINVAL),
            (_, SocketAddr::V6(v6)) if is_of_link(*v6.ip()) && !is_ours(v6.scope_id()) => {
                fail(ENODEV)
            }
            _ => Ok(SocketAddr::new(address.ip().to_canonical(), address.port())),
        }
    }

    /// An address as a socket of this family tells it.
    pub(crate) fn outward(self, address: SocketAddr) -> Address {
        Address::Internet(with_scope(self.outward_ip(address.ip()), address.port()))
    }

    /// As [`Family::outward`], without a port.
    pub(crate) fn outward_ip(self, ip: IpAddr) -> IpAddr {
        match (self, ip) {
            (Self::V6, IpAddr::V4(ip)) => ip.to_ipv6_mapped().into(),
            (_, ip) => ip,
        }
    }
}

/// An address as it is told: one that is of the link alone with the interface, which is the only one (RFC 4007 section 6).
pub(crate) fn with_scope(ip: IpAddr, port: u16) -> SocketAddr {
    match ip {
        IpAddr::V6(ip) if is_of_link(ip) => SocketAddrV6::new(ip, port, 0, SCOPE).into(),
        _ => (ip, port).into(),
    }
}

/// An address as it is written out, which [`written`] reads.
pub(crate) fn with_zone(ip: IpAddr) -> String {
    match ip {
        IpAddr::V6(of_link) if is_of_link(of_link) => format!("{ip}%{SCOPE}"),
        _ => ip.to_string(),
    }
}

/// An address written out, with the interface behind a percent sign where it is of the link alone (RFC 4007 section 11).
pub(super) fn written(text: &str) -> Option<IpAddr> {
    let Some((ip, zone)) = text.split_once('%') else {
        return text.parse().ok();
    };
    let ip = ip.parse().ok()?;
    let is_known = zone == "service" || zone.parse() == Ok(SCOPE);
    (is_of_link(ip) && is_known).then_some(ip.into())
}

/// Whether an interface is the only one, or none in particular.
pub(super) fn is_ours(interface: u32) -> bool {
    [0, SCOPE].contains(&interface)
}

/// Whether an address says nothing without its interface.
fn is_of_link(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.octets();
    ip.is_unicast_link_local() || (first == 0xff && second & 0xf <= 2)
}

/// An address that can be sent to: no address stands for this host.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(loopback(address.ip()));
    }
    address
}

/// This host, in the family of an address.
pub(super) fn loopback(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}
