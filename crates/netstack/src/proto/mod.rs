//! The protocol core: state machines that own no socket, clock, random source or device.

pub(crate) mod account;
pub mod arp;
pub mod checksum;
pub mod counters;
#[cfg(feature = "dhcp")]
pub mod dhcp;
#[cfg(feature = "dns")]
pub mod dns;
pub mod ethernet;
pub mod icmp;
pub mod ipv4;
pub mod pmtu;
pub mod stack;
pub mod tcp;
pub mod udp;

mod random;
mod time;

pub use stack::Stack;
pub use time::Instant;
