//! TLS 1.2 and 1.3 over the stack's connections, by [`rustls`] (feature `tls`).
//!
//! ```no_run
//! use mkernel::net::TcpListener;
//! use mkernel::tls::{Identity, Server, ServerOptions};
//!
//! # async fn example(stack: mkernel::net::Stack, chain: &[u8], key: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let identity = Identity::from_pem(chain, key)?;
//! let server = Server::new([identity], ServerOptions::default())?;
//! let listener = TcpListener::bind(&stack, ([0, 0, 0, 0], 7))?;
//! let (stream, _) = listener.accept().await?;
//! let stream = server.accept(stream).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Certificates
//!
//! They are text in PEM (RFC 7468), wherever that comes from: the program (`include_bytes!`), its command line, or a
//! block device, of which a certificate and its key may be read together:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut disk = mkernel::block::open(mkernel::block!("tls")?)?;
//! let mut text = vec![0; disk.capacity().try_into()?];
//! disk.read_at(0, &mut text)?;
//! let identity = mkernel::tls::Identity::from_pem(&text, &text)?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Server::reload`] puts others in their place, for the connections that come.
//!
//! # Cryptography
//!
//! It is [`ring`](https://docs.rs/ring)'s: this crate's README says why.

mod client;
mod error;
mod identity;
mod key_log;
mod server;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

pub use client::{Client, ClientOptions};
pub use error::{CertificateFault, Error};
pub use identity::Identity;
pub use key_log::KeyLog;
pub use server::{ClientCertificates, Server, ServerOptions};
pub use stream::Stream;

pub use rustls;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
