//! TCP (RFC 9293) as a machine without a clock, a random source or a device.
//!
//! [`Tcp`] holds all listeners and connections of a stack. Its caller
//!
//! 1. hands it a batch of segments with [`Tcp::handle_segment`] and ICMP errors with
//!    [`Tcp::handle_icmp`];
//! 2. calls [`Tcp::handle_timeout`] when [`Tcp::next_timeout`] has come;
//! 3. wakes its tasks for each [`Tcp::poll_event`], which make user calls (`connect`, `send`,
//!    `receive`, …);
//! 4. calls [`Tcp::poll_transmit`] once, which makes one acknowledgement decision for the batch.

pub mod congestion;

mod api;
mod config;
mod connection;
mod counters;
mod defence;
mod engine;
mod on_demand;
pub(crate) mod pinned;
mod receive;
mod send;
mod wire;

pub use super::ip::Ecn;
pub use api::{ConnectionId, Error, Event, IcmpError, ListenerId, Readiness, State, Status};
pub use config::{Config, KeepAlive, Linger, Options};
pub use counters::Counters;
pub use engine::Tcp;
pub use wire::ip::{IpMeta, TxMeta, TxSink};
