//! Names looked up over TLS (RFC 7858).

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use miou_rs::spawn;
use netstack::{Resolver, TcpListener};

use super::world::{Authority, World, run};
use crate::tls::{Client, Server, ServerOptions};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A server at port 853 whose certificate is for the name `dns`, and which knows of every name one address.
fn serve(world: &World, authority: &Authority) -> miou_rs::Promise<()> {
    let options = ServerOptions::default();
    let server = Server::new([authority.sign(&["dns"])], options).expect("a server");
    let listener = TcpListener::bind(world.server(), (SERVER, 853)).expect("a free port");
    spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let Ok(mut stream) = server.accept(stream).await else {
                continue;
            };
            let mut length = [0; 2];
            while stream.read_exact(&mut length).await.is_ok() {
                let mut message = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut message).await.expect("a question");
                // The answer comes behind the question, without the padding (RFC 7830).
                let name = message[12..].iter().position(|octet| *octet == 0);
                message.truncate(12 + name.expect("a name") + 5);
                (message[2], message[7], message[11]) = (0x81, 1, 0);
                message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                message.extend(HOST.octets());
                let length = (message.len() as u16).to_be_bytes();
                let answer = [&length[..], &message].concat();
                stream.write_all(&answer).await.expect("sent");
                stream.flush().await.expect("sent");
            }
        }
    })
}

fn resolver(world: &World, client: Client, name: &'static str) -> Resolver {
    Resolver::over_tls(world.client(), [SERVER.into()], move |stream, _| {
        let client = client.clone();
        async move {
            let secured = client.connect(name, stream).await;
            secured.map_err(io::Error::other)
        }
    })
}

#[test]
fn rfc7858_3_3_names_are_asked_for_over_tls_of_a_server_that_is_trusted() {
    run(async |world: World| {
        let authority = Authority::new();
        let _server = serve(&world, &authority);
        let trusting = resolver(&world, authority.client(), "dns");
        for name in ["a.example", "b.example"] {
            let found = trusting.lookup(name).await.expect("an answer");
            assert_eq!(found, [IpAddr::V4(HOST)]);
        }
        assert_eq!(world.server().counters().tcp.passive_opens, 1);
        // The server has one connection at a time.
        drop(trusting);
        // Of one that is another, or whose authority is not known, nothing is asked.
        for (client, name) in [
            (authority.client(), "other"),
            (Authority::new().client(), "dns"),
        ] {
            let error = resolver(&world, client, name).lookup("c.example").await;
            assert_eq!(error.expect_err("no trust").kind(), ErrorKind::Other);
        }
        assert_eq!(world.client().counters().udp.out_datagrams, 0);
    });
}
