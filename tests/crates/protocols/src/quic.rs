//! QUIC, both endpoints in memory.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ServerConfig,
};

/// An endpoint and its connection.
struct End {
    endpoint: Endpoint,
    address: SocketAddr,
    connection: Option<(ConnectionHandle, Connection)>,
}

impl End {
    fn new(server: Option<ServerConfig>, port: u16) -> Self {
        let config = Arc::new(EndpointConfig::default());
        Self {
            endpoint: Endpoint::new(config, server.map(Arc::new), false, None),
            address: (Ipv4Addr::LOCALHOST, port).into(),
            connection: None,
        }
    }

    /// Gives the datagrams that it has to send.
    fn datagrams(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let Some((handle, connection)) = &mut self.connection else {
            return datagrams;
        };
        let mut buffer = Vec::new();
        while let Some(transmit) = connection.poll_transmit(now, 1, &mut buffer) {
            datagrams.push(buffer[..transmit.size].to_vec());
            buffer.clear();
        }
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        datagrams
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let mut buffer = Vec::new();
        match self
            .endpoint
            .handle(now, from, None, None, datagram.into(), &mut buffer)
        {
            Some(DatagramEvent::NewConnection(incoming)) => {
                let accepted = self.endpoint.accept(incoming, now, &mut buffer, None);
                self.connection = accepted.ok();
            }
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                let (_, connection) = self.connection.as_mut().unwrap();
                connection.handle_event(event);
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
    }

    fn connection(&mut self) -> &mut Connection {
        &mut self.connection.as_mut().unwrap().1
    }
}

/// Exchanges datagrams until neither end has any.
fn exchange(ends: &mut [End; 2]) {
    let now = Instant::now();
    let mut quiet = 0;
    while quiet < 2 {
        for [from, to] in [[0, 1], [1, 0]] {
            let datagrams = ends[from].datagrams(now);
            quiet = if datagrams.is_empty() { quiet + 1 } else { 0 };
            let address = ends[from].address;
            for datagram in datagrams {
                ends[to].receive(now, address, &datagram);
            }
        }
    }
}

pub(crate) fn quinn_proto() {
    let certified =
        rcgen::generate_simple_self_signed(vec!["unikernel.example".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let server = ServerConfig::with_single_cert(vec![certificate.clone()], key.unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::with_root_certificates(Arc::new(roots)).unwrap();

    let mut ends = [End::new(None, 1_000), End::new(Some(server), 4_433)];
    let (now, address) = (Instant::now(), ends[1].address);
    let connected = ends[0]
        .endpoint
        .connect(now, client, address, "unikernel.example");
    ends[0].connection = Some(connected.unwrap());
    exchange(&mut ends);
    let events: Vec<Event> = std::iter::from_fn(|| ends[0].connection().poll()).collect();
    assert!(
        events.iter().any(|event| matches!(event, Event::Connected)),
        "{events:?}"
    );

    let [client, server] = &mut ends;
    let stream = client.connection().streams().open(Dir::Uni).unwrap();
    client
        .connection()
        .send_stream(stream)
        .write(b"over a stream")
        .unwrap();
    client.connection().send_stream(stream).finish().unwrap();
    assert!(server.connection().streams().accept(Dir::Uni).is_none());
    exchange(&mut ends);
    let server = ends[1].connection();
    let stream = server.streams().accept(Dir::Uni).unwrap();
    let mut receiving = server.recv_stream(stream);
    let mut chunks = receiving.read(true).unwrap();
    assert_eq!(
        &chunks.next(100).unwrap().unwrap().bytes[..],
        b"over a stream"
    );
    assert!(chunks.next(100).unwrap().is_none());
    let _ = chunks.finalize();
}
