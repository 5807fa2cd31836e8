//! What benchmarks share: building and starting what is measured, networks to reach it by, and the report.

pub mod build;
pub mod busy;
pub mod http;
pub mod network;
mod options;
mod packet;
mod process;
mod report;
pub mod server;

pub use options::Options;
pub use packet::PacketSocket;
pub use process::{Process, Start};
pub use report::{Ratio, Report, Summary};

/// Where clients run, and the benchmark itself.
pub const CLIENT_CPU: usize = 0;
/// Where what is measured runs.
pub const SERVER_CPU: usize = 1;
