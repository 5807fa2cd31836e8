//! Messages of neighbour discovery over IPv6 (RFC 4861), and their options.

use std::net::Ipv6Addr;

use super::wire::{Mac, icmp6_message};

/// All nodes of the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

type Ends = (Ipv6Addr, Ipv6Addr);

/// A neighbour solicitation for `target` (section 4.3), with the hardware address of who asks.
pub fn solicitation(ends: Ends, target: Ipv6Addr, mac: Mac) -> Vec<u8> {
    let body = [&target.octets()[..], &[1, 1], &mac].concat();
    icmp6_message(ends, (135, 0), [0; 4], &body)
}

/// A router advertisement (section 4.2) for half an hour, with options.
pub fn router_advertisement(ends: Ends, options: &[u8]) -> Vec<u8> {
    let body = [&[0; 8], options].concat();
    icmp6_message(ends, (134, 0), [64, 0, 7, 8], &body)
}

/// The option of a prefix of 64 bits that is on the link and for addresses, without an end (section 4.6.2).
pub fn prefix(prefix: Ipv6Addr) -> Vec<u8> {
    let mut option = vec![3, 4, 64, 0xc0];
    option.extend([0xff; 8]);
    option.extend([0; 4]);
    option.extend(prefix.octets());
    option
}

/// The option of a route to a prefix of 32 bits, without an end (RFC 4191 section 2.3).
pub fn route(prefix: Ipv6Addr) -> Vec<u8> {
    let mut option = vec![24, 2, 32, 0, 0xff, 0xff, 0xff, 0xff];
    option.extend(&prefix.octets()[..8]);
    option
}

/// A redirect of what goes to `destination` (section 4.5).
pub fn redirect(ends: Ends, target: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    let body = [target.octets(), destination.octets()].concat();
    icmp6_message(ends, (137, 0), [0; 4], &body)
}
