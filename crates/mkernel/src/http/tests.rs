//! A server and its clients on one wire, in virtual time.

mod bounds;
mod client;
#[cfg(feature = "tls")]
mod client2;
mod places;
mod redirects;
mod remote;
mod requests;
mod shutdown;
mod targets;
#[cfg(feature = "tls")]
mod tls;
mod upgrades;
mod version2;
mod world;
