//! The internet layer: IP packets, their fragments, routes, and the MTU of a path.

pub mod pmtu;
pub mod selection;
pub mod v4;
pub mod v6;

mod ecn;
mod family;
mod reassembly;
mod routes;

pub use ecn::Ecn;
pub use family::Family;
pub use reassembly::{Reassembled, Reassembly, ReassemblyLimits};
pub use routes::{Cidr, CidrError, Hop, Route, Routes, is_host};
