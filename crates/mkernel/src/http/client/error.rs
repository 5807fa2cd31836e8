//! What can go wrong.

use std::error::Error;
use std::fmt;
use std::io;

/// Why there is no answer, or no more of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// What is no URL of `http` or `https` with a host.
    Url(String),
    /// A URL of `https`, for which [`ClientOptions::tls`](super::ClientOptions) has no client.
    NoTls(String),
    /// The name was not resolved.
    Resolve(String, io::Error),
    /// No address of the host could be connected to; the last one failed so.
    Connect(String, io::Error),
    /// The connection could not be secured: what is wrong with the server's certificate, say.
    #[cfg(feature = "tls")]
    Tls(String, crate::tls::Error),
    /// This did not come from the host, or about it, in its time.
    TimedOut(String, Step),
    /// The exchange failed.
    Http(hyper::Error),
    /// More redirects than are followed; this would have been the next.
    Redirects(String),
    /// A redirect to what the same request was for before.
    RedirectLoop(String),
    /// A redirect from `https` to `http`, where these are not [followed](super::ClientOptions::insecure_redirects).
    InsecureRedirect(String),
    /// A redirect to what is no URL.
    Location(String),
}

/// What an answer takes: see [`ClientError::TimedOut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The host's address.
    Address,
    /// A connection to it.
    Connection,
    /// The handshake that secures the connection.
    Handshake,
    /// The head of the answer: its status and header.
    Head,
    /// The next piece of the answer's content.
    Content,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url:?}: expected a URL such as http://example.org/"),
            Self::NoTls(url) => write!(f, "{url}: no TLS client was given for https"),
            Self::Resolve(name, _) => write!(f, "no address of {name}"),
            Self::Connect(address, _) => write!(f, "no connection to {address}"),
            #[cfg(feature = "tls")]
            Self::Tls(name, _) => write!(f, "no secure connection to {name}"),
            Self::TimedOut(host, step) => write!(f, "{host}: {step} did not come in time"),
            Self::Http(_) => f.write_str("the exchange failed"),
            Self::Redirects(url) => write!(f, "too many redirects, the next one to {url}"),
            Self::RedirectLoop(url) => write!(f, "redirects in a circle, again to {url}"),
            Self::InsecureRedirect(url) => {
                write!(f, "a redirect from https to {url}, which is not followed")
            }
            Self::Location(location) => {
                write!(
                    f,
                    "a redirect to {location:?}; expected a URL of http or https"
                )
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the host's address",
            Self::Connection => "the connection",
            Self::Handshake => "the handshake of TLS",
            Self::Head => "the head of the answer",
            Self::Content => "the rest of the answer",
        })
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(_, error) | Self::Connect(_, error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(_, error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Url(_)
            | Self::NoTls(_)
            | Self::TimedOut(..)
            | Self::Redirects(_)
            | Self::RedirectLoop(_)
            | Self::InsecureRedirect(_)
            | Self::Location(_) => None,
        }
    }
}
