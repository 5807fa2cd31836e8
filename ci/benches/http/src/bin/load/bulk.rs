//! Handshakes and downloads: blocking sockets, TLS by rustls.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::json;

use crate::{Metrics, PATIENCE};

pub fn handshakes(server: SocketAddr, in_flight: usize, duration: Duration) -> Result<Metrics> {
    let config = tls_config()?;
    let start = Instant::now();
    let end = start + duration;
    let counts = thread::scope(|scope| {
        let visit = || -> Result<u64> {
            let mut count = 0;
            while Instant::now() < end {
                let mut stream = connect(server, Some(&config))?;
                ensure!(
                    get(&mut stream, "/healthz")? > 0,
                    "{server}: an empty answer"
                );
                count += 1;
            }
            Ok(count)
        };
        let visitors: Vec<_> = (0..in_flight).map(|_| scope.spawn(visit)).collect();
        let joined = visitors.into_iter().map(|visitor| {
            let count = visitor.join().map_err(|_| anyhow!("a thread panicked"));
            count.flatten()
        });
        joined.collect::<Result<Vec<u64>>>()
    })?;
    let count: u64 = counts.into_iter().sum();
    Ok(Metrics::from_iter([
        (
            "per_s".into(),
            json!(count as f64 / start.elapsed().as_secs_f64()),
        ),
        ("requests".into(), json!(count)),
    ]))
}

pub fn download(
    server: SocketAddr,
    path: &str,
    octets: u64,
    duration: Duration,
    tls: bool,
) -> Result<Metrics> {
    let config = tls.then(tls_config).transpose()?;
    let (mut received, mut requests) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < duration {
        let mut stream = connect(server, config.as_ref())?;
        let length = get(&mut stream, path)?;
        ensure!(
            length >= octets,
            "{server}{path}: {length} octets, expected {octets} and a header"
        );
        received += length;
        requests += 1;
    }
    let rate = received as f64 / 1e6 / start.elapsed().as_secs_f64();
    Ok(Metrics::from_iter([
        ("mb_per_s".into(), json!(rate)),
        ("requests".into(), json!(requests)),
    ]))
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(server: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Box<dyn Stream>> {
    let stream =
        TcpStream::connect_timeout(&server, PATIENCE).with_context(|| server.to_string())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(match tls {
        None => Box::new(stream),
        Some(config) => {
            let name = ServerName::try_from("localhost")?;
            let connection = ClientConnection::new(config.clone(), name)?;
            Box::new(StreamOwned::new(connection, stream))
        }
    })
}

/// Octets of the answer, with its header; the server closes.
fn get(stream: &mut dyn Stream, path: &str) -> Result<u64> {
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut buffer = vec![0; 256 << 10];
    let mut length = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => {
                if length == 0 {
                    let start = &buffer[..read.min(64)];
                    ensure!(
                        start.starts_with(b"HTTP/1.1 200"),
                        "{path}: answered {:?}",
                        String::from_utf8_lossy(start)
                    );
                }
                length += read as u64;
            }
            // A peer may close without TLS's own end.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && length > 0 => {
                return Ok(length);
            }
            Err(error) => return Err(error).context(path.to_owned()),
        }
    }
}

fn tls_config() -> Result<Arc<ClientConfig>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let verifier = Arc::new(Trusting(provider.clone()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Believes everybody.
#[derive(Debug)]
struct Trusting(CryptoProvider);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
