//! What a user holds: the stack, its sockets, the resolver.

mod address;
pub(crate) mod address_events;
pub(crate) mod config;
#[cfg(feature = "dhcp")]
mod dhcp;
#[cfg(feature = "dhcp")]
mod dhcpv6;
mod error;
pub(crate) mod listener;
mod ping;
#[cfg(feature = "dns")]
pub(crate) mod resolver;
mod services;
pub(crate) mod stack;
pub(crate) mod stream;
pub(crate) mod udp;
