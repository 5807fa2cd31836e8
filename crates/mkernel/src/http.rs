//! HTTP over the stack's connections, by [`hyper`]: [`serve()`] and [`Client`] (feature `http`).
//!
//! ```no_run
//! use std::convert::Infallible;
//! use hyper::{Request, Response, service::service_fn};
//! use mkernel::http::{self, Body, Options};
//! use mkernel::net::{self, Config, TcpListener};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! mkernel::run(async {
//!     let config = Config::default().address("10.0.0.2/24".parse()?);
//!     let stack = net::start(mkernel::net!("service")?, config)?;
//!     let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 80))?;
//!     let hello = service_fn(async |_: Request<Body>| {
//!         Ok::<_, Infallible>(Response::new(String::from("Hello World!\n")))
//!     });
//!     http::serve(listener, hello, Options::default()).await?;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Frameworks
//!
//! An `axum::Router` is a service as it is, with `default-features = false` (its own server and WebSockets want
//! tokio's sockets and tasks). What a handler of it holds must be `Send`; what is not, such as a stack or a
//! stream, belongs to a task with which the handler talks by a channel.
//!
//! # Who asks
//!
//! With [`Options::remote_addr`] a request has a [`RemoteAddr`] among its extensions: to a handler of axum it comes as
//! `Extension(RemoteAddr(address))`. Where a client had to show a certificate it is there as `PeerCertificates`.
//!
//! What is refused, and who is sent away, is logged at the level `debug`, with the client's address.
//!
//! # Upgrades
//!
//! A service that answers 101, or 200 to CONNECT, gets the connection from `hyper::upgrade::on`, and
//! [`Upgraded`] gives it the traits of `futures-io`. No limit of [`Options`] holds for it any more but that on the
//! number of connections. A 101 to who has named no protocol, or speaks HTTP/1.0 or HTTP/2, is sent as 500, as is any
//! other informational answer.

mod body;
mod client;
mod connection;
mod content;
mod cookies;
mod handle;
mod options;
mod peer;
mod places;
mod remote;
mod scan;
mod serve;
mod service;
mod target;
#[cfg(test)]
mod tests;
mod upgraded;
mod wire;

pub use body::{Body, BodyError, Reply};
pub use client::{Client, ClientError, ClientEvent, ClientOptions, Outgoing, ResponseBody, Step};
pub use options::{Http2, Options};
#[cfg(feature = "tls")]
pub use remote::PeerCertificates;
pub use remote::RemoteAddr;
pub use serve::{Serve, serve};
pub use service::{Hyper, Oneshot, Service, Tower};
pub use upgraded::Upgraded;

pub use hyper;
