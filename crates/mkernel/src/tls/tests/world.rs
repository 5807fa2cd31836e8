//! Two stacks on one wire, and authorities.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use miou_rs::Builder;
use netstack::{Config, Stack, TcpListener, TcpStream};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

use crate::fake::Machine;
use crate::net::start_on;
use crate::source::Solo5;
use crate::tls::rustls::pki_types::CertificateDer;
use crate::tls::{Client, ClientOptions, Error, Identity, Server, Stream};

pub(crate) struct World {
    client: Stack,
    server: Stack,
}

/// Runs `test` in virtual time.
pub(crate) fn run<F: Future>(test: impl FnOnce(World) -> F) -> F::Output {
    let machine = Machine::default();
    let source = Rc::new(Solo5::new(machine.clone()));
    let [one, other] = machine.wire(false);
    Builder::new().run_with(source.clone(), async {
        let stack = |device, host: u8| {
            let address = format!("10.0.0.{host}/24").parse().expect("an address");
            let config = Config::default().address(address).seed([host; 32]);
            start_on(&source, device, config).expect("a stack")
        };
        let (client, server) = (stack(one, 1), stack(other, 2));
        test(World { client, server }).await
    })
}

impl World {
    pub(crate) fn client(&self) -> &Stack {
        &self.client
    }

    pub(crate) fn server(&self) -> &Stack {
        &self.server
    }

    /// Both ends of a connection.
    pub(crate) async fn tcp(&self) -> (TcpStream, TcpStream) {
        let address = ([10, 0, 0, 2], 443);
        let listener = TcpListener::bind(&self.server, address).expect("a free port");
        let client = TcpStream::connect(&self.client, address)
            .await
            .expect("connected");
        let (server, _) = listener.accept().await.expect("a connection");
        (client, server)
    }

    /// What becomes of a handshake with the server `name`, at the client and at the server.
    pub(crate) async fn handshake(
        &self,
        client: &Client,
        name: &str,
        server: &Server,
    ) -> (Result<Stream, Error>, Result<Stream, Error>) {
        let (ours, theirs) = self.tcp().await;
        futures_lite::future::zip(client.connect(name, ours), server.accept(theirs)).await
    }

    /// A connection to the server `a`.
    pub(crate) async fn pair(&self, client: &Client, server: &Server) -> (Stream, Stream) {
        let (client, server) = self.handshake(client, "a", server).await;
        (client.expect("secured"), server.expect("secured"))
    }
}

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        // Each has a name of its own: by that it is found as an issuer.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut params = named(CertificateParams::default(), &format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Identity {
        self.sign_with(names, |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let mut params = params(names);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        identity(&certificate.pem(), &key)
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self) -> Client {
        self.client_with(ClientOptions::default())
    }

    pub(crate) fn client_with(&self, options: ClientOptions) -> Client {
        Client::new(options.authorities(self.pem())).expect("a client")
    }
}

pub(crate) fn params(names: &[&str]) -> CertificateParams {
    let owned: Vec<_> = names.iter().map(ToString::to_string).collect();
    named(CertificateParams::new(owned).expect("names"), names[0])
}

fn named(mut params: CertificateParams, name: &str) -> CertificateParams {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn identity(certificate: &str, key: &KeyPair) -> Identity {
    let key = key.serialize_pem();
    Identity::from_pem(certificate.as_bytes(), key.as_bytes()).expect("an identity")
}

/// The certificate that is shown.
pub(crate) fn certificate(identity: &Identity) -> CertificateDer<'static> {
    identity.0.cert[0].clone()
}
