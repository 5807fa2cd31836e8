//! Certificates with their keys.

use std::fmt;
use std::sync::Arc;

use blockdev::{BlockDevice, SectorDevice};
use log::warn;
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;

use super::error::Error;

/// What is looked for in a text.
pub(crate) const CERTIFICATE: &str = "certificate";
pub(crate) const KEY: &str = "private key";

/// Octets of a block device that are read.
const MOST: usize = 256 << 10;

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
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => Error::Nothing(KEY),
            error => Error::Pem(KEY, error),
        })?;
        Self::new(chain, key)
    }

    /// From PEM with one identity after the other, each a certificate, those of its issuers, and then the key.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_pem`].
    pub fn all_from_pem(text: &[u8]) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        let mut chain = Vec::new();
        for item in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, octets) = item.map_err(|error| Error::Pem(CERTIFICATE, error))?;
            if kind == SectionKind::Certificate {
                chain.push(octets.into());
            } else if let Some(key) = PrivateKeyDer::from_pem(kind, octets) {
                if chain.is_empty() {
                    return Err(Error::Nothing(CERTIFICATE));
                }
                all.push(Self::new(std::mem::take(&mut chain), key)?);
            }
        }
        match (all.is_empty(), chain.is_empty()) {
            (true, true) => Err(Error::Nothing(CERTIFICATE)),
            (_, false) => Err(Error::Nothing(KEY)),
            (false, true) => Ok(all),
        }
    }

    /// From a block device: what [`Identity::all_from_pem`] takes, from its first octet on, and zeros behind it.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_pem`], when the device fails, and when there is no zero among its first 256 KiB.
    pub async fn read_all<D>(disk: &mut BlockDevice<D>) -> Result<Vec<Self>, Error>
    where
        D: SectorDevice<Error: std::error::Error + Send + Sync + 'static>,
    {
        let octets = usize::try_from(disk.capacity()).unwrap_or(usize::MAX);
        let mut text = vec![0; octets.min(MOST)];
        let read = disk.read_at_yielding(0, &mut text).await;
        read.map_err(|error| Error::Io(error.into()))?;
        match text.iter().position(|octet| *octet == 0) {
            Some(end) => Self::all_from_pem(&text[..end]),
            None if octets <= MOST => Self::all_from_pem(&text),
            None => Err(Error::TooLong(MOST)),
        }
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Error> {
        let provider = super::provider();
        let key = provider.key_provider.load_private_key(key);
        let identity = CertifiedKey::new(chain, key.map_err(Error::Key)?);
        match identity.keys_match() {
            // Of a kind of key whose public half is not known, the handshake will tell.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(Error::KeyMismatch),
            Err(rustls::Error::InvalidCertificate(error)) => {
                return Err(Error::Unusable(error.into()));
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(why) = is_out_of_date(&identity.cert[0]) {
            warn!("a certificate of ours, which nobody will believe: {why}");
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

/// Why a certificate is not valid at this time.
pub(super) fn is_out_of_date(certificate: &CertificateDer<'_>) -> Option<webpki::Error> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    let usage = webpki::KeyUsage::server_auth();
    // Nobody is trusted: its times are looked at first.
    let verified = parsed.verify_for_usage(&[], &[], &[], UnixTime::now(), usage, None, None);
    verified.err().filter(|error| {
        use webpki::Error::{CertExpired, CertNotValidYet};
        matches!(error, CertExpired { .. } | CertNotValidYet { .. })
    })
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = read.map_err(|error| Error::Pem(CERTIFICATE, error))?;
    match certificates.is_empty() {
        true => Err(Error::Nothing(CERTIFICATE)),
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
