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
//! They are text in PEM (RFC 7468), wherever that comes from: the program (`include_bytes!`), its command line
//! (`cli::Tls`, with the feature `cli`), or a block device, which has one after the other, each a certificate, those of its
//! issuers and its key, from its first octet on, and zeros behind that:
//!
//! ```console
//! $ cat a.pem a.key b.pem b.key >tls.img && truncate --size=%512 tls.img
//! ```
//!
//! [`Server::reload`] puts others in their place, for the connections that come; those that there are go on. What the host
//! is still writing is no good, or not the certificate's key, and then nothing changes:
//!
//! ```no_run
//! use mkernel::tls::{Identity, Server, ServerOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut disk = mkernel::block::open(mkernel::block!("tls")?)?;
//! let server = Server::new(Identity::read_all(&mut disk).await?, ServerOptions::default())?;
//! let (reloaded, hour) = (server.clone(), std::time::Duration::from_secs(3600));
//! let reload = mkernel::spawn(async move {
//!     loop {
//!         mkernel::sleep(hour).await;
//!         match Identity::read_all(&mut disk).await {
//!             Ok(identities) => drop(reloaded.reload(identities)),
//!             Err(error) => println!("the certificates stay: {error}"),
//!         }
//!     }
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Cryptography
//!
//! It is [`ring`](https://docs.rs/ring)'s: this crate's README says why.

mod client;
mod error;
pub(crate) mod identity;
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
