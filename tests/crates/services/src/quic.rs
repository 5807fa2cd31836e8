//! QUIC.

use std::net::Ipv4Addr;
use std::sync::Arc;

use quinn::{ClientConfig, Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;

use crate::block_on;

const NAME: &str = "unikernel.example";

/// A server that gives back what it is sent, and a client, over the sockets of each family.
pub(crate) fn quinn() {
    block_on(async {
        let certified = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
        let certificate = certified.cert.der().clone();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::with_single_cert(vec![certificate.clone()], key).unwrap();
        let server = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = server.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let connection = server.accept().await.unwrap().await.unwrap();
            let (mut sending, mut receiving) = connection.accept_bi().await.unwrap();
            let data = receiving.read_to_end(2_000_000).await.unwrap();
            sending.write_all(&data).await.unwrap();
            sending.finish().unwrap();
            connection.closed().await;
        });

        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let config = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();
        let mut client = Endpoint::client("[::]:0".parse().unwrap()).unwrap();
        client.set_default_client_config(config);
        let connection = client.connect(address, NAME).unwrap().await.unwrap();
        let (mut sending, mut receiving) = connection.open_bi().await.unwrap();
        let data: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        sending.write_all(&data).await.unwrap();
        sending.finish().unwrap();
        assert!(receiving.read_to_end(2_000_000).await.unwrap() == data);
        let frames = connection.stats().udp_tx;
        assert!(frames.datagrams > 2 * frames.ios, "{frames:?}");
        connection.close(0_u32.into(), b"done");
        serving.await.unwrap();
    });
}
