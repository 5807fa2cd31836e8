//! The internet layer: IP packets, their fragments, routes, and the MTU of a path.

pub mod pmtu;
pub mod selection;
pub mod v4;
pub mod v6;

mod address;
mod ecn;
mod family;
mod reassembly;
mod routes;

pub use address::{Address, Cidr, CidrError, Route, SCOPE, is_host};
pub(crate) use address::{Endpoint, header_len, host_key};
pub use ecn::Ecn;
pub use family::Family;
pub use reassembly::{Expired, Fragment, Reassembled, Reassembly, ReassemblyLimits};
pub use routes::{Hop, Routes};
