//! The async sockets, between two stacks in one process and in virtual time.
//!
//! - `world`: two stacks, a wire, a clock that jumps to the next alarm
//! - `tcp`, `udp`, `dns`, `dhcp`: what their users may rely on
//! - `handles`: how long a stack runs, and why it ends; halves and streams of connections
//! - `hyper`: reading and writing through its traits
//! - `addresses`: leases that are given back, conflicts, questions whether an address is free
//! - `waiting`: many who wait, futures that are dropped, stacks that end
//! - `wakers`: what becomes of wakers

mod addresses;
mod dhcp;
mod dns;
mod handles;
#[cfg(feature = "hyper")]
mod hyper;
mod tcp;
mod udp;
mod waiting;
mod wakers;
mod world;
