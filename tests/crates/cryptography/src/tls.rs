//! TLS, both ends in memory, with a certificate of the test's own.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Moves what one end has to say to the other.
fn pump(from: &mut rustls::Connection, to: &mut rustls::Connection) {
    while from.wants_write() {
        let mut records = Vec::new();
        from.write_tls(&mut records).unwrap();
        let mut records = records.as_slice();
        while !records.is_empty() {
            to.read_tls(&mut records).unwrap();
            to.process_new_packets().unwrap();
        }
    }
}

pub(crate) fn rustls() {
    let names = vec!["unikernel.example".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = certified.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.unwrap())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "unikernel.example".try_into().unwrap();
    let mut client: rustls::Connection = ClientConnection::new(Arc::new(client), name)
        .unwrap()
        .into();
    let mut server: rustls::Connection = ServerConnection::new(Arc::new(server)).unwrap().into();
    while client.is_handshaking() || server.is_handshaking() {
        pump(&mut client, &mut server);
        pump(&mut server, &mut client);
    }
    assert_eq!(
        client.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );

    client.writer().write_all(b"GET /").unwrap();
    pump(&mut client, &mut server);
    let mut text = [0; 16];
    let length = server.reader().read(&mut text).unwrap();
    assert_eq!(&text[..length], b"GET /");
}
