//! The internet layer: IPv4 packets, their fragments, routes, and the MTU of a path.

pub mod pmtu;
pub mod v4;

mod ecn;
mod reassembly;
mod routes;

pub use ecn::Ecn;
pub use reassembly::{Reassembled, Reassembly, ReassemblyLimits};
pub use routes::{Cidr, CidrError, Hop, Route, Routes, is_host};
