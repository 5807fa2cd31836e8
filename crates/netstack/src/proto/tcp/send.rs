//! The sending side of a connection.

pub(crate) mod delivery_rate;
pub(crate) mod loss;
pub(crate) mod pacer;
pub(crate) mod queue;
pub(crate) mod retransmission;
pub(crate) mod rto;
pub(crate) mod sent;
