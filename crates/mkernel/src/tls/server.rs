//! The end that is connected to.

use std::sync::{Arc, PoisonError, RwLock};

use netstack::TcpStream;
use rustls::pki_types::ServerName;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection};

use super::error::Error;
use super::identity::{Identity, authorities};
use super::key_log::KeyLog;
use super::provider;
use super::stream::Stream;

/// Secures connections that were accepted. Its clones are the same server.
#[derive(Debug, Clone)]
pub struct Server {
    config: Arc<ServerConfig>,
    identities: Arc<Identities>,
}

/// What a [`Server`] asks of its clients, and offers them.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ServerOptions {
    /// The protocols that are spoken, the one liked best first (ALPN, RFC 7301). A client that offers only others is
    /// refused; when this is empty, as at first, none is chosen.
    pub protocols: Vec<Vec<u8>>,
    /// Whether clients have to show certificates; at first they have not.
    pub client_certificates: ClientCertificates,
    /// Who is told the secrets of connections; nobody, as at first, unless they are to be debugged.
    pub key_log: Option<KeyLog>,
}

/// Whether clients have to show certificates.
#[derive(Debug, Default, Clone)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They may, of one of these authorities, in PEM.
    Optional(Vec<u8>),
    /// They must, of one of these authorities, in PEM.
    Required(Vec<u8>),
}

impl ServerOptions {
    /// Sets [`protocols`](#structfield.protocols).
    #[must_use]
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`client_certificates`](#structfield.client_certificates).
    #[must_use]
    pub fn client_certificates(mut self, client_certificates: ClientCertificates) -> Self {
        self.client_certificates = client_certificates;
        self
    }

    /// Sets [`key_log`](#structfield.key_log).
    #[must_use]
    pub fn key_log(mut self, key_log: KeyLog) -> Self {
        self.key_log = Some(key_log);
        self
    }
}

impl Server {
    /// A server that is known by `identities`: a client is shown the first one that is for the name it
    /// asks for (SNI, RFC 6066 section 3), or else the first of all. Of the cipher suites that both know the server
    /// takes the one it likes best. Sessions are resumed by tickets, for which nothing is kept here.
    ///
    /// # Errors
    ///
    /// If there is no identity, or the authorities of clients are no good.
    pub fn new(
        identities: impl IntoIterator<Item = Identity>,
        options: ServerOptions,
    ) -> Result<Self, Error> {
        let identities = Arc::new(Identities::new(identities)?);
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])?;
        let verifier = |text: &[u8], required| {
            let roots = Arc::new(authorities(text)?);
            let builder = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let builder = match required {
                true => builder,
                false => builder.allow_unauthenticated(),
            };
            builder
                .build()
                .map_err(|error| Error::Authorities(error.to_string()))
        };
        let verifier = match &options.client_certificates {
            ClientCertificates::None => WebPkiClientVerifier::no_client_auth(),
            ClientCertificates::Optional(text) => verifier(text, false)?,
            ClientCertificates::Required(text) => verifier(text, true)?,
        };
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(identities.clone());
        config.alpn_protocols = options.protocols;
        config.ignore_client_order = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        if let Some(key_log) = options.key_log {
            config.key_log = Arc::new(key_log);
        }
        Ok(Self {
            config: Arc::new(config),
            identities,
        })
    }

    /// Shows these from now on, on this server and its clones. Connections that there are go on.
    ///
    /// # Errors
    ///
    /// If there is none; then nothing changes.
    pub fn reload(&self, identities: impl IntoIterator<Item = Identity>) -> Result<(), Error> {
        self.identities.replace(identities)
    }

    /// Secures a connection; its handshake has no time-out of its own.
    ///
    /// # Errors
    ///
    /// Why the handshake failed; the client was sent an alert, and has had up to two seconds to read it.
    pub async fn accept(&self, stream: TcpStream) -> Result<Stream, Error> {
        let connection = ServerConnection::new(self.config.clone())?;
        let mut stream = Stream::new(stream, connection.into());
        match stream.handshake().await {
            Ok(()) => Ok(stream),
            Err(error) => {
                stream.linger().await;
                Err(error)
            }
        }
    }

    /// With these protocols, if none were chosen.
    #[cfg(feature = "http")]
    pub(crate) fn or_protocols(mut self, protocols: &[&[u8]]) -> Self {
        if self.config.alpn_protocols.is_empty() {
            let config = Arc::make_mut(&mut self.config);
            config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        }
        self
    }
}

/// What a server is known by, for all its connections.
#[derive(Debug)]
struct Identities(RwLock<Vec<Identity>>);

impl Identities {
    fn new(identities: impl IntoIterator<Item = Identity>) -> Result<Self, Error> {
        let new = Self(RwLock::default());
        new.replace(identities)?;
        Ok(new)
    }

    fn replace(&self, identities: impl IntoIterator<Item = Identity>) -> Result<(), Error> {
        let identities: Vec<_> = identities.into_iter().collect();
        if identities.is_empty() {
            return Err(Error::NoIdentity);
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identities;
        Ok(())
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let identities = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // One that the client can verify.
        let can_sign = |it: &&Identity| {
            let schemes = hello.signature_schemes();
            it.0.key.choose_scheme(schemes).is_some()
        };
        let name = hello
            .server_name()
            .and_then(|it| ServerName::try_from(it).ok());
        let named = name.and_then(|name| {
            let mut named = identities.iter().filter(|it| it.is_for(&name));
            named.find(can_sign)
        });
        let found = named.or_else(|| identities.iter().find(can_sign));
        found.or(identities.first()).map(|it| it.0.clone())
    }
}
