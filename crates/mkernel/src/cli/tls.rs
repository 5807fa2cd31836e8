//! Certificates on the command line.

use clap::Args;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Failure, USAGE};
use crate::tls::identity::{CERTIFICATE, KEY};
use crate::tls::{Error, Identity};

/// Characters of a certificate that a message shows: enough for the name of a file that was given in place of its text.
const SHOWN: usize = 40;

/// The arguments of a service that may speak TLS: a part of a [`clap::Parser`], to be flattened.
///
/// Who sees the tender's command line sees the key, and it has room for 8,191 octets: what is to be kept, or long, comes from
/// a block device, by [`Identity::read_all`].
#[derive(Args, Clone, Debug)]
// As in `Network`.
#[command(about = None, long_about = None)]
#[non_exhaustive]
pub struct Tls {
    /// A certificate and those of its issuers, in PEM or in base64 of that: speak TLS; may be repeated, for other names
    #[arg(long, value_name = "PEM", requires = "tls_key")]
    pub tls_cert: Vec<String>,
    /// The certificate's private key, in PEM or in base64 of that
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub tls_key: Vec<String>,
}

impl Tls {
    /// What the command line has, none if there is nothing.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_pem`], and unless each certificate has its key; with the status [`USAGE`].
    pub fn identities(&self) -> Result<Vec<Identity>, Failure> {
        let (certificates, keys) = (self.tls_cert.len(), self.tls_key.len());
        if certificates != keys {
            let text = format!(
                "{certificates} times --tls-cert and {keys} times --tls-key; expected as many"
            );
            return Err(Failure::new(USAGE, text));
        }
        let pairs = self.tls_cert.iter().zip(&self.tls_key);
        pairs
            .map(|(certificate, key)| {
                let identity = Identity::from_pem(&pem(certificate), &pem(key));
                identity.map_err(|error| {
                    let argument = argument(&error, certificate);
                    // Files are the host's.
                    let hint = match error {
                        Error::Nothing(CERTIFICATE) => {
                            " or base64 of it, and not the name of a file"
                        }
                        _ => "",
                    };
                    Failure::new(USAGE, format!("{argument}: {error}{hint}"))
                })
            })
            .collect()
    }
}

/// The argument that an error is about, with what stands there; of a key, nothing.
fn argument(error: &Error, certificate: &str) -> String {
    match error {
        Error::Nothing(CERTIFICATE) | Error::Pem(CERTIFICATE, _) => {
            let start: String = certificate.chars().take(SHOWN).collect();
            let more = if start.len() < certificate.len() {
                "..."
            } else {
                ""
            };
            format!("--tls-cert {start:?}{more}")
        }
        Error::Nothing(KEY) | Error::Pem(KEY, _) | Error::Key(_) => "--tls-key".to_owned(),
        _ => "--tls-cert, --tls-key".to_owned(),
    }
}

/// The text in PEM that `value` is, or is base64 of: that stands on a command line without quotes.
#[must_use]
pub fn pem(value: &str) -> Vec<u8> {
    // A PEM decoder reads base64, whatever it is of.
    let wrapped = format!("-----BEGIN CERTIFICATE-----\n{value}\n-----END CERTIFICATE-----\n");
    match CertificateDer::from_pem_slice(wrapped.as_bytes()) {
        Ok(text) if !value.contains("-----") => text.to_vec(),
        _ => value.into(),
    }
}
