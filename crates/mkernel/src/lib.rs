//! mkernel
mod busy_poll;
pub use busy_poll::BusyPoll;
