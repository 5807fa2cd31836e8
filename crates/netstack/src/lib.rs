//! A TCP/IP stack in layers that are each useful alone.
#![forbid(unsafe_code)]

pub mod proto;
