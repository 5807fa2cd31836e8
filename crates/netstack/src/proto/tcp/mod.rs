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

mod acknowledgment;
mod audit;
mod black_hole;
mod bulk;
mod config;
mod counters;
mod delivery_rate;
mod demux;
mod engine;
mod held;
mod icmp;
mod interface;
mod isn;
mod listeners;
mod lists;
mod loss;
mod marks;
mod on_demand;
mod options;
mod output;
mod pacing;
mod peers;
mod ports;
mod pressure;
mod reassembly;
mod receive_queue;
mod received;
mod reset;
mod retransmission;
mod rto;
mod segment;
mod segment_arrives;
mod send_queue;
mod seq;
mod settings;
mod shared;
mod status;
mod syn_cookies;
mod tables;
mod tcb;
mod time_waits;
mod timeouts;
mod timers;
mod user_calls;
mod variables;
mod window;

pub use config::{Config, KeepAlive, Linger, Options};
pub use counters::Counters;
pub use engine::Tcp;
pub use interface::{
    ConnectionId, Ecn, Error, Event, IcmpError, IpMeta, ListenerId, Readiness, State, Status,
    TxMeta, TxSink,
};
