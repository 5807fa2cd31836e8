//! What can go wrong.

use std::fmt;
use std::io;

use rustls::pki_types::pem;
use rustls::{CertificateError, OtherError};

use super::identity::KEY;

/// Why a certificate or a key cannot be used, or a connection not be secured.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Text that is no PEM, and what was looked for in it.
    Pem(&'static str, pem::Error),
    /// Text in which there is nothing of what was looked for.
    Nothing(&'static str),
    /// Text that is longer than so many octets.
    TooLong(usize),
    /// A private key of a kind that is not known.
    Key(rustls::Error),
    /// A private key that is not that of the certificate.
    KeyMismatch,
    /// A certificate of ours that cannot be read.
    Unusable(CertificateFault),
    /// A server without a certificate.
    NoIdentity,
    /// Certificates of authorities that are none.
    Authorities(String),
    /// What is neither the name of a host nor an address.
    Name(String),
    /// The peer's certificate is not accepted.
    Certificate(CertificateFault),
    /// The peer ended the handshake, or the connection, with this alert.
    Alert(rustls::AlertDescription),
    /// The peer does not speak TLS as it should, or has nothing in common with us.
    Protocol(rustls::Error),
    /// What the connection, or the block device, below failed with.
    Io(io::Error),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It is its own issuer, and not one that is trusted.
    SelfSigned,
    /// It is that of an authority, which is for issuing others and not for a server.
    Authority,
    /// Nobody who is trusted has issued it.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// Its issuer has taken it back.
    Revoked,
    /// Its signature is wrong.
    BadSignature,
    /// There is none.
    Absent,
    /// Any other fault.
    Other(String),
}

/// What the verifier says of a certificate that is its own issuer.
#[derive(Debug)]
pub(super) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("self-signed")
    }
}

impl std::error::Error for SelfSigned {}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            rustls::Error::NoCertificatesPresented => Self::Certificate(CertificateFault::Absent),
            rustls::Error::AlertReceived(alert) => Self::Alert(alert),
            error => Self::Protocol(error),
        }
    }
}

impl From<io::Error> for Error {
    /// What a stream of ours has wrapped is taken out again.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<CertificateError> for CertificateFault {
    fn from(error: CertificateError) -> Self {
        use CertificateError as Said;
        match error {
            Said::Expired | Said::ExpiredContext { .. } => Self::Expired,
            Said::NotValidYet | Said::NotValidYetContext { .. } => Self::NotYetValid,
            Said::NotValidForName | Said::NotValidForNameContext { .. } => Self::WrongName,
            Said::UnknownIssuer => Self::UnknownIssuer,
            Said::Revoked => Self::Revoked,
            Said::BadSignature => Self::BadSignature,
            Said::Other(other) if other.0.is::<SelfSigned>() => Self::SelfSigned,
            Said::Other(other) if is_of_an_authority(&other) => Self::Authority,
            other => Self::Other(other.to_string()),
        }
    }
}

fn is_of_an_authority(error: &OtherError) -> bool {
    let said = error.0.downcast_ref::<webpki::Error>();
    matches!(said, Some(webpki::Error::CaUsedAsEndEntity))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(wanted, error) => {
                write!(f, "no {wanted} in PEM: ")?;
                pem(error, f)
            }
            Self::Nothing(KEY) => f.write_str(
                "no private key in the text; expected PEM, with one that is not encrypted",
            ),
            Self::Nothing(wanted) => write!(f, "no {wanted} in the text; expected PEM"),
            Self::TooLong(most) => {
                write!(
                    f,
                    "no end of the text; expected a zero in the first {most} octets"
                )
            }
            Self::Key(error) => write!(
                f,
                "a private key of no known kind: {error}; expected one for ECDSA on P-256 or P-384, for Ed25519, or for RSA \
                 with at least 2048 bits"
            ),
            Self::KeyMismatch => f.write_str("the private key is not that of the certificate"),
            Self::NoIdentity => f.write_str("no certificate; a server needs one at least"),
            Self::Authorities(error) => write!(f, "no certificate of an authority: {error}"),
            Self::Name(name) => write!(f, "{name}: expected the name of a host, or an address"),
            Self::Certificate(fault) => write!(f, "the peer's certificate: {fault}"),
            Self::Unusable(fault) => write!(f, "the certificate: {fault}"),
            Self::Alert(alert) => write!(f, "the peer has ended it: {alert:?}"),
            Self::Protocol(error) => write!(f, "TLS: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// As text what the decoder shows as octets.
fn pem(error: &pem::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            write!(f, "expected -----END {}-----", end_marker.escape_ascii())
        }
        // The line may have the key in it.
        pem::Error::IllegalSectionStart { .. } => {
            f.write_str("expected a line of its own such as -----BEGIN CERTIFICATE-----")
        }
        error => write!(f, "{error}"),
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SelfSigned => "it is self-signed, and not trusted",
            Self::Authority => "it is that of an authority, not of a server",
            Self::UnknownIssuer => "nobody who is trusted has issued it",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::WrongName => "it is not for this name",
            Self::Revoked => "it was revoked",
            Self::BadSignature => "its signature is wrong",
            Self::Absent => "there is none",
            Self::Other(fault) => fault,
        })
    }
}

impl std::error::Error for Error {}
