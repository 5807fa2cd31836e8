//! Certificates with their keys.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;

use super::error::Error;

/// Who we are: a certificate, those of its issuers, and its private key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

impl Identity {
    /// From PEM: the certificate first and those of its issuers after it, and a key of PKCS #8, PKCS #1 or SEC 1. Both may
    /// be parts of one text.
    ///
    /// # Errors
    ///
    /// What is missing in the text or no good, and a key that is not that of the certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(chain)?;
        let wanted = "private key";
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => Error::Nothing(wanted),
            error => Error::Pem(wanted, error),
        })?;
        let provider = super::provider();
        let key = provider.key_provider.load_private_key(key);
        let identity = CertifiedKey::new(chain, key.map_err(Error::Key)?);
        match identity.keys_match() {
            // Of a kind of key whose public half is not known, the handshake will tell.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Error::KeyMismatch),
            Err(error) => return Err(error.into()),
        }
        Ok(Self(Arc::new(identity)))
    }

    /// Whether the certificate is for `name`.
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        let certificate = self.0.end_entity_cert();
        let parsed = certificate
            .ok()
            .and_then(|it| webpki::EndEntityCert::try_from(it).ok());
        parsed.is_some_and(|it| it.verify_is_valid_for_subject_name(name).is_ok())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wanted = "certificate";
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = read.map_err(|error| Error::Pem(wanted, error))?;
    match certificates.is_empty() {
        true => Err(Error::Nothing(wanted)),
        false => Ok(certificates),
    }
}

/// Authorities to trust, from PEM.
pub(super) fn authorities(text: &[u8]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text)? {
        let added = roots.add(certificate);
        added.map_err(|error| Error::Authorities(error.to_string()))?;
    }
    Ok(roots)
}
