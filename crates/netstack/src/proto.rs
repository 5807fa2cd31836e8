//! The protocol core: state machines that own no socket, clock, random source or device.

pub(crate) mod account;
pub mod checksum;
pub mod counters;
#[cfg(feature = "dhcp")]
pub mod dhcp;
#[cfg(feature = "dhcp")]
pub mod dhcpv6;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "dns")]
pub mod happy_eyeballs;
pub mod icmp;
pub mod interface;
pub mod ip;
pub mod link;
pub mod multicast;
pub mod tcp;
pub mod udp;

mod domain;
mod ports;
mod random;
#[cfg(feature = "dhcp")]
mod searches;
mod time;

pub use interface::Interface;
pub use time::Instant;
