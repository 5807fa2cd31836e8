//! What a user holds: the stack, its sockets, the resolver.

mod address;
mod error;
pub(crate) mod listener;
#[cfg(feature = "dns")]
pub(crate) mod resolver;
pub(crate) mod stack;
pub(crate) mod stream;
pub(crate) mod udp;
