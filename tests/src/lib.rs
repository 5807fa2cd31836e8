//! Drives whole unikernels: builds them, boots them under this workspace's tenders (on hvt through `ci/hvt`, which
//! needs no KVM), collects what they print, and talks to them over TAP interfaces in network namespaces of their own.
//!
//! ```no_run
//! use system_tests::{Guest, Target};
//!
//! let outcome = Guest::build("hello", Target::Spt).run();
//! assert_eq!(outcome.status, 0, "{outcome}");
//! assert_eq!(outcome.stdout, "Hello World!\n");
//! ```
//!
//! Everything here panics with what is missing or went wrong: it serves tests only.
#![forbid(unsafe_code)]

pub mod attacks;
mod build;
pub mod certificates;
pub mod frames;
mod guest;
pub mod honest;
mod http_client;
mod http_server;
mod network;
mod openssl_server;
mod postgres;
mod power_cut;
mod process;
mod promises;

pub use build::{Profile, Target, cargo, host_program, target_folder, workspace};
pub use guest::Guest;
pub use http_client::{HttpClient, read_head};
pub use http_server::HttpServer;
pub use network::Network;
pub use openssl_server::OpensslServer;
pub use postgres::{Postgres, PostgresServer};
pub use power_cut::PowerCut;
pub use process::{Outcome, Running};
pub use promises::promise_until_killed;
