//! The link: Ethernet frames, and what finds the stations on it, ARP and neighbour discovery.

pub mod arp;
pub mod ethernet;
pub mod nd;

mod neighbours;
mod pending;
