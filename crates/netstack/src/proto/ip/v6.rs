//! IPv6 (RFC 8200): the header, its extensions, and fragments.

pub mod identifier;
pub mod name_servers;
pub(crate) mod told;

mod extension;
mod fragmentation;
mod header;

pub use extension::{Chain, MAX_EXTENSIONS, Refusal, Step, upper_layer};
pub use fragmentation::{FRAGMENT_LEN, FragmentHeader, Fragments};
pub(crate) use header::write_flow_label;
pub use header::{HEADER_LEN, Header, HeaderError, MINIMUM_MTU, protocol};

use core::net::Ipv6Addr;

use super::address;

/// An IPv6 address with the length of its network's prefix.
pub type Cidr = address::Cidr<Ipv6Addr>;
/// A route of IPv6.
pub type Route = address::Route<Ipv6Addr>;

/// All nodes of the link (RFC 4291 §2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of the link (RFC 4291 §2.7.1).
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The network of link-local addresses (RFC 4291 §2.5.6): with its prefix, 64 bits.
pub const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// The group in which whoever has `address` listens for solicitations (RFC 4291 §2.7.1).
#[must_use]
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let group = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    Ipv6Addr::from_bits(group | u128::from(u32::from_be_bytes([0, a, b, c])))
}

/// Whether a packet from the link may have come from `source`, or be for `destination`: neither is an
/// address that never leaves a host (RFC 4291 §2.5.3, §2.5.5 and §2.7, RFC 7346 §2), and the source is
/// no group.
#[must_use]
pub fn may_be_on_link(source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    let stays = |address: Ipv6Addr| address.is_loopback() || address.to_ipv4_mapped().is_some();
    let narrow = destination.is_multicast() && matches!(destination.octets()[1] & 0xf, 0 | 1);
    !(stays(source)
        || stays(destination)
        || source.is_multicast()
        || destination.is_unspecified()
        || narrow)
}

#[cfg(test)]
mod tests;
