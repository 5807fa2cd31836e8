//! Who asks, for services to know.

use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::sync::Arc;

#[cfg(feature = "tls")]
use rustls::pki_types::CertificateDer;

/// The client's end of the connection that a request has come on: among the extensions of each request with
/// [`Options::remote_addr`](super::Options::remote_addr).
///
/// Behind a proxy it is that of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RemoteAddr(pub SocketAddr);

/// The certificate that the client has shown, which was verified, and those of its issuers: among the extensions of each
/// request where [`tls::ServerOptions::client_certificates`](crate::tls::ServerOptions::client_certificates) asks for
/// them and the client has some.
#[cfg(feature = "tls")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificates(pub Arc<[CertificateDer<'static>]>);
