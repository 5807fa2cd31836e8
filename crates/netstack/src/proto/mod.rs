//! The protocol core: state machines that own no socket, clock, random source or device.

pub mod tcp;

mod time;

pub use time::Instant;
