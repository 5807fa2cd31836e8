//! The example `http` in a network of its own.

use std::net::SocketAddr;
use std::time::Duration;

use crate::certificates::{Signed, with_text};
use crate::{Guest, Network, Running};

/// The example `http`, which listens on [`HttpServer::ADDRESS`] and is alone with the test.
#[derive(Clone, Debug)]
pub struct HttpServer {
    guest: Guest,
    port: u16,
}

impl HttpServer {
    /// The unikernel's address.
    pub const ADDRESS: &str = "10.0.0.2";

    /// `guest` is the example, built.
    pub fn new(guest: Guest) -> Self {
        let guest = guest
            .option("--net:service=tap0")
            .argument(format!("--ipv4={}/24", Self::ADDRESS));
        Self { guest, port: 80 }
    }

    /// Has it speak TLS, known by `signed`.
    #[must_use]
    pub fn secured_by(mut self, signed: &Signed) -> Self {
        let certificate = with_text("--tls-cert", &signed.certificate);
        let key = with_text("--tls-key", &signed.key);
        self.guest = self.guest.argument(certificate).argument(key);
        self.port = 443;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 2], self.port))
    }

    /// Boots it, and runs `test` when it listens.
    pub fn with(&self, test: impl FnOnce(Running) + Send) {
        Network::with(|network| {
            network.add_tap("tap0", "10.0.0.1/24");
            let mut running = self.guest.start();
            drop(running.connect(self.address(), Duration::from_secs(60)));
            test(running);
        });
    }
}
