//! The link: Ethernet frames, and ARP, which finds the stations on it.

pub mod arp;
pub mod ethernet;
