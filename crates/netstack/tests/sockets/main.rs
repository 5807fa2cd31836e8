//! The async sockets, between two stacks in one process and in virtual time.
//!
//! - `world`: two stacks, a wire, a clock that jumps to the next alarm
//! - `tcp`, `udp`, `dns`, `dhcp`: what their users may rely on
//! - `waiting`: many who wait, futures that are dropped, stacks that end
//! - `wakers`: what becomes of wakers

mod dhcp;
mod dns;
mod tcp;
mod udp;
mod waiting;
mod wakers;
mod world;
