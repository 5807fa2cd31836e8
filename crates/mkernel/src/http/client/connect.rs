//! Ways to servers.

use std::cell::Cell;
use std::rc::Rc;

use ::http::Uri;
use ::http::uri::Scheme;
use hyper::client::conn::{http1, http2};
use miou_rs::hyper::Executor;
use miou_rs::{Instant, spawn_named, timeout};
use netstack::TcpStream;

use super::Inner;
use super::error::{ClientError, Step};
use super::link::{Http1, Http2, Link};
use super::options::ClientEvent;
use super::outgoing::Outgoing;
use crate::http::wire::{Io, Version};

/// Whom a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

/// `hyper` wants this much at least.
const LEAST_BUFFER: usize = 8 << 10;

/// What a server of HTTP/2 may send of one answer, and of all of a connection, before it is read; and what is kept of a
/// request's content until the server takes it.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
const SEND_OCTETS: usize = 64 << 10;

impl Origin {
    pub(super) fn of(url: &Uri) -> Result<Self, ClientError> {
        let no_url = || ClientError::Url(url.to_string());
        let secure = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(no_url()),
        };
        let host = url
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(no_url)?;
        Ok(Self {
            secure,
            host: host.to_ascii_lowercase(),
            port: port(url)
                .ok_or_else(no_url)?
                .unwrap_or(if secure { 443 } else { 80 }),
        })
    }

    /// The host by itself: without the brackets of an IPv6 address.
    fn name(&self) -> &str {
        let inner = self.host.strip_prefix('[');
        inner
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// As it stands in `Host`.
    pub(super) fn authority(&self) -> String {
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => self.host.clone(),
            _ => self.host_and_port(),
        }
    }

    /// As it is the target of CONNECT.
    pub(super) fn host_and_port(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The port that `url` names, if any; none at all if what stands there is no port, which [`Uri::port`] takes for nothing.
fn port(url: &Uri) -> Option<Option<u16>> {
    let authority = url.authority()?;
    let text = authority.as_str();
    let start = text.rfind('@').map_or(0, |at| at + 1) + authority.host().len();
    match text.get(start..)? {
        // RFC 3986 section 6.2.3.
        "" | ":" => Some(None),
        port => {
            let digits = port.strip_prefix(':')?;
            let only = digits.bytes().all(|octet| octet.is_ascii_digit());
            only.then(|| digits.parse().ok()).flatten().map(Some)
        }
    }
}

impl Inner {
    /// Whether a connection to `origin` may be one that requests share.
    pub(super) fn may_share(&self, origin: &Origin) -> bool {
        #[cfg(feature = "tls")]
        let offered = self
            .options
            .tls
            .as_ref()
            .is_some_and(|tls| tls.offers(b"h2"));
        #[cfg(not(feature = "tls"))]
        let offered = false;
        origin.secure && offered && self.options.kept > 0
    }

    /// A new connection.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Link, ClientError> {
        let step = Cell::new(Step::Address);
        let open = timeout(self.options.connect_time, self.open(origin, &step));
        let io = open
            .await
            .map_err(|_| ClientError::TimedOut(origin.authority(), step.get()))??;
        let link = match io.agreed() {
            Some(Version::Http2) => self.begin_http2(io).await,
            Some(Version::Http1) | None => self.begin_http1(io).await,
        };
        link.map_err(ClientError::Http)
    }

    async fn begin_http1(&self, io: Io) -> hyper::Result<Link> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(self.options.header_octets.max(LEAST_BUFFER));
        let (sender, connection) = builder.handshake::<Io, Outgoing>(io).await?;
        let task = spawn_named("http client", async {
            // The sender is told why it ends.
            let _ = connection.await;
        });
        Ok(Link::Http1(Http1 {
            sender,
            since: Instant::now(),
            _task: task,
        }))
    }

    async fn begin_http2(&self, io: Io) -> hyper::Result<Link> {
        let executor = Executor::default();
        let mut builder = http2::Builder::new(executor.clone());
        builder
            .max_header_list_size(u32::try_from(self.options.header_octets).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_OCTETS);
        let (sender, connection) = builder.handshake::<Io, Outgoing>(io).await?;
        let task = spawn_named("http client", async {
            // Each request is told why it ends.
            let _ = connection.await;
        });
        Ok(Link::Http2(Rc::new(Http2 {
            sender,
            since: Cell::new(Instant::now()),
            given_up: Cell::new(false),
            _task: task,
            _executor: executor,
        })))
    }

    async fn open(&self, origin: &Origin, step: &Cell<Step>) -> Result<Io, ClientError> {
        #[cfg(not(feature = "tls"))]
        if origin.secure {
            return Err(ClientError::NoTls(origin.host.clone()));
        }
        #[cfg(feature = "tls")]
        let tls = match (origin.secure, &self.options.tls) {
            (true, None) => return Err(ClientError::NoTls(origin.host.clone())),
            (true, Some(tls)) => Some(tls),
            (false, _) => None,
        };
        let unresolved = |error| ClientError::Resolve(origin.host.clone(), error);
        let name = origin.name();
        let addresses = self.resolver.lookup(name).await.map_err(unresolved)?;
        let host = &origin.host;
        self.options.tell(&ClientEvent::Resolved {
            host,
            addresses: &addresses,
        });
        step.set(Step::Connection);
        let stream = TcpStream::connect_any(&self.stack, &addresses, origin.port).await;
        let stream = stream.map_err(|error| {
            let to = format!("{host} port {}", origin.port);
            ClientError::Connect(to, error)
        })?;
        // Requests are written whole.
        let _ = stream.set_nodelay(true);
        if let Ok(peer) = stream.peer_addr() {
            self.options.tell(&ClientEvent::Connected { peer });
        }
        #[cfg(feature = "tls")]
        if let Some(tls) = tls {
            step.set(Step::Handshake);
            let stream = tls.connect(name, stream).await;
            let stream = stream.map_err(|error| ClientError::Tls(host.clone(), error))?;
            self.options.tell(&ClientEvent::Secured { stream: &stream });
            return Ok(Io::Tls(stream));
        }
        Ok(Io::Plain(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_digits_up_to_65535_or_absent() {
        for (url, expected) in [
            ("http://a", "a"),
            ("http://a/", "a"),
            ("http://a:/b", "a"),
            ("http://a:80/", "a"),
            ("http://a:00081/", "a:81"),
            ("http://a:65535", "a:65535"),
            ("http://user:81@a/", "a"),
            ("http://user:word@a:82/", "a:82"),
            ("https://a:443/", "a"),
            ("https://[::1]:80/", "[::1]:80"),
            ("https://[::1]", "[::1]"),
        ] {
            let url: Uri = url.parse().expect(url);
            let origin = Origin::of(&url).expect("an origin");
            assert_eq!(origin.authority(), expected, "{url}");
        }
        for url in [
            "http://a:65536/",
            "https://a:99999",
            "http://a:+80/",
            "http://a:b/",
            "http://user@a:8x/",
        ] {
            // What the crate `http` refuses by itself is no URL either.
            let Ok(parsed) = url.parse() else { continue };
            let error = Origin::of(&parsed).expect_err(url);
            assert!(
                matches!(&error, ClientError::Url(it) if it.starts_with(url)),
                "{error:?}"
            );
        }
        let parsed: Uri = "http://a:65536/".parse().expect("what http takes");
        assert!(matches!(Origin::of(&parsed), Err(ClientError::Url(_))));
    }
}
