//! What a client does and does not do.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ::http::{Request, Uri};

use super::outgoing::Outgoing;

type Observer = Box<dyn Fn(&ClientEvent<'_>)>;

/// How long a [`Client`](super::Client) waits, what it keeps, and whom it trusts.
#[non_exhaustive]
pub struct ClientOptions {
    /// For finding the host's address, connecting to it and securing the connection; 10 s.
    pub connect_time: Duration,
    /// From sending the request to the end of the answer's header; 30 s. The wait for a place among the requests that a
    /// server of HTTP/2 takes at a time counts too.
    pub answer_time: Duration,
    /// How long nothing may come while an answer is read; 30 s.
    pub idle_time: Duration,
    /// How long a connection is kept that is not in use; 30 s. It is closed within twice the time.
    pub kept_time: Duration,
    /// Connections of HTTP/1.1 that are kept for each server; 4. One of HTTP/2 is shared by all requests to a server; with 0
    /// there are as many as requests.
    pub kept: usize,
    /// Redirects that are followed; 10. With 0 they are answers as any other.
    pub redirects: usize,
    /// Whether redirects from `https` to `http` are followed; no.
    pub insecure_redirects: bool,
    /// Octets of an answer's header; 64 KiB. Over HTTP/1 it is 8 KiB at least.
    pub header_octets: usize,
    /// Secures connections for `https`; none, as at first, and there is no `https`. It offers HTTP/2 and HTTP/1.1 by ALPN
    /// unless its options name protocols.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::Client>,
    observer: Option<Observer>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_time: Duration::from_secs(10),
            answer_time: Duration::from_secs(30),
            idle_time: Duration::from_secs(30),
            kept_time: Duration::from_secs(30),
            kept: 4,
            redirects: 10,
            insecure_redirects: false,
            header_octets: 64 << 10,
            #[cfg(feature = "tls")]
            tls: None,
            observer: None,
        }
    }
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("connect_time", &self.connect_time)
            .field("answer_time", &self.answer_time)
            .field("idle_time", &self.idle_time)
            .field("kept_time", &self.kept_time)
            .field("kept", &self.kept)
            .field("redirects", &self.redirects)
            .field("insecure_redirects", &self.insecure_redirects)
            .finish_non_exhaustive()
    }
}

/// A step on the way to an answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent<'a> {
    /// The host has these addresses.
    #[non_exhaustive]
    Resolved {
        /// Its name.
        host: &'a str,
        /// Those of it that are tried, in this order.
        addresses: &'a [IpAddr],
    },
    /// It is connected to.
    #[non_exhaustive]
    Connected {
        /// Where.
        peer: SocketAddr,
    },
    /// The connection is secure.
    #[cfg(feature = "tls")]
    #[non_exhaustive]
    Secured {
        /// The connection.
        stream: &'a crate::tls::Stream,
    },
    /// This request is sent.
    #[non_exhaustive]
    Sent {
        /// On a connection that was kept, or a new one.
        reused: bool,
        /// As it is sent, but for its content.
        request: &'a Request<Outgoing>,
    },
    /// The answer leads elsewhere.
    #[non_exhaustive]
    Redirected {
        /// Where to.
        target: &'a Uri,
    },
}

macro_rules! setters {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`", stringify!($name), "`](#structfield.", stringify!($name), ").")]
        #[must_use]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = $name;
            self
        }
    )*};
}

impl ClientOptions {
    setters! {
        connect_time: Duration,
        answer_time: Duration,
        idle_time: Duration,
        kept_time: Duration,
        kept: usize,
        redirects: usize,
        insecure_redirects: bool,
        header_octets: usize,
    }

    /// Sets [`tls`](#structfield.tls).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::Client) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Has `observer` told each step, for a log or for who debugs.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&ClientEvent<'_>) + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    pub(super) fn tell(&self, event: &ClientEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}
