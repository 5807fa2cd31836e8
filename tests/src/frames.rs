//! Frames of our own making on a TAP interface, beside the kernel's: peers that no kernel plays.
//!
//! [`Link`] sends and receives frames, [`Segment`], [`Datagram`] and [`Packet`] are what is in them, and [`Crowd`] is
//! thousands of TCP clients that do no more than the test wants. Addresses out of [`STRANGERS`] are not the host's: the
//! unikernel answers them through its gateway, which is the host, and the kernel throws these answers away.

mod crowd;
mod link;
pub mod v6;
mod wire;

pub use crowd::{Client, Crowd, Manner, Progress};
pub use link::Link;
pub use wire::{
    ACK, Arp, Datagram, FIN, Mac, PSH, Packet, Protocol, RST, Received, SYN, Segment, icmp_message,
    icmp6_message, tcp_options,
};

use std::net::{Ipv4Addr, Ipv6Addr};

/// The first of the addresses that strangers have: 172.16.0.0/12, behind the gateway.
pub const STRANGERS: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);

/// The stranger with this number.
pub fn stranger(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(STRANGERS) + 1 + number % ((1 << 20) - 2))
}

/// The same over IPv6, of 2001:db8::/32: each in a network of its own, as these count as hosts.
pub fn stranger_v6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number + 1) << 64 | 1)
}
