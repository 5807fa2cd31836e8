//! The receiving side of a connection.

pub(crate) mod autotune;
pub(crate) mod piece;
pub(crate) mod queue;
pub(crate) mod reassembly;
