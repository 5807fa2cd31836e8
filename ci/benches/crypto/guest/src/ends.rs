//! A server by the provider that is measured, and a client by ring.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, Connection, NamedGroup, RootCertStore,
    ServerConfig, ServerConnection,
};

const NAME: &str = "server.example";

/// Whether the client resumes sessions.
#[derive(Clone, Copy)]
pub enum Resume {
    Yes,
    No,
}

pub struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    is_new: Cell<bool>,
}

fn provider(name: &str) -> Result<CryptoProvider> {
    Ok(match name {
        "ring" => ring::default_provider(),
        "aws-lc-rs" => rustls::crypto::aws_lc_rs::default_provider(),
        "graviola" => rustls_graviola::default_provider(),
        "rustcrypto" => rustls_rustcrypto::provider(),
        _ => bail!("{name}: expected ring, aws-lc-rs, graviola or rustcrypto"),
    })
}

/// With one choice of each kind, so that all providers do the same work.
fn narrowed(mut provider: CryptoProvider, suite: CipherSuite) -> Result<Arc<CryptoProvider>> {
    provider.cipher_suites.retain(|it| it.suite() == suite);
    provider
        .kx_groups
        .retain(|it| it.name() == NamedGroup::X25519);
    ensure!(
        provider.cipher_suites.len() == 1 && provider.kx_groups.len() == 1,
        "the provider has no {suite:?}, or no X25519"
    );
    Ok(Arc::new(provider))
}

impl Ends {
    /// Both ends, with a key of ECDSA over P-256.
    pub fn new(name: &str, suite: CipherSuite, resume: Resume) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let certificate = made.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());

        let server = narrowed(provider(name)?, suite)?;
        let server = ServerConfig::builder_with_provider(server)
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        let client = narrowed(ring::default_provider(), suite)?;
        let mut client = ClientConfig::builder_with_provider(client)
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        if let Resume::No = resume {
            client.resumption = Resumption::disabled();
        }
        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
            is_new: Cell::new(true),
        })
    }

    /// Whether there was no connection yet.
    pub fn is_new(&self) -> bool {
        self.is_new.get()
    }

    /// The client and the server of a new connection, and the time that the server took.
    pub fn connect(&self) -> Result<(Connection, Connection, Duration)> {
        self.is_new.set(false);
        let name = ServerName::try_from(NAME)?;
        let mut client = Connection::from(ClientConnection::new(self.client.clone(), name)?);
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        send(&mut client, &mut asked)?;

        let start = Instant::now();
        let mut server = Connection::from(ServerConnection::new(self.server.clone())?);
        let mut spent = start.elapsed();
        while !asked.is_empty() {
            answered.clear();
            let start = Instant::now();
            receive_all(&mut server, &asked)?;
            send(&mut server, &mut answered)?;
            spent += start.elapsed();
            asked.clear();
            receive_all(&mut client, &answered)?;
            send(&mut client, &mut asked)?;
        }
        ensure!(
            !client.is_handshaking() && !server.is_handshaking(),
            "the handshake has not ended"
        );
        Ok((client, server, spent))
    }
}

/// Takes what `end` has to say.
pub fn send(end: &mut Connection, into: &mut Vec<u8>) -> Result<()> {
    while end.wants_write() {
        end.write_tls(into)?;
    }
    Ok(())
}

/// Tells `end` as much as it takes at once; the rest.
pub fn receive<'a>(end: &mut Connection, mut octets: &'a [u8]) -> Result<&'a [u8]> {
    end.read_tls(&mut octets)?;
    end.process_new_packets()?;
    Ok(octets)
}

fn receive_all(end: &mut Connection, mut octets: &[u8]) -> Result<()> {
    while !octets.is_empty() {
        octets = receive(end, octets)?;
    }
    Ok(())
}
