//! Neighbour discovery (RFC 4861): the messages and the neighbour cache.

mod cache;
mod message;

pub use super::neighbours::CacheLimits;
pub use cache::{Advertised, Cache, CachePoll, Timing};
pub use message::{
    Message, advertisement, are_options, nonce, options, router_solicitation, solicitation,
    source_station, target_station,
};
