//! The end that connects.

use std::sync::Arc;

use netstack::TcpStream;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, OtherError,
    RootCertStore, SignatureScheme,
};

use super::error::{Error, SelfSigned};
use super::identity::{Identity, authorities};
use super::key_log::KeyLog;
use super::provider;
use super::stream::Stream;

/// Secures connections to servers. Its clones are the same client, and resume each other's sessions.
#[derive(Debug, Clone)]
pub struct Client {
    config: Arc<ClientConfig>,
}

/// Whom a [`Client`] trusts, and what it says of itself.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Authorities whose certificates are trusted, in PEM; `None`, as at first: those that Mozilla trusts.
    pub authorities: Option<Vec<u8>>,
    /// What servers that ask are shown.
    pub identity: Option<Identity>,
    /// The protocols that are offered, the one liked best first (ALPN, RFC 7301); none at first.
    pub protocols: Vec<Vec<u8>>,
    /// Who is told the secrets of connections; nobody, as at first, unless they are to be debugged.
    pub key_log: Option<KeyLog>,
}

impl ClientOptions {
    /// Sets [`authorities`](#structfield.authorities).
    #[must_use]
    pub fn authorities(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(text.into());
        self
    }

    /// Sets [`identity`](#structfield.identity).
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets [`protocols`](#structfield.protocols).
    #[must_use]
    pub fn protocols<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`key_log`](#structfield.key_log).
    #[must_use]
    pub fn key_log(mut self, key_log: KeyLog) -> Self {
        self.key_log = Some(key_log);
        self
    }
}

impl Client {
    /// A client that trusts, and is, what `options` say.
    ///
    /// # Errors
    ///
    /// If the authorities are no good.
    pub fn new(options: ClientOptions) -> Result<Self, Error> {
        let roots = match &options.authorities {
            Some(text) => authorities(text)?,
            None => RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
        };
        let provider = provider();
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        let verifier = verifier
            .build()
            .map_err(|error| Error::Authorities(error.to_string()))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { verifier, roots }));
        let mut config = match options.identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.0)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = options.protocols;
        if let Some(key_log) = options.key_log {
            config.key_log = Arc::new(key_log);
        }
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Secures a connection to the server `name`, which is the name of a host or an address; its handshake has no time-out
    /// of its own.
    ///
    /// # Errors
    ///
    /// Why the handshake failed; [`Error::Certificate`] if the server is not, or may not be, the one that was meant.
    pub async fn connect(&self, name: &str, stream: TcpStream) -> Result<Stream, Error> {
        let server = ServerName::try_from(name).map_err(|_| Error::Name(name.to_owned()))?;
        let connection = ClientConnection::new(self.config.clone(), server.to_owned())?;
        let mut stream = Stream::new(stream, connection.into());
        stream.handshake().await?;
        Ok(stream)
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

    /// Whether `protocol` is among those that are offered.
    #[cfg(feature = "http")]
    pub(crate) fn offers(&self, protocol: &[u8]) -> bool {
        self.config.alpn_protocols.iter().any(|it| it == protocol)
    }
}

/// rustls' own, which also tells that a certificate is self-signed.
#[derive(Debug)]
struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
}

impl Verifier {
    fn trusts(&self, certificate: &CertificateDer<'_>) -> bool {
        webpki::anchor_from_trusted_cert(certificate).is_ok_and(|it| {
            let same = |root: &TrustAnchor<'_>| {
                root.subject == it.subject
                    && root.subject_public_key_info == it.subject_public_key_info
            };
            self.roots.roots.iter().any(same)
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now);
        verified.map_err(|error| match error {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            ) if is_self_issued(certificate) && !self.trusts(certificate) => {
                CertificateError::Other(OtherError(Arc::new(SelfSigned))).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn is_self_issued(certificate: &CertificateDer<'_>) -> bool {
    let parsed = webpki::EndEntityCert::try_from(certificate);
    parsed.is_ok_and(|it| it.issuer() == it.subject())
}
