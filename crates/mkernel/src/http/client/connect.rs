//! Ways to servers.

use std::io;
use std::net::Ipv4Addr;

use ::http::Uri;
use ::http::uri::Scheme;
use hyper::client::conn::http1;
use miou_rs::{Instant, spawn_named, timeout};
use netstack::TcpStream;

use super::Inner;
use super::error::ClientError;
use super::link::Link;
use super::options::ClientEvent;
use super::outgoing::Outgoing;
use crate::http::wire::Io;

/// Whom a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

/// `hyper` wants this much at least.
const LEAST_BUFFER: usize = 8 << 10;

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
            port: url.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        })
    }

    /// As it stands in `Host`.
    pub(super) fn authority(&self) -> String {
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => self.host.clone(),
            _ => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Inner {
    /// A new connection.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Link, ClientError> {
        let connect = timeout(self.options.connect_time, self.open(origin));
        let io = connect
            .await
            .map_err(|_| ClientError::TimedOut("the connection"))??;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(self.options.header_octets.max(LEAST_BUFFER));
        let handshake = builder.handshake::<Io, Outgoing>(io).await;
        let (sender, connection) = handshake.map_err(ClientError::Http)?;
        let task = spawn_named("http client", async {
            // The sender is told why it ends.
            let _ = connection.await;
        });
        Ok(Link {
            sender,
            since: Instant::now(),
            _task: task,
        })
    }

    async fn open(&self, origin: &Origin) -> Result<Io, ClientError> {
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
        let addresses = self
            .resolver
            .lookup(&origin.host)
            .await
            .map_err(unresolved)?;
        let host = &origin.host;
        self.options.tell(&ClientEvent::Resolved {
            host,
            addresses: &addresses,
        });
        let stream = self.connect_to_any(&addresses, origin).await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = tls {
            let stream = tls.connect(host, stream).await;
            let stream = stream.map_err(|error| ClientError::Tls(host.clone(), error))?;
            self.options.tell(&ClientEvent::Secured { stream: &stream });
            return Ok(Io::Tls(stream));
        }
        Ok(Io::Plain(stream))
    }

    async fn connect_to_any(
        &self,
        addresses: &[Ipv4Addr],
        origin: &Origin,
    ) -> Result<TcpStream, ClientError> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses {
            match TcpStream::connect(&self.stack, (*address, origin.port)).await {
                Ok(stream) => {
                    // Requests are written whole.
                    let _ = stream.set_nodelay(true);
                    let peer = (*address, origin.port).into();
                    self.options.tell(&ClientEvent::Connected { peer });
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        let to = format!("{} port {}", origin.host, origin.port);
        Err(ClientError::Connect(to, last))
    }
}
